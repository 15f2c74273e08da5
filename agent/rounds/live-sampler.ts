/**
 * Figures every two seconds while somebody watches the dashboard, between the rounds that are exported. It has its own
 * collectors: the rates and the reading schedule of the rounds' collectors do not depend on whether somebody watches.
 */

import type { CatalogueEntry } from '../../collectors/catalogue/entry.ts';
import { catalogue } from '../../collectors/catalogue/index.ts';
import { readBootTime } from '../../collectors/host/boot-time.ts';
import type { Collector } from '../../collectors/records/collector.ts';
import type { MetricSet } from '../../collectors/records/points.ts';
import type { Container, Metric, Resource, UnixNano } from '../../collectors/records/records.ts';
import type { KernelFiles } from '../../collectors/shared/kernel-file.ts';
import type { Telemetry } from '../../exporters/shared/telemetry.ts';
import { CollectorSet } from './collector-set.ts';
import { Round } from './round.ts';

export const LIVE_INTERVAL_MS = 2000;

/** The metrics of a container that are shown live. */
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

export interface LiveSamplersOptions {
  readonly procfs: string;
  readonly rootfs: string;
  readonly files: KernelFiles;
  /** The metrics that are collected at all. */
  readonly rows: readonly CatalogueEntry[];
  readonly telemetry: Telemetry;
  readonly isWatched: () => boolean;
  readonly onSample: (sets: readonly MetricSet[]) => void;
}

export interface LiveSamplerOptions extends LiveSamplersOptions {
  /** Start time of the host's counters. */
  readonly bootTime: UnixNano;
  /** The resource of the host's figures; undefined leaves the host out. */
  readonly host: Resource | undefined;
  readonly containers: () => Iterable<Container>;
}

interface Sampling {
  readonly set: CollectorSet;
  readonly round: Round;
  readonly timer: NodeJS.Timeout;
}

class LiveSampler implements Collector {
  /** A value of the exported attribute `collector`. */
  readonly name = 'glance';
  private readonly options: LiveSamplerOptions;
  /** Undefined while nobody watches: no file is open then. */
  private sampling: Sampling | undefined;
  private isBusy = false;

  constructor(options: LiveSamplerOptions) {
    this.options = options;
  }

  /** Samples until nobody watches any longer. Does nothing where it samples already. */
  start(): void {
    if (this.sampling !== undefined) return;
    const { procfs, rootfs, files, rows, telemetry, containers, host } = this.options;
    const metrics = new Set<Metric>(
      rows.filter((row) => LIVE_METRICS.has(row) || row.name.startsWith('system.')),
    );
    const set = new CollectorSet('live', { procfs, rootfs, files, metrics, withHost: host !== undefined });
    const round = new Round(set.collectors, metrics, telemetry, this.options.bootTime);
    const timer = setInterval(() => void this.sample(), LIVE_INTERVAL_MS);
    this.sampling = { set, round, timer };
    for (const container of containers()) this.attachContainer(container);
    // Rates need two samples: the first is not shown.
    void this.collectSets(this.sampling);
  }

  attachContainer(container: Container): void {
    if (container.pid === 0) return;
    // A container that has ended, or may not be read: the collectors of the rounds report why.
    this.sampling?.set.attach(container, () => {});
  }

  updateContainer(container: Container): void {
    for (const collector of this.sampling?.set.collectors ?? []) collector.updateContainer?.(container);
  }

  detachContainer(container: Container): void {
    for (const collector of this.sampling?.set.collectors ?? []) void collector.detachContainer?.(container);
  }

  close(): void {
    if (this.sampling === undefined) return;
    clearInterval(this.sampling.timer);
    this.sampling.set.close();
    this.sampling = undefined;
  }

  private async sample(): Promise<void> {
    const { sampling } = this;
    if (sampling === undefined || this.isBusy) return;
    if (!this.options.isWatched()) {
      this.close();
      return;
    }
    const sets = await this.collectSets(sampling);
    if (this.sampling === sampling) this.options.onSample(sets);
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

/** One sampler for each target whose containers run here. */
export class LiveSamplers {
  private readonly options: LiveSamplersOptions;
  private readonly samplers: LiveSampler[] = [];

  constructor(options: LiveSamplersOptions) {
    this.options = options;
  }

  /** @param host the resource of the host's figures; undefined leaves the host out */
  create(containers: () => Iterable<Container>, host: Resource | undefined): LiveSampler {
    const { options } = this;
    const sampler = new LiveSampler({ ...options, containers, host, bootTime: readBootTime(options.procfs) });
    this.samplers.push(sampler);
    return sampler;
  }

  /** Called when somebody starts to watch. */
  start(): void {
    for (const sampler of this.samplers) sampler.start();
  }
}
