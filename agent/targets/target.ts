/** What observes containers: a daemon's, or those that the kernel shows. And what both kinds have in common. */

import { catalogue } from '../../collectors/catalogue/index.ts';
import type { LayeredImage } from '../../collectors/docker/layers.ts';
import type { ImageSummary } from '../../collectors/docker/objects/docker-object.ts';
import type { DaemonEndpoint } from '../../collectors/engine/daemon-endpoint.ts';
import type { ExitEvidence } from '../../collectors/lifecycle/exit-classifier.ts';
import type { LogOptions } from '../../collectors/logs/index.ts';
import { LogPositionStore } from '../../collectors/logs/position-store.ts';
import { confinementAttributes, readConfinement } from '../../collectors/namespaces/confinement.ts';
import { NamespaceCollector, namespaceAttributes } from '../../collectors/namespaces/index.ts';
import type { Collector, RecordSink, TextStore } from '../../collectors/records/collector.ts';
import type { MetricSet } from '../../collectors/records/points.ts';
import type { Attributes, Container, Resource } from '../../collectors/records/records.ts';
import { assertContainerProcess } from '../../collectors/shared/cgroup-location.ts';
import { isDenied, isGone, type KernelFiles } from '../../collectors/shared/kernel-file.ts';
import { readVisibleNamespaces } from '../../collectors/shared/namespaces.ts';
import type { Telemetry } from '../../exporters/shared/telemetry.ts';
import { CollectorSet, type CollectorSetOptions } from '../rounds/collector-set.ts';
import type { LiveSamplers } from '../rounds/live-sampler.ts';
import type { MetricSelection } from '../rounds/metric-selection.ts';
import { AccessMonitor, accessContext } from './access-checks.ts';
import type { TargetSettings } from './target-settings.ts';

export interface TargetOptions {
  readonly endpoint: DaemonEndpoint;
  readonly settings: TargetSettings;
  readonly telemetry: Telemetry;
  readonly sink: RecordSink;
  /** This target's own section of the position store. */
  readonly store: TextStore;
  readonly evidence: ExitEvidence & { forget(id: string): void };
  readonly files: KernelFiles;
  readonly metrics: MetricSelection;
  /** Collectors that all targets share. */
  readonly sharedCollectors: readonly Collector[];
  /** Undefined where nobody can watch live. */
  readonly liveSamplers: LiveSamplers | undefined;
  /** `host.*` and `os.*` of this host. */
  readonly hostAttributes: Attributes;
  /** What the user adds to every record. */
  readonly configuredAttributes: Attributes;
  /** What the user adds to records about the agent and its host. */
  readonly agentAttributes: Attributes;
}

export interface Target {
  /** `docker.daemon.name`; undefined for the daemon that needs no name. */
  readonly name: string | undefined;
  readonly endpoint: DaemonEndpoint;
  /** Whether events are received. */
  readonly connected: boolean;
  /** Whether metrics are missing because the daemon, which alone has them, does not answer. */
  readonly isUnreachable: boolean;
  /** Every container that exists and is observed, by id. */
  readonly containers: ReadonlyMap<string, Container>;
  /** Attributes of every record: those of the host, and those that the user adds. */
  readonly recordAttributes: Attributes;
  readonly namespaces: ReturnType<NamespaceCollector['memberships']>;
  /** The /proc that shows the containers' processes; undefined where none does. */
  readonly procfs: string | undefined;
  /** The images that are shown; none without a daemon. */
  images(): Promise<readonly ImageSummary[]>;
  image(id: string): Promise<LayeredImage | undefined>;
  /** Whether the container exists, observed or not. */
  exists(id: string): boolean;
  /**
   * Observes until `close`.
   * @param ready called once, when the containers that exist are known
   */
  start(ready: () => void): void;
  /** Requests what the next round cannot read synchronously. */
  prepareRound(signal: AbortSignal): Promise<void>;
  collectRound(): Promise<MetricSet[]>;
  close(): Promise<void>;
}

/** The collectors that need no daemon. */
export interface LocalCollectors {
  readonly collectors: readonly Collector[];
  readonly namespaces: NamespaceCollector;
  /** Those that need a container's processes to be visible from here. */
  readonly perProcess: readonly Collector[];
}

const createCollectorSet = (
  { settings: { procfs, rootfs }, files, metrics }: TargetOptions,
  where: Pick<CollectorSetOptions, 'isHere' | 'withHost'>,
): CollectorSet =>
  new CollectorSet('export', {
    ...{ procfs, rootfs, files, ...where },
    metrics: metrics.read,
    infrequent: { metrics: metrics.ruleOnly, every: metrics.ruleOnlyEvery },
  });

/** What measures the containers of another host: the daemon knows the state of a container wherever it runs. */
export const remoteCollectors = (options: TargetOptions): readonly Collector[] =>
  createCollectorSet(options, { isHere: false }).collectors;

/**
 * What measures the containers of this host.
 * @param containers those of the target
 * @param host the resource of the host's metrics; undefined leaves the host out
 */
export function localCollectors(
  options: TargetOptions,
  containers: () => Iterable<Container>,
  host: Resource | undefined,
): LocalCollectors {
  const { settings, sink, store, metrics } = options;
  const { procfs, rootfs } = settings;
  const namespaces = new NamespaceCollector({
    procfs,
    sink,
    hasMetric: metrics.exported.has(catalogue.namespace),
    reportedRuns: {
      load: (id) => store.load(`namespaces/${id}`),
      save: (id, startedAt) => store.save(`namespaces/${id}`, startedAt),
      forget: (id) => store.delete(`namespaces/${id}`),
    },
  });
  const measuring = createCollectorSet(options, { withHost: host !== undefined });
  const liveSampler = options.liveSamplers?.create(containers, host);
  const besides = [namespaces, ...(liveSampler === undefined ? [] : [liveSampler])];
  return {
    collectors: [
      ...measuring.collectors,
      ...besides,
      new AccessMonitor(accessContext(procfs, rootfs, metrics.exported), options.telemetry),
    ],
    namespaces,
    perProcess: [...measuring.perProcess, ...besides],
  };
}

/** What the log collector needs of either kind of target. */
export const targetLogOptions = ({
  settings,
  sink,
  evidence,
  store,
}: TargetOptions): Pick<LogOptions, 'sink' | 'positions' | 'firstSight' | 'onRemoved'> => ({
  sink,
  positions: new LogPositionStore(store),
  onRemoved: ({ id }) => evidence.forget(id),
  firstSight: settings.firstSight(),
});

/** Deletes what the store has of containers that were removed while the agent was down. */
export function deleteRemoved(store: TextStore, exists: (id: string) => boolean): void {
  for (const prefix of ['logs/', 'namespaces/'])
    for (const id of [...store.idsUnder(prefix)]) if (!exists(id)) store.delete(prefix + id);
}

/** Resource attributes that are off by default; none for a container that does not run. */
export function optionalAttributes(
  { pid, ...container }: Container,
  { settings: { procfs, containerAttributes: wanted }, telemetry }: TargetOptions,
): Attributes {
  if (pid === 0 || wanted.length === 0) return {};
  try {
    assertContainerProcess(procfs, pid, container.id);
    return {
      ...(wanted.includes('namespaces') ? namespaceAttributes(readVisibleNamespaces(procfs, pid)) : {}),
      ...(wanted.includes('security')
        ? confinementAttributes(readConfinement(procfs, pid), { pid, ...container })
        : {}),
    };
  } catch (error) {
    // Without the privilege to read them, the container is reported without these attributes.
    if (!isGone(error) && !isDenied(error)) telemetry.reportError('docker', error, container.name);
    return {};
  }
}
