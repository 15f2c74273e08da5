/** What observes containers, a daemon's or those that the kernel shows, and what both have in common. */

import type { CatalogueEntry } from '../../collectors/catalogue/entry.ts';
import { catalogue, metrics } from '../../collectors/catalogue/index.ts';
import { CgroupCollector } from '../../collectors/cgroup/index.ts';
import type { LayeredImage } from '../../collectors/docker/layers.ts';
import type { ImageSummary } from '../../collectors/docker/objects/docker-object.ts';
import type { DaemonEndpoint } from '../../collectors/engine/daemon-endpoint.ts';
import type { ExitEvidence } from '../../collectors/lifecycle/exit-classifier.ts';
import type { FirstSight, LogOptions } from '../../collectors/logs/index.ts';
import { LogPositionStore } from '../../collectors/logs/position-store.ts';
import { confinementAttributes, readConfinement } from '../../collectors/namespaces/confinement.ts';
import { NamespaceCollector, namespaceAttributes } from '../../collectors/namespaces/index.ts';
import { NetworkCollector } from '../../collectors/network/index.ts';
import { ProcessCollector } from '../../collectors/processes/index.ts';
import type { Collector, TextStore } from '../../collectors/records/collector.ts';
import type { MetricSet } from '../../collectors/records/points.ts';
import type { Attributes, Container, Metric, Resource } from '../../collectors/records/records.ts';
import { assertContainerProcess } from '../../collectors/shared/cgroup-location.ts';
import { isDenied, isGone, type KernelFiles } from '../../collectors/shared/kernel-file.ts';
import { readVisibleNamespaces } from '../../collectors/shared/namespaces.ts';
import { parseLast } from '../../config/log-options.ts';
import type { Config } from '../../config/schema.ts';
import type { Telemetry } from '../../exporters/shared/telemetry.ts';
import type { LogDropCounters } from '../logs/drop-counters.ts';
import type { Pipeline } from '../pipeline/pipeline.ts';

/** What is measured, for all the same. */
export interface MetricSelection {
  /** The metrics that are sent. */
  readonly rows: readonly CatalogueEntry[];
  /** Those besides that only rules look at, and in every so manieth round. */
  readonly ruleOnly: ReadonlySet<Metric>;
  readonly ruleOnlyEvery: number;
}

export interface TargetOptions {
  readonly endpoint: DaemonEndpoint;
  readonly config: Config;
  readonly telemetry: Telemetry;
  readonly pipeline: Pipeline;
  /** Its own. */
  readonly store: TextStore;
  readonly evidence: ExitEvidence & { forget(id: string): void };
  readonly losses: LogDropCounters;
  readonly files: KernelFiles;
  readonly measures: MetricSelection;
  /** `host.*` and `os.*` of this host, and what the user wants every record to bear. */
  readonly hostAttributes: Attributes;
  readonly configuredAttributes: Attributes;
  /** Of records that are about the host and no container. */
  readonly agentAttributes: Attributes;
  /** What else is told of containers of this host. @param host what is told of the host too; undefined for nothing */
  readonly liveSamplers: (observed: Target, host: Resource | undefined) => readonly Collector[];
}

export interface Target {
  /** `docker.daemon.name`; undefined for the one that needs none. */
  readonly name: string | undefined;
  readonly endpoint: DaemonEndpoint;
  /** Whether what happens is followed. */
  readonly connected: boolean;
  /** Whether it cannot be asked for figures that only it has. */
  readonly isUnreachable: boolean;
  /** Every container that exists and is observed, by id. */
  readonly containers: ReadonlyMap<string, Container>;
  /** What every record bears: where it is, and what the user wants. */
  readonly recordAttributes: Attributes;
  readonly namespaces: ReturnType<NamespaceCollector['memberships']>;
  /** Where its containers' processes are to be seen; undefined where they are not. */
  readonly procfs: string | undefined;
  /** The images that are shown; none where there is no daemon to have them. */
  images(): Promise<readonly ImageSummary[]>;
  image(id: string): Promise<LayeredImage | undefined>;
  /** Whether there is such a container, observed or not. */
  exists(id: string): boolean;
  /**
   * Begins to observe, and goes on until `stop`.
   * @param ready called once, when the containers that exist are known
   */
  start(ready: () => void): void;
  /** Asks for what the next round cannot read at once. */
  prepareRound(signal: AbortSignal): Promise<void>;
  collectRound(): Promise<MetricSet[]>;
  stop(): Promise<void>;
}

/** What is read of the metrics: those that are sent, and those that only rules look at. */
export function metricsToRead({ rows, ruleOnly: watched }: MetricSelection): {
  enabled: Set<Metric>;
  readRows: CatalogueEntry[];
} {
  const enabled = new Set<Metric>(rows);
  return { enabled, readRows: metrics.filter((row) => enabled.has(row) || watched.has(row)) };
}

/** What the kernel tells of each container. */
export function kernelCollectors(options: TargetOptions): {
  readonly namespaces: NamespaceCollector;
  readonly collectors: readonly Collector[];
} {
  const { config, pipeline, store, measures, files } = options;
  const { procfs } = config;
  const { enabled, readRows } = metricsToRead(measures);
  const read = new Set<Metric>(readRows);
  const namespaces = new NamespaceCollector({
    procfs,
    sink: pipeline,
    isMeasured: enabled.has(catalogue.namespace),
    runs: {
      load: (id) => store.load(`namespaces/${id}`),
      save: (id, startedAt) => store.save(`namespaces/${id}`, startedAt),
      forget: (id) => store.delete(`namespaces/${id}`),
    },
  });
  const cgroup = new CgroupCollector(procfs, readRows, files, {
    metrics: measures.ruleOnly,
    every: measures.ruleOnlyEvery,
  });
  const isStill = (container: Container) => cgroup.isStill(container);
  return {
    namespaces,
    collectors: [
      cgroup,
      // Behind that which tells what is still.
      new NetworkCollector(procfs, read, files, isStill),
      new ProcessCollector(procfs, read, measures.ruleOnlyEvery, isStill),
      namespaces,
    ],
  };
}

function firstSight(where: string): FirstSight {
  if (where === 'now') return 'now';
  const last = parseLast(where);
  return { sinceSeconds: last === undefined ? 0 : Math.floor((Date.now() - last) / 1000) };
}

/** How logs are followed, whoever tells of their containers. */
export function logOptions({
  config,
  pipeline,
  evidence,
  store,
}: TargetOptions): Pick<LogOptions, 'sink' | 'positions' | 'firstSight' | 'onRemoved'> {
  return {
    sink: pipeline,
    positions: new LogPositionStore(store),
    onRemoved: ({ id }) => evidence.forget(id),
    firstSight: firstSight(config.logs.first_sight),
  };
}

/** What is kept of containers that were removed while the agent was down is let go. */
export function deleteRemoved(store: TextStore, exists: (id: string) => boolean): void {
  for (const prefix of ['logs/', 'namespaces/'])
    for (const id of [...store.idsUnder(prefix)]) if (!exists(id)) store.delete(prefix + id);
}

/** Resource attributes that are off by default; absent for a container that does not run. */
export function optionalAttributes(
  { pid, ...container }: Container,
  { config, telemetry }: TargetOptions,
): Attributes {
  const { container_attributes: wanted, procfs } = config;
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
    // Without the privilege to look there, a container is still worth what else is known of it.
    if (!isGone(error) && !isDenied(error)) telemetry.reportError('docker', error, container.name);
    return {};
  }
}
