/** What is kept for whoever looks: the containers with the last hour of their figures, logs, events and alerts. */
import type { MetricSet } from '../../collectors/records/points.ts';
import type { Container } from '../../collectors/records/records.ts';
import { extractRecords } from '../otlp/wire/split.ts';
import type { AlertBatch, LogBatch, MetricBatch } from '../shared/batch.ts';
import { AlertStore } from './alerts.ts';
import type { ContainerSummary, EventEntry } from './api.ts';
import { EventStore } from './events.ts';
import { ContainerFigures, HostFiguresKept } from './figures.ts';
import { HOUR_MS, stepOf } from './history.ts';
import { LogStore } from './logs.ts';
import { summaryOf } from './summary.ts';

/** Containers that exist no more and are still shown, for an hour at most. */
export const REMOVED = 50;

/** How long after one another is expected, ms. */
const GLANCED_MS = 5000;

/** A container that is shown. */
export interface Subject {
  readonly container: Container;
  /** Undefined of one that has not run while we looked. */
  figures: ContainerFigures | undefined;
  /** What was measured last. */
  set: MetricSet | undefined;
  /** ms since the epoch; undefined while it exists. */
  removedAt: number | undefined;
  /** What was told of it last, for whether there is anything new. */
  signature: string;
}

/** Told of what is new; called synchronously, so that nothing is kept for nobody. */
export interface Watcher {
  figures(time: number): void;
  container(subject: Subject): void;
  forgotten(id: string): void;
  event(entry: EventEntry): void;
  alerts(): void;
  /** @param records encoded `log_records` fields, valid during the call */
  lines(id: string, records: Buffer, count: number): void;
}

function signatureOf({ container, removedAt }: Subject): string {
  const { name, image, status, health, restarts, startedAt, finishedAt, exitCode } = container;
  return [name, image, status, health, restarts, startedAt, finishedAt, exitCode, removedAt].join('\0');
}

export class Store {
  readonly subjects = new Map<string, Subject>();
  readonly host: HostFiguresKept;
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
  private readonly watcher: Watcher;

  constructor(options: {
    /** Time between two rounds, ms. */
    readonly interval: number;
    readonly inventory: () => ReadonlyMap<string, Container>;
    readonly watcher: Watcher;
    /** Told of log records that are too large to be kept. */
    readonly onDropped: (records: number) => void;
  }) {
    this.step = stepOf(options.interval);
    this.host = new HostFiguresKept(this.step);
    this.inventory = options.inventory;
    this.watcher = options.watcher;
    this.logs = new LogStore(options.onDropped);
  }

  metrics({ sets, isLast }: MetricBatch): void {
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
    this.compare();
    if (!hasGlances) this.watcher.figures(Date.now());
  }

  /** Figures between two rounds, for whoever looks on. */
  glance(sets: readonly MetricSet[]): void {
    this.glancedAt = Date.now();
    for (const set of sets) this.figures(set);
    this.watcher.figures(this.glancedAt);
  }

  log({ resource, otlp, count }: LogBatch): void {
    const id = String(resource.attributes['container.id'] ?? '');
    const records = extractRecords(otlp);
    this.logs.add(id, records, Date.now());
    this.watcher.lines(id, records, count);
  }

  event({ resource, otlp }: LogBatch): void {
    const { 'container.id': id, 'container.name': name } = resource.attributes;
    const container = typeof id === 'string' ? { id, name: String(name ?? id.slice(0, 12)) } : null;
    const entry = this.events.add(container, extractRecords(otlp));
    if (entry !== undefined) this.watcher.event(entry);
  }

  alert(batch: AlertBatch): void {
    if (this.alerts.take(batch, Date.now())) this.watcher.alerts();
  }

  /** Compares what is shown with the containers that there are. */
  compare(): void {
    const now = Date.now();
    const inventory = this.inventory();
    for (const container of inventory.values()) this.subject(container);
    const removed: Subject[] = [];
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
      if (index < REMOVED && now - removedAt! < HOUR_MS) return;
      this.subjects.delete(container.id);
      this.logs.forget(container.id);
      this.watcher.forgotten(container.id);
    });
  }

  /** By id, an unambiguous beginning of it, or name; those that exist go before those that did. */
  find(what: string): Subject | undefined {
    const found = this.known(what);
    if (found !== undefined) return found;
    this.compare();
    return this.known(what);
  }

  private known(what: string): Subject | undefined {
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

  summary({ container, figures, removedAt }: Subject): ContainerSummary {
    return summaryOf(container, figures?.latest, removedAt !== undefined, this.alerts.of(container.id));
  }

  private figures(set: MetricSet): void {
    if (set.container === undefined) this.host.take(set);
    else if (ContainerFigures.isIn(set)) {
      const subject = this.subject(set.container);
      subject.figures ??= new ContainerFigures(this.step);
      subject.figures.take(set);
    }
  }

  private subject(container: Container): Subject {
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
