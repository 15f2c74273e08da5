/** What is kept for whoever looks: the containers with the last hour of their figures, logs, events and alerts. */
import type { MetricSet } from '../../collectors/records/points.ts';
import type { Container } from '../../collectors/records/records.ts';
import { extractRecords } from '../otlp/wire/split.ts';
import type { AlertBatch, LogBatch, MetricBatch } from '../shared/batch.ts';
import { AlertStore } from './alert-store.ts';
import type { ContainerSummary, EventEntry } from './api.ts';
import { EventStore } from './event-store.ts';
import { LogStore } from './log-store.ts';
import { summarizeContainer } from './summary.ts';
import { ContainerUsage, HostUsage } from './usage.ts';
import { HOUR_MS, stepFor } from './usage-history.ts';

/** Containers that exist no more and are still shown, for an hour at most. */
export const MAX_REMOVED_CONTAINERS = 50;

/** How long after one another is expected, ms. */
const GLANCED_MS = 5000;

/** A container that is shown. */
export interface TrackedContainer {
  readonly container: Container;
  /** Undefined of one that has not run while we looked. */
  figures: ContainerUsage | undefined;
  /** What was measured last. */
  set: MetricSet | undefined;
  /** ms since the epoch; undefined while it exists. */
  removedAt: number | undefined;
  /** What was told of it last, for whether there is anything new. */
  signature: string;
}

/** Told of what is new; called synchronously, so that nothing is kept for nobody. */
export interface StoreListener {
  latestUsage(time: number): void;
  container(subject: TrackedContainer): void;
  forgotten(id: string): void;
  event(entry: EventEntry): void;
  alerts(): void;
  /** @param records encoded `log_records` fields, valid during the call */
  lines(id: string, records: Buffer, count: number): void;
}

function signatureOf({ container, removedAt }: TrackedContainer): string {
  const { name, image, status, health, restarts, startedAt, finishedAt, exitCode } = container;
  return [name, image, status, health, restarts, startedAt, finishedAt, exitCode, removedAt].join('\0');
}

export class DashboardStore {
  readonly subjects = new Map<string, TrackedContainer>();
  readonly host: HostUsage;
  /** What was measured last of the host. */
  hostSet: MetricSet | undefined;
  readonly logs: LogStore;
  readonly events = new EventStore();
  readonly alerts = new AlertStore();
  /** ms */
  readonly step: number;
  /** When somebody's glance was served last, ms since the epoch. */
  private glancedAt = 0;
  private readonly inventory: () => ReadonlyMap<string, Container>;
  private readonly watcher: StoreListener;

  constructor(options: {
    /** Time between two rounds, ms. */
    readonly interval: number;
    readonly inventory: () => ReadonlyMap<string, Container>;
    readonly storeListener: StoreListener;
    /** Told of log records that are too large to be kept. */
    readonly onDropped: (records: number) => void;
  }) {
    this.step = stepFor(options.interval);
    this.host = new HostUsage(this.step);
    this.inventory = options.inventory;
    this.watcher = options.storeListener;
    this.logs = new LogStore(options.onDropped);
  }

  addMetrics({ sets, isLast }: MetricBatch): void {
    // Glances between the rounds have rates of their own.
    const hasGlances = Date.now() - this.glancedAt < GLANCED_MS;
    for (const set of sets) {
      if (set.container === undefined) {
        if (set.isRemote) continue;
        this.hostSet = set;
      } else this.subject(set.container).set = set;
      if (!hasGlances) this.figures(set);
    }
    if (!isLast) return;
    this.syncInventory();
    if (!hasGlances) this.watcher.latestUsage(Date.now());
  }

  /** Figures between two rounds, for whoever looks on. */
  addLiveSample(sets: readonly MetricSet[]): void {
    this.glancedAt = Date.now();
    for (const set of sets) this.figures(set);
    this.watcher.latestUsage(this.glancedAt);
  }

  addLogs({ resource, otlp, count }: LogBatch): void {
    const id = String(resource.attributes['container.id'] ?? '');
    const records = extractRecords(otlp);
    this.logs.add(id, records, Date.now());
    this.watcher.lines(id, records, count);
  }

  addEvent({ resource, otlp }: LogBatch): void {
    const { 'container.id': id, 'container.name': name } = resource.attributes;
    const container = typeof id === 'string' ? { id, name: String(name ?? id.slice(0, 12)) } : null;
    const entry = this.events.add(container, extractRecords(otlp));
    if (entry !== undefined) this.watcher.event(entry);
  }

  updateAlerts(batch: AlertBatch): void {
    if (this.alerts.update(batch, Date.now())) this.watcher.alerts();
  }

  /** Compares what is shown with the containers that there are. */
  syncInventory(): void {
    const now = Date.now();
    const inventory = this.inventory();
    for (const container of inventory.values()) this.subject(container);
    const removed: TrackedContainer[] = [];
    for (const [id, subject] of this.subjects) {
      if (inventory.has(id)) subject.removedAt = undefined;
      else {
        subject.removedAt ??= now;
        removed.push(subject);
      }
      const signature = signatureOf(subject);
      if (signature === subject.signature) continue;
      subject.signature = signature;
      this.watcher.container(subject);
    }
    removed.sort((a, b) => b.removedAt! - a.removedAt!);
    removed.forEach(({ container, removedAt }, index) => {
      if (index < MAX_REMOVED_CONTAINERS && now - removedAt! < HOUR_MS) return;
      this.subjects.delete(container.id);
      this.logs.remove(container.id);
      this.watcher.forgotten(container.id);
    });
  }

  /** By id, an unambiguous beginning of it, or name; those that exist go before those that did. */
  find(what: string): TrackedContainer | undefined {
    const found = this.known(what);
    if (found !== undefined) return found;
    this.syncInventory();
    return this.known(what);
  }

  private known(what: string): TrackedContainer | undefined {
    const exact = this.subjects.get(what);
    if (exact !== undefined) return exact;
    const fitting = (fits: (container: Container) => boolean) =>
      [...this.subjects.values()]
        .filter(({ container }) => fits(container))
        .sort((a, b) => Number(a.removedAt ?? 0) - Number(b.removedAt ?? 0));
    const [named] = fitting(({ name }) => name === what);
    if (named !== undefined) return named;
    const begun = what === '' ? [] : fitting(({ id }) => id.startsWith(what));
    return begun.length === 1 ? begun[0] : undefined;
  }

  summary({ container, figures, removedAt }: TrackedContainer): ContainerSummary {
    return summarizeContainer(
      container,
      figures?.latest,
      removedAt !== undefined,
      this.alerts.marksOf(container.id),
    );
  }

  private figures(set: MetricSet): void {
    if (set.container === undefined) this.host.update(set);
    else if (ContainerUsage.hasUsage(set)) {
      const subject = this.subject(set.container);
      subject.figures ??= new ContainerUsage(this.step);
      subject.figures.update(set);
    }
  }

  private subject(container: Container): TrackedContainer {
    let subject = this.subjects.get(container.id);
    // The object is another where a container was found again that had been taken for gone.
    if (subject === undefined || subject.container !== container) {
      subject = {
        container,
        figures: subject?.figures,
        set: subject?.set,
        removedAt: undefined,
        signature: '',
      };
      this.subjects.set(container.id, subject);
    }
    return subject;
  }
}
