/** Creates the dashboard, and connects it to the targets, which have the data that it looks up. */

import { usableReferences } from '../../collectors/docker/objects/image-references.ts';
import { readConfinement } from '../../collectors/namespaces/confinement.ts';
import type { Container } from '../../collectors/records/records.ts';
import type { Config } from '../../config/schema.ts';
import type { Confinement } from '../../exporters/dashboard/api.ts';
import type { DataSources } from '../../exporters/dashboard/data-sources.ts';
import type { DashboardExporter } from '../../exporters/dashboard/index.ts';
import type { Status } from '../../exporters/shared/status.ts';
import type { OwnMetric, Telemetry } from '../../exporters/shared/telemetry.ts';
import { LIVE_INTERVAL_MS, LiveSamplers, type LiveSamplersOptions } from '../rounds/live-sampler.ts';
import type { Target } from '../targets/target.ts';

export interface DashboardSourceOptions {
  /** Filled after the dashboard is created. The dashboard shows the host of the first. */
  readonly targets: readonly Target[];
  readonly status: () => Status;
  readonly telemetry: Telemetry;
}

const epochMs = (time: string): number | null => {
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
    // It has exited, or the agent lacks the privilege to read it.
    return null;
  }
}

/**
 * An image, from the first target that has it.
 * @throws the last error, when no target has it and some failed
 */
async function findImage(targets: readonly Target[], id: string) {
  let failure: unknown;
  for (const target of targets) {
    try {
      const found = await target.image(id);
      if (found !== undefined) return found;
    } catch (error) {
      failure = error;
    }
  }
  if (failure !== undefined) throw failure;
  return undefined;
}

/** The entries of all maps; a single map, the usual case, is returned as it is. */
function merged<T>(maps: readonly ReadonlyMap<string, T>[]): ReadonlyMap<string, T> {
  return maps.length === 1 ? maps[0]! : new Map(maps.flatMap((map) => [...map]));
}

export function dashboardSources({ targets, status, telemetry }: DashboardSourceOptions): DataSources {
  const targetOf = ({ id }: Container) => targets.find(({ containers }) => containers.has(id));
  return {
    get hostname() {
      return String(targets[0]?.recordAttributes['host.name'] ?? '');
    },
    get attributes() {
      return targets[0]?.recordAttributes ?? {};
    },
    containers: () => merged(targets.map(({ containers }) => containers)),
    isConnected: () => targets.every(({ connected }) => connected),
    namespaces: () => merged(targets.map(({ namespaces }) => namespaces)),
    confinement(container) {
      const procfs = targetOf(container)?.procfs;
      return procfs === undefined || container.pid === 0 ? null : confinementOf(procfs, container);
    },
    async images() {
      // A target that does not answer must not hide the images of the others.
      const answers = await Promise.allSettled(targets.map((target) => target.images()));
      const given = answers.filter((answer) => answer.status === 'fulfilled');
      const [failed] = answers.filter((answer) => answer.status === 'rejected');
      if (given.length === 0 && failed !== undefined) throw failed.reason;
      // An image that several hosts have is shown once.
      const images = new Map(given.flatMap(({ value }) => value.map((image) => [image.Id, image])));
      return [...images.values()].map(({ Id, RepoTags, Created, Size }) => ({
        id: Id,
        references: usableReferences(RepoTags),
        createdAt: Created * 1000,
        size: Size,
      }));
    },
    async image(id) {
      const found = await findImage(targets, id);
      if (found === undefined) return undefined;
      const { Id, RepoTags, RepoDigests, Created, Size, Os, Architecture } = found.inspect;
      return {
        id: Id,
        references: usableReferences(RepoTags),
        digests: usableReferences(RepoDigests),
        createdAt: epochMs(Created),
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
      const byCollector = (metric: OwnMetric): Map<string, number> =>
        new Map(
          [...telemetry.counterSeries(metric)].map(({ attributes: { collector = '' }, value }) => [
            collector,
            value,
          ]),
        );
      const errors = byCollector('portlight.collector.errors');
      const seconds = byCollector('portlight.collector.duration');
      return [...new Set([...seconds.keys(), ...errors.keys()])].sort().map((name) => ({
        name,
        seconds: seconds.get(name) ?? 0,
        errors: errors.get(name) ?? 0,
      }));
    },
  };
}

/** @returns undefined where the dashboard is off */
export async function createDashboard(
  config: Config,
  sources: DataSources,
  telemetry: Telemetry,
): Promise<DashboardExporter | undefined> {
  if (!config.dashboard.enabled) return undefined;
  const { DashboardExporter } = await import('../../exporters/dashboard/index.ts');
  return new DashboardExporter(sources, config.interval, telemetry);
}

/** @returns undefined where nobody can watch, or where the exported rounds are as frequent */
export function connectLiveSamplers(
  intervalMs: number,
  dashboard: DashboardExporter | undefined,
  options: Omit<LiveSamplersOptions, 'isWatched' | 'onSample'>,
): LiveSamplers | undefined {
  if (dashboard === undefined || intervalMs <= LIVE_INTERVAL_MS) return undefined;
  const samplers = new LiveSamplers({
    ...options,
    isWatched: () => dashboard.hasViewers,
    onSample: (sets) => dashboard.addLiveSample(sets),
  });
  dashboard.onViewerConnected = () => samplers.start();
  return samplers;
}
