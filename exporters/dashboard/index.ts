/**
 * The page that shows all of it (page/), and what it and `portlight top` ask for (api.ts). It keeps the last hour in
 * bounded memory, and does nothing more for it until somebody looks.
 */

import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { MetricSet } from '../../collectors/records/points.ts';
import { filePages } from '../server/files.ts';
import type { Pages } from '../server/page.ts';
import type { Batch } from '../shared/batch.ts';
import type { Exporter } from '../shared/exporter.ts';
import type { Telemetry } from '../shared/telemetry.ts';
import { Answers } from './answers.ts';
import type { Figures } from './api.ts';
import { routes } from './routes.ts';
import type { Sources } from './sources.ts';
import { Store, type Watcher } from './store.ts';
import { Streams } from './stream.ts';

/** How long after an event its container is looked at again, ms: the daemon describes some things only later. */
const LOOKS_MS = [50, 500, 2000];

/** Where the build puts the page: seen from dist/exporters/dashboard, and from the sources in a checkout. */
function builtPage(): string {
  const isPackage = import.meta.filename.endsWith('.js');
  return join(import.meta.dirname, isPackage ? '../../page' : '../../dist/page');
}

const NOT_BUILT = 'The page is not built in this checkout: run "npm run build", and start the agent again.\n';

export class DashboardExporter implements Exporter {
  readonly name = 'dashboard';
  /** What it answers; all but the files of the page is for those only who may look. */
  readonly pages: Pages;
  /** The page itself, which tells nothing. */
  readonly files: Pages;
  private readonly store: Store;
  /** Called whenever somebody begins to look on. */
  onWatched: () => void = () => {};
  private readonly streams = new Streams(() => {
    this.followDaemon();
    this.onWatched();
  });
  private readonly isConnected: () => boolean;
  private readonly looks = new Map<number, NodeJS.Timeout>();
  /** Looks whether the daemon is connected, while somebody looks on. */
  private following: NodeJS.Timeout | undefined;

  /** @param interval time between two rounds of metrics, ms */
  constructor(sources: Sources, interval: number, telemetry: Telemetry) {
    this.store = new Store({
      interval,
      inventory: () => sources.containers(),
      watcher: this.watcher(),
      onDropped: (count) =>
        telemetry.count('portlight.records.dropped', count, {
          signal: 'logs',
          destination: this.name,
          reason: 'size',
        }),
    });
    const { store, streams } = this;
    this.pages = routes({ store, sources, streams, answers: new Answers(store, sources, interval) });
    const directory = builtPage();
    this.files = existsSync(join(directory, 'index.html'))
      ? filePages(directory)
      : { '/': () => ({ status: 503, body: NOT_BUILT }) };
    this.isConnected = () => sources.isConnected();
  }

  /** Whether anybody looks on. */
  get isWatched(): boolean {
    return this.streams.count > 0;
  }

  /** Figures between two rounds, for whoever looks on. */
  glance(sets: readonly MetricSet[]): void {
    this.store.glance(sets);
  }

  async export(batch: Batch): Promise<void> {
    if (batch.signal === 'metrics') this.store.metrics(batch);
    else if (batch.signal === 'alerts') this.store.alert(batch);
    else if (batch.signal === 'logs') {
      if (batch.kind === 'log') this.store.log(batch);
      else {
        this.store.event(batch);
        this.lookSoon();
      }
    }
  }

  async shutdown(): Promise<void> {
    clearInterval(this.following);
    for (const look of this.looks.values()) clearTimeout(look);
    this.streams.stop();
  }

  private followDaemon(): void {
    if (this.following !== undefined) return;
    let connected = this.isConnected();
    this.following = setInterval(() => {
      if (!this.isWatched) {
        clearInterval(this.following);
        this.following = undefined;
        return;
      }
      if (connected === this.isConnected()) return;
      connected = !connected;
      this.streams.send('daemon', () => ({ connected }));
    }, 1000).unref();
  }

  /** Whatever an event is about, it may have changed a container. */
  private lookSoon(): void {
    if (!this.isWatched) return;
    for (const ms of LOOKS_MS.filter((each) => !this.looks.has(each))) {
      const look = setTimeout(() => {
        this.looks.delete(ms);
        this.store.compare();
      }, ms).unref();
      this.looks.set(ms, look);
    }
  }

  private watcher(): Watcher {
    const { streams } = this;
    return {
      figures: (time) =>
        streams.send('figures', () => ({
          time,
          figures: this.figures(),
          host: this.store.host.latest,
        })),
      container: (subject) => streams.send('container', () => this.store.summary(subject)),
      forgotten: (id) => streams.send('forgotten', () => ({ id })),
      event: (entry) => streams.send('event', () => entry),
      alerts: () => {
        streams.send('alerts', () => ({ time: Date.now(), alerts: this.store.alerts.all() }));
      },
      lines: (id, records, count) => streams.lines(id, records, count),
    };
  }

  private figures(): Record<string, Figures> {
    const all: Record<string, Figures> = {};
    for (const [id, { container, figures, removedAt }] of this.store.subjects)
      if (figures !== undefined && container.pid !== 0 && removedAt === undefined) all[id] = figures.latest;
    return all;
  }
}
