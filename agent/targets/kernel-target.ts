/** Containers that are observed without a daemon: their collectors, wired, and their part of each round. */

import type { DaemonEndpoint } from '../../collectors/engine/daemon-endpoint.ts';
import { DaemonFiles } from '../../collectors/kernel/daemon-files.ts';
import { KernelCollector } from '../../collectors/kernel/index.ts';
import { ownContainer } from '../../collectors/kernel/process-table.ts';
import { LogCollector } from '../../collectors/logs/index.ts';
import type { NamespaceCollector } from '../../collectors/namespaces/index.ts';
import type { Collector } from '../../collectors/records/collector.ts';
import type { MetricSet } from '../../collectors/records/points.ts';
import type { Attributes, Container } from '../../collectors/records/records.ts';
import { compileContainerFilter } from '../../collectors/shared/container-filter.ts';
import { compileWildcards } from '../../collectors/shared/wildcard.ts';
import { StateCollector } from '../../collectors/state.ts';
import { Round } from '../rounds/round.ts';
import { AccessMonitor, accessContext } from './access-checks.ts';
import { CollectorDispatcher } from './collector-dispatcher.ts';
import {
  deleteRemoved,
  kernelCollectors,
  logOptions,
  metricsToRead,
  optionalAttributes,
  type Target,
  type TargetOptions,
} from './target.ts';

export class KernelTarget implements Target {
  readonly name = undefined;
  readonly endpoint: DaemonEndpoint;
  readonly isUnreachable = false;
  readonly recordAttributes: Attributes;
  readonly procfs: string;
  private readonly options: TargetOptions;
  private readonly kernel: KernelCollector;
  private readonly namespaceCollector: NamespaceCollector;
  private readonly collectors: readonly Collector[];
  private readonly round: Round;

  constructor(options: TargetOptions) {
    this.options = options;
    const { config, telemetry, pipeline, store, evidence, losses, measures } = options;
    const { procfs, rootfs, containers } = config;
    this.endpoint = options.endpoint;
    this.procfs = procfs;
    this.recordAttributes = { ...options.hostAttributes, ...options.configuredAttributes };
    const { enabled } = metricsToRead(measures);
    const { namespaces, collectors } = kernelCollectors(options);
    this.namespaceCollector = namespaces;
    this.collectors = [
      ...collectors,
      new AccessMonitor(accessContext(procfs, rootfs, enabled), telemetry),
      // The figures of the host are not its to tell: what it is for is what it sees the processes of.
      ...options.liveSamplers(this, undefined),
      new StateCollector(),
      losses,
      new LogCollector({ ...logOptions(options), docker: undefined, rootfs, ownId: ownContainer() }),
    ];
    if (!new DaemonFiles(rootfs).isReadable)
      telemetry.warn(
        `docker_host is none, and /var/lib/docker/containers is not readable below ${rootfs}: containers have no names and labels, ends no exit codes, and logs are not read`,
      );
    this.kernel = new KernelCollector({
      procfs,
      files: options.files,
      rootfs,
      surroundings: this.recordAttributes,
      isWantedLabel: compileWildcards(...config.container_labels),
      selects: compileContainerFilter(containers.include, containers.exclude),
      describe: (container) => optionalAttributes(container, options),
      sink: pipeline,
      store,
      evidence,
      command: undefined,
      lifecycle: new CollectorDispatcher(this.collectors, telemetry),
    });
    this.round = new Round(this.collectors, enabled, telemetry, 0n, measures.ruleOnly);
  }

  get connected(): boolean {
    return this.kernel.connected;
  }

  get containers(): ReadonlyMap<string, Container> {
    return this.kernel.containers;
  }

  get namespaces(): ReturnType<NamespaceCollector['memberships']> {
    return this.namespaceCollector.memberships();
  }

  exists(id: string): boolean {
    return this.kernel.exists(id);
  }

  async images(): Promise<never[]> {
    return [];
  }

  async image(): Promise<undefined> {
    return undefined;
  }

  start(ready: () => void): void {
    this.kernel.start(() => {
      deleteRemoved(this.options.store, (id) => this.exists(id));
      if ([...this.containers.keys()].every((id) => id === ownContainer()))
        this.options.telemetry.warn(
          `docker_host is none, and in ${this.procfs} there is no process of another container yet: share a pid namespace with those that are to be observed (--pid container:<name>)`,
        );
      ready();
    });
  }

  async prepareRound(): Promise<void> {}

  collectRound(): Promise<MetricSet[]> {
    return this.connected ? this.round.collect(this.containers.values()) : Promise.resolve([]);
  }

  async stop(): Promise<void> {
    await this.kernel.stop();
    await Promise.all(this.collectors.map((collector) => collector.close?.()));
  }
}
