/** Wires what the dashboard looks up to those who know it. */

import { usableReferences } from '../../collectors/docker/objects/image-references.ts';
import { readConfinement } from '../../collectors/namespaces/confinement.ts';
import type { Container } from '../../collectors/records/records.ts';
import type { Confinement } from '../../exporters/dashboard/api.ts';
import type { DataSources } from '../../exporters/dashboard/data-sources.ts';
import type { Status } from '../../exporters/shared/status.ts';
import type { Telemetry } from '../../exporters/shared/telemetry.ts';
import type { Target } from '../targets/target.ts';

export interface DashboardParts {
  /** Filled after the dashboard is made; the page's host is that of the first. */
  readonly daemons: readonly Target[];
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

/**
 * An image, from whichever daemon has it.
 * @throws what the last daemon says, where none has it and not all could be asked
 */
async function imageOf(daemons: readonly Target[], id: string) {
  let failure: unknown;
  for (const daemon of daemons) {
    try {
      const found = await daemon.image(id);
      if (found !== undefined) return found;
    } catch (error) {
      failure = error;
    }
  }
  if (failure !== undefined) throw failure;
  return undefined;
}

/** The entries of all; of one daemon, as a rule, its own map. */
function merged<T>(maps: readonly ReadonlyMap<string, T>[]): ReadonlyMap<string, T> {
  return maps.length === 1 ? maps[0]! : new Map(maps.flatMap((map) => [...map]));
}

export function dashboardSources({ daemons, status, telemetry }: DashboardParts): DataSources {
  const daemonOf = ({ id }: Container) => daemons.find(({ containers }) => containers.has(id));
  return {
    get hostname() {
      return String(daemons[0]?.recordAttributes['host.name'] ?? '');
    },
    get attributes() {
      return daemons[0]?.recordAttributes ?? {};
    },
    containers: () => merged(daemons.map(({ containers }) => containers)),
    isConnected: () => daemons.every(({ connected }) => connected),
    namespaces: () => merged(daemons.map(({ namespaces }) => namespaces)),
    confinement(container) {
      const procfs = daemonOf(container)?.procfs;
      return procfs === undefined || container.pid === 0 ? null : confinementOf(procfs, container);
    },
    async images() {
      // One that is away does not keep the others' from being shown.
      const answers = await Promise.allSettled(daemons.map((daemon) => daemon.images()));
      const given = answers.filter((answer) => answer.status === 'fulfilled');
      const [failed] = answers.filter((answer) => answer.status === 'rejected');
      if (given.length === 0 && failed !== undefined) throw failed.reason;
      // The same image on several hosts is one.
      const images = new Map(given.flatMap(({ value }) => value.map((image) => [image.Id, image])));
      return [...images.values()].map(({ Id, RepoTags, Created, Size }) => ({
        id: Id,
        references: usableReferences(RepoTags),
        createdAt: Created * 1000,
        size: Size,
      }));
    },
    async image(id) {
      const found = await imageOf(daemons, id);
      if (found === undefined) return undefined;
      const { Id, RepoTags, RepoDigests, Created, Size, Os, Architecture } = found.inspect;
      return {
        id: Id,
        references: usableReferences(RepoTags),
        digests: usableReferences(RepoDigests),
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
        [...telemetry.counterSeries('portlight.collector.errors')].map(
          ({ attributes: { collector = '' }, value }) => [collector, value],
        ),
      );
      const seconds = new Map(
        [...telemetry.counterSeries('portlight.collector.duration')].map(
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
