/** Wires what the dashboard looks up to those who know it. */
import type Docker from 'dockerode';
import type { DockerCollector } from '../collectors/docker/index.ts';
import { layeredImage } from '../collectors/docker/layers.ts';
import { readConfinement } from '../collectors/namespaces/confinement.ts';
import type { NamespaceCollector } from '../collectors/namespaces/index.ts';
import { listImages, namesOf } from '../collectors/objects.ts';
import type { Confinement } from '../exporters/dashboard/api.ts';
import type { Sources } from '../exporters/dashboard/sources.ts';
import type { Attributes, Container } from './records.ts';
import type { Status } from './status.ts';
import type { Telemetry } from './telemetry.ts';

export interface DashboardParts {
  readonly docker: Docker;
  /** Made after the dashboard is. */
  readonly daemon: () => DockerCollector;
  readonly namespaces: () => NamespaceCollector;
  /** Where /proc is; undefined where the containers' processes cannot be seen from here. */
  readonly procfs: string | undefined;
  /** Of the host. */
  readonly attributes: Attributes;
  /** Whether images are shown that no container that is observed uses. */
  readonly isHost: boolean;
  readonly status: () => Status;
  readonly telemetry: Telemetry;
}

const milliseconds = (time: string): number | null => {
  const parsed = Date.parse(time);
  return Number.isNaN(parsed) ? null : parsed;
};

function confinementOf(procfs: string, { pid, privileged }: Container): Confinement | null {
  try {
    const { capabilities, seccomp, apparmor, noNewPrivileges, readonlyRoot } = readConfinement(procfs, pid);
    return {
      privileged: privileged ?? null,
      capabilities,
      seccomp: seccomp ?? null,
      apparmor: apparmor ?? null,
      noNewPrivileges,
      readonlyRootfs: readonlyRoot,
    };
  } catch {
    // It has ended, or we may not look at it.
    return null;
  }
}

export function dashboardSources(parts: DashboardParts): Sources {
  const { docker, daemon, namespaces, procfs, attributes, isHost, status, telemetry } = parts;
  const imageIds = () =>
    [...daemon().containers.values()].map(({ resource }) =>
      String(resource.attributes['container.image.id'] ?? ''),
    );
  return {
    hostname: String(attributes['host.name'] ?? ''),
    attributes,
    containers: () => daemon().containers,
    isConnected: () => daemon().connected,
    namespaces: () => namespaces().memberships(),
    confinement: (container) =>
      procfs === undefined || container.pid === 0 ? null : confinementOf(procfs, container),
    async images() {
      const used = imageIds().filter((id) => id !== '');
      const images = await listImages(docker, used);
      return images
        .filter(({ Id }) => isHost || used.includes(Id))
        .map(({ Id, RepoTags, Created, Size }) => ({
          id: Id,
          references: namesOf(RepoTags),
          createdAt: Created * 1000,
          size: Size,
        }));
    },
    async image(id) {
      if (!isHost && !imageIds().includes(id)) return undefined;
      const found = await layeredImage(docker, id);
      if (found === undefined) return undefined;
      const { Id, RepoTags, RepoDigests, Created, Size, Os, Architecture } = found.inspect;
      return {
        id: Id,
        references: namesOf(RepoTags),
        digests: namesOf(RepoDigests),
        createdAt: milliseconds(Created),
        size: Size,
        os: Os,
        architecture: Architecture,
        layers: found.layers.map(({ created, instruction, size }) => ({
          createdAt: created > 0 ? created * 1000 : null,
          instruction,
          size,
        })),
      };
    },
    status,
    collectors() {
      const errors = new Map(
        [...telemetry.series('portlight.collector.errors')].map(
          ({ attributes: { collector = '' }, value }) => [collector, value],
        ),
      );
      const seconds = new Map(
        [...telemetry.series('portlight.collector.duration')].map(
          ({ attributes: { collector = '' }, value }) => [collector, value],
        ),
      );
      return [...new Set([...seconds.keys(), ...errors.keys()])].sort().map((name) => ({
        name,
        seconds: seconds.get(name) ?? 0,
        errors: errors.get(name) ?? 0,
      }));
    },
  };
}
