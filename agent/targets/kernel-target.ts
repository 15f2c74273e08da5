/** Containers that are observed without a daemon: their collectors, and their part of each round. */

import type { DaemonEndpoint } from '../../collectors/engine/daemon-endpoint.ts';
import { DaemonFiles } from '../../collectors/kernel/daemon-files.ts';
import { KernelCollector } from '../../collectors/kernel/index.ts';
import { ownContainerIdFromCgroup } from '../../collectors/kernel/process-table.ts';
import { LogCollector } from '../../collectors/logs/index.ts';
import type { NamespaceCollector } from '../../collectors/namespaces/index.ts';
import type { Collector } from '../../collectors/records/collector.ts';
import type { MetricSet } from '../../collectors/records/points.ts';
import type { Attributes, Container } from '../../collectors/records/records.ts';
import { Round } from '../rounds/round.ts';
import { CollectorDispatcher } from './collector-dispatcher.ts';
import {
  deleteRemoved,
  localCollectors,
  optionalAttributes,
  type Target,
  type TargetOptions,
  targetLogOptions,
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
    const { settings, telemetry, sink, store, evidence, metrics } = options;
    const { procfs, rootfs } = settings;
    this.endpoint = options.endpoint;
    this.procfs = procfs;
    this.recordAttributes = { ...options.hostAttributes, ...options.configuredAttributes };
    // Without a daemon the agent observes what shares its /proc, not the host.
    const { collectors, namespaces } = localCollectors(options, () => this.containers.values(), undefined);
    this.namespaceCollector = namespaces;
    this.collectors = [
      ...collectors,
      ...options.sharedCollectors,
      new LogCollector({
        ...targetLogOptions(options),
        docker: undefined,
        rootfs,
        ownId: ownContainerIdFromCgroup(),
      }),
    ];
    if (!new DaemonFiles(rootfs).isReadable)
      telemetry.warn(
        `docker_host is none, and /var/lib/docker/containers cannot be read below ${rootfs}: containers have no names and labels, exits have no exit codes, and logs are not read`,
      );
    this.kernel = new KernelCollector({
      procfs,
      files: options.files,
      rootfs,
      surroundings: this.recordAttributes,
      isWantedLabel: settings.isWantedLabel,
      selects: settings.isSelected,
      optionalAttributes: (container) => optionalAttributes(container, options),
      sink,
      store,
      evidence,
      redactCommand: undefined,
      lifecycle: new CollectorDispatcher(this.collectors, telemetry),
    });
    this.round = new Round(this.collectors, metrics.exported, telemetry, 0n, metrics.ruleOnly);
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
      if ([...this.containers.keys()].every((id) => id === ownContainerIdFromCgroup()))
        this.options.telemetry.warn(
          `docker_host is none, and ${this.procfs} shows no process of another container yet. To fix: share the pid namespace of the containers to observe (--pid container:<name>)`,
        );
      ready();
    });
  }

  async prepareRound(): Promise<void> {}

  collectRound(): Promise<MetricSet[]> {
    return this.connected ? this.round.collect(this.containers.values()) : Promise.resolve([]);
  }

  async close(): Promise<void> {
    await this.kernel.close();
    await Promise.all(this.collectors.map((collector) => collector.close?.()));
  }
}
