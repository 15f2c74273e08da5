/** What the dashboard keeps in memory: containers with the last hour of their usage, logs, events and alerts. */
import type { MetricSet } from '../../collectors/records/points.ts';
import type { Container } from '../../collectors/records/records.ts';
import { extractRecords } from '../otlp/wire/split.ts';
import type { AlertBatch, LogBatch, MetricBatch } from '../shared/batch.ts';
import { AlertStore } from './alert-store.ts';
import type { ContainerSummary, EventEntry } from './api.ts';
import { ContainerTable, type TrackedContainer } from './container-table.ts';
import { EventStore } from './event-store.ts';
import { LogStore } from './log-store.ts';
import { summarizeContainer } from './summary.ts';
import { ContainerUsage, HostUsage } from './usage.ts';
import { stepFor } from './usage-history.ts';

/** How long a live sample stands in for the rounds, ms. */
const LIVE_SAMPLE_MS = 5000;

/** Notified of every change. Calls are synchronous, so nothing is queued while no one listens. */
export interface StoreListener {
  /** @param time ms since the epoch */
  onUsage(time: number): void;
  onContainerChanged(tracked: TrackedContainer): void;
  onContainerForgotten(id: string): void;
  onEvent(entry: EventEntry): void;
  onAlertsChanged(): void;
  /** @param records encoded `log_records` fields, valid during the call */
  onLogLines(id: string, records: Buffer, count: number): void;
}

export class DashboardStore {
  readonly containers: ContainerTable;
  readonly host: HostUsage;
  /** Latest metrics of the host. */
  hostMetrics: MetricSet | undefined;
  readonly logs: LogStore;
  readonly events = new EventStore();
  readonly alerts = new AlertStore();
  /** Length of a step of the charts, ms. */
  readonly step: number;
  /** When the last live sample arrived, ms since the epoch. */
  private liveSampleAt = 0;
  private readonly listener: StoreListener;

  constructor(options: {
    /** Time between two rounds, ms. */
    readonly interval: number;
    readonly inventory: () => ReadonlyMap<string, Container>;
    readonly listener: StoreListener;
    /** Called with the number of log records that are too large to be kept. */
    readonly onDropped: (records: number) => void;
  }) {
    this.step = stepFor(options.interval);
    this.host = new HostUsage(this.step);
    this.listener = options.listener;
    this.logs = new LogStore(options.onDropped);
    this.containers = new ContainerTable(options.inventory, {
      onChanged: (tracked) => this.listener.onContainerChanged(tracked),
      onForgotten: (id) => {
        this.logs.remove(id);
        this.listener.onContainerForgotten(id);
      },
    });
  }

  addMetrics({ sets, isLast }: MetricBatch): void {
    // Live samples are more frequent, and their rates would be wrong with a round in between.
    const hasLiveSamples = Date.now() - this.liveSampleAt < LIVE_SAMPLE_MS;
    for (const set of sets) {
      if (set.container === undefined) {
        if (set.isRemote) continue;
        this.hostMetrics = set;
      } else this.containers.track(set.container).metrics = set;
      if (!hasLiveSamples) this.updateUsage(set);
    }
    if (!isLast) return;
    this.containers.syncInventory();
    if (!hasLiveSamples) this.listener.onUsage(Date.now());
  }

  /** Adds metrics that were measured between two rounds because a viewer is connected. */
  addLiveSample(sets: readonly MetricSet[]): void {
    this.liveSampleAt = Date.now();
    for (const set of sets) this.updateUsage(set);
    this.listener.onUsage(this.liveSampleAt);
  }

  addLogs({ resource, otlp, count }: LogBatch): void {
    const id = String(resource.attributes['container.id'] ?? '');
    const records = extractRecords(otlp);
    this.logs.add(id, records, Date.now());
    this.listener.onLogLines(id, records, count);
  }

  addEvent({ resource, otlp }: LogBatch): void {
    const { 'container.id': id, 'container.name': name } = resource.attributes;
    const container = typeof id === 'string' ? { id, name: String(name ?? id.slice(0, 12)) } : null;
    const entry = this.events.add(container, extractRecords(otlp));
    if (entry !== undefined) this.listener.onEvent(entry);
  }

  updateAlerts(batch: AlertBatch): void {
    if (this.alerts.update(batch, Date.now())) this.listener.onAlertsChanged();
  }

  summarize({ container, usage, removedAt }: TrackedContainer): ContainerSummary {
    return summarizeContainer(
      container,
      usage?.latest,
      removedAt !== undefined,
      this.alerts.marksOf(container.id),
    );
  }

  private updateUsage(set: MetricSet): void {
    if (set.container === undefined) this.host.update(set);
    else if (ContainerUsage.hasUsage(set)) {
      const tracked = this.containers.track(set.container);
      tracked.usage ??= new ContainerUsage(this.step);
      tracked.usage.update(set);
    }
  }
}
