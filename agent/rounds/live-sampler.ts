/**
 * Figures every two seconds for whoever looks on, between the rounds that are exported. It has collectors of its own:
 * rates and turns of the rounds' collectors are theirs, and stay as they are whether somebody looks or not.
 */

import type { CatalogueEntry } from '../../collectors/catalogue/entry.ts';
import { catalogue } from '../../collectors/catalogue/index.ts';
import { CgroupCollector } from '../../collectors/cgroup/index.ts';
import { HostCollector } from '../../collectors/host/index.ts';
import { NetworkCollector } from '../../collectors/network.ts';
import type { Collector } from '../../collectors/records/collector.ts';
import type { MetricSet } from '../../collectors/records/points.ts';
import type { Container, Metric, Resource, UnixNano } from '../../collectors/records/records.ts';
import type { KernelFiles } from '../../collectors/shared/kernel-file.ts';
import type { Telemetry } from '../../exporters/shared/telemetry.ts';
import { Round } from './round.ts';

export const LIVE_INTERVAL_MS = 2000;

/** What is shown of a container at a glance. */
export const LIVE_METRICS: ReadonlySet<Metric> = new Set([
  catalogue.cpuUsage,
  catalogue.cpuLimit,
  catalogue.cpuPeriods,
  catalogue.cpuThrottledPeriods,
  catalogue.memoryUsage,
  catalogue.memoryWorkingSet,
  catalogue.memoryLimit,
  catalogue.pidsCount,
  catalogue.pidsLimit,
  catalogue.diskIo,
  catalogue.networkIo,
]);

export interface LiveSamplerOptions {
  readonly procfs: string;
  readonly rootfs: string;
  readonly files: KernelFiles;
  /** The metrics that are collected at all. */
  readonly rows: readonly CatalogueEntry[];
  readonly telemetry: Telemetry;
  readonly bootTime: UnixNano;
  /** What is told of the host too; undefined for nothing. */
  readonly host: Resource | undefined;
  readonly containers: () => Iterable<Container>;
  readonly isWatched: () => boolean;
  readonly onSample: (sets: readonly MetricSet[]) => void;
}

interface Sampling {
  readonly collectors: readonly Collector[];
  readonly round: Round;
  readonly timer: NodeJS.Timeout;
}

export class LiveSampler implements Collector {
  /** A value of the exported attribute `collector`. */
  readonly name = 'glance';
  private readonly options: LiveSamplerOptions;
  /** Undefined while nobody looks: it holds no file open then. */
  private sampling: Sampling | undefined;
  private isBusy = false;

  constructor(options: LiveSamplerOptions) {
    this.options = options;
  }

  /** Somebody looks on. */
  start(): void {
    if (this.sampling !== undefined) return;
    const { procfs, rootfs, files, rows, telemetry, bootTime: begun, containers, host } = this.options;
    const shown = rows.filter((row) => LIVE_METRICS.has(row));
    const enabled = new Set<Metric>([...shown, ...rows.filter(({ name }) => name.startsWith('system.'))]);
    const collectors = [
      new CgroupCollector(procfs, shown, files),
      new NetworkCollector(procfs, enabled, files),
      ...(host === undefined ? [] : [new HostCollector(procfs, rootfs, files)]),
    ];
    const round = new Round(collectors, enabled, telemetry, begun);
    const timer = setInterval(() => void this.sample(), LIVE_INTERVAL_MS);
    this.sampling = { collectors, round, timer };
    for (const container of containers()) this.attachContainer(container);
    // Rates are of two looks: nothing is told of the first.
    void this.collectSets(this.sampling);
  }

  attachContainer(container: Container): void {
    if (container.pid === 0) return;
    for (const collector of this.sampling?.collectors ?? []) {
      try {
        void collector.attachContainer?.(container);
      } catch {
        // It has ended, or may not be looked at: the collectors of the rounds tell why.
      }
    }
  }

  updateContainer(container: Container): void {
    for (const collector of this.sampling?.collectors ?? []) collector.updateContainer?.(container);
  }

  detachContainer(container: Container): void {
    for (const collector of this.sampling?.collectors ?? []) void collector.detachContainer?.(container);
  }

  close(): void {
    if (this.sampling === undefined) return;
    clearInterval(this.sampling.timer);
    for (const collector of this.sampling.collectors) void collector.close?.();
    this.sampling = undefined;
  }

  private async sample(): Promise<void> {
    const { sampling: looking } = this;
    if (looking === undefined || this.isBusy) return;
    if (!this.options.isWatched()) {
      this.close();
      return;
    }
    const sets = await this.collectSets(looking);
    if (this.sampling === looking) this.options.onSample(sets);
  }

  private async collectSets({ round }: Sampling): Promise<MetricSet[]> {
    const { containers, host, telemetry } = this.options;
    this.isBusy = true;
    try {
      return await round.collect(
        [...containers()].filter(({ pid }) => pid !== 0),
        host,
      );
    } catch (error) {
      telemetry.reportError(this.name, error);
      return [];
    } finally {
      this.isBusy = false;
    }
  }
}
