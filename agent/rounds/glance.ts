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

export const GLANCE_MS = 2000;

/** What is shown of a container at a glance. */
export const GLANCED: ReadonlySet<Metric> = new Set([
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

export interface GlanceOptions {
  readonly procfs: string;
  readonly rootfs: string;
  readonly files: KernelFiles;
  /** The metrics that are collected at all. */
  readonly rows: readonly CatalogueEntry[];
  readonly telemetry: Telemetry;
  readonly begun: UnixNano;
  /** What is told of the host too; undefined for nothing. */
  readonly host: Resource | undefined;
  readonly containers: () => Iterable<Container>;
  readonly isWatched: () => boolean;
  readonly take: (sets: readonly MetricSet[]) => void;
}

interface Looking {
  readonly collectors: readonly Collector[];
  readonly round: Round;
  readonly timer: NodeJS.Timeout;
}

export class Glance implements Collector {
  readonly name = 'glance';
  private readonly options: GlanceOptions;
  /** Undefined while nobody looks: it holds no file open then. */
  private looking: Looking | undefined;
  private isBusy = false;

  constructor(options: GlanceOptions) {
    this.options = options;
  }

  /** Somebody looks on. */
  begin(): void {
    if (this.looking !== undefined) return;
    const { procfs, rootfs, files, rows, telemetry, begun, containers, host } = this.options;
    const shown = rows.filter((row) => GLANCED.has(row));
    const enabled = new Set<Metric>([...shown, ...rows.filter(({ name }) => name.startsWith('system.'))]);
    const collectors = [
      new CgroupCollector(procfs, shown, files),
      new NetworkCollector(procfs, enabled, files),
      ...(host === undefined ? [] : [new HostCollector(procfs, rootfs, files)]),
    ];
    const round = new Round(collectors, enabled, telemetry, begun);
    const timer = setInterval(() => void this.look(), GLANCE_MS);
    this.looking = { collectors, round, timer };
    for (const container of containers()) this.attachContainer(container);
    // Rates are of two looks: nothing is told of the first.
    void this.collectSets(this.looking);
  }

  attachContainer(container: Container): void {
    if (container.pid === 0) return;
    for (const collector of this.looking?.collectors ?? []) {
      try {
        void collector.attachContainer?.(container);
      } catch {
        // It has ended, or may not be looked at: the collectors of the rounds tell why.
      }
    }
  }

  updateContainer(container: Container): void {
    for (const collector of this.looking?.collectors ?? []) collector.updateContainer?.(container);
  }

  detachContainer(container: Container): void {
    for (const collector of this.looking?.collectors ?? []) void collector.detachContainer?.(container);
  }

  close(): void {
    if (this.looking === undefined) return;
    clearInterval(this.looking.timer);
    for (const collector of this.looking.collectors) void collector.close?.();
    this.looking = undefined;
  }

  private async look(): Promise<void> {
    const { looking } = this;
    if (looking === undefined || this.isBusy) return;
    if (!this.options.isWatched()) {
      this.close();
      return;
    }
    const sets = await this.collectSets(looking);
    if (this.looking === looking) this.options.take(sets);
  }

  private async collectSets({ round }: Looking): Promise<MetricSet[]> {
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
