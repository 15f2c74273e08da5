/**
 * The page that shows all of it (page/), and what it and `portlight top` ask for (api.ts). It keeps the last hour in
 * bounded memory, and does nothing more for it until somebody looks.
 */

import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { MetricSet } from '../../collectors/records/points.ts';
import type { Routes } from '../server/route.ts';
import { staticFileRoutes } from '../server/static-files.ts';
import type { Batch } from '../shared/batch.ts';
import type { Exporter } from '../shared/exporter.ts';
import type { Telemetry } from '../shared/telemetry.ts';
import type { Figures } from './api.ts';
import { apiRoutes } from './api-routes.ts';
import type { DataSources } from './data-sources.ts';
import { EventStreams } from './event-stream.ts';
import { DashboardQueries } from './queries.ts';
import { DashboardStore, type StoreListener } from './store.ts';

/** How long after an event its container is looked at again, ms: the daemon describes some things only later. */
const SYNC_DELAYS_MS = [50, 500, 2000];

/** Where the build puts the page: seen from dist/exporters/dashboard, and from the sources in a checkout. */
function builtPage(): string {
  const isPackage = import.meta.filename.endsWith('.js');
  return join(import.meta.dirname, isPackage ? '../../page' : '../../dist/page');
}

const NOT_BUILT = 'The page is not built in this checkout: run "npm run build", and start the agent again.\n';

export class DashboardExporter implements Exporter {
  readonly name = 'dashboard';
  /** What it answers; all but the files of the page is for those only who may look. */
  readonly routes: Routes;
  /** The page itself, which tells nothing. */
  readonly pageRoutes: Routes;
  private readonly store: DashboardStore;
  /** Called whenever somebody begins to look on. */
  onViewerConnected: () => void = () => {};
  private readonly streams = new EventStreams(() => {
    this.watchConnection();
    this.onViewerConnected();
  });
  private readonly isConnected: () => boolean;
  private readonly pendingSyncs = new Map<number, NodeJS.Timeout>();
  /** Looks whether the daemon is connected, while somebody looks on. */
  private connectionTimer: NodeJS.Timeout | undefined;

  /** @param interval time between two rounds of metrics, ms */
  constructor(sources: DataSources, interval: number, telemetry: Telemetry) {
    this.store = new DashboardStore({
      interval,
      inventory: () => sources.containers(),
      storeListener: this.watcher(),
      onDropped: (count) =>
        telemetry.count('portlight.records.dropped', count, {
          signal: 'logs',
          destination: this.name,
          reason: 'size',
        }),
    });
    const { store, streams } = this;
    this.routes = apiRoutes({
      store,
      sources,
      streams,
      answers: new DashboardQueries(store, sources, interval),
    });
    const directory = builtPage();
    this.pageRoutes = existsSync(join(directory, 'index.html'))
      ? staticFileRoutes(directory)
      : { '/': () => ({ status: 503, body: NOT_BUILT }) };
    this.isConnected = () => sources.isConnected();
  }

  /** Whether anybody looks on. */
  get hasViewers(): boolean {
    return this.streams.count > 0;
  }

  /** Figures between two rounds, for whoever looks on. */
  addLiveSample(sets: readonly MetricSet[]): void {
    this.store.addLiveSample(sets);
  }

  async export(batch: Batch): Promise<void> {
    if (batch.signal === 'metrics') this.store.addMetrics(batch);
    else if (batch.signal === 'alerts') this.store.updateAlerts(batch);
    else if (batch.signal === 'logs') {
      if (batch.kind === 'log') this.store.addLogs(batch);
      else {
        this.store.addEvent(batch);
        this.scheduleSync();
      }
    }
  }

  async shutdown(): Promise<void> {
    clearInterval(this.connectionTimer);
    for (const look of this.pendingSyncs.values()) clearTimeout(look);
    this.streams.close();
  }

  private watchConnection(): void {
    if (this.connectionTimer !== undefined) return;
    let connected = this.isConnected();
    this.connectionTimer = setInterval(() => {
      if (!this.hasViewers) {
        clearInterval(this.connectionTimer);
        this.connectionTimer = undefined;
        return;
      }
      if (connected === this.isConnected()) return;
      connected = !connected;
      this.streams.broadcast('daemon', () => ({ connected }));
    }, 1000).unref();
  }

  /** Whatever an event is about, it may have changed a container. */
  private scheduleSync(): void {
    if (!this.hasViewers) return;
    for (const ms of SYNC_DELAYS_MS.filter((each) => !this.pendingSyncs.has(each))) {
      const look = setTimeout(() => {
        this.pendingSyncs.delete(ms);
        this.store.syncInventory();
      }, ms).unref();
      this.pendingSyncs.set(ms, look);
    }
  }

  private watcher(): StoreListener {
    const { streams } = this;
    return {
      latestUsage: (time) =>
        streams.broadcast('figures', () => ({
          time,
          figures: this.figures(),
          host: this.store.host.latest,
        })),
      container: (subject) => streams.broadcast('container', () => this.store.summary(subject)),
      forgotten: (id) => streams.broadcast('forgotten', () => ({ id })),
      event: (entry) => streams.broadcast('event', () => entry),
      alerts: () => {
        streams.broadcast('alerts', () => ({ time: Date.now(), alerts: this.store.alerts.list() }));
      },
      lines: (id, records, count) => streams.sendLines(id, records, count),
    };
  }

  private figures(): Record<string, Figures> {
    const all: Record<string, Figures> = {};
    for (const [id, { container, figures, removedAt }] of this.store.subjects)
      if (figures !== undefined && container.pid !== 0 && removedAt === undefined) all[id] = figures.latest;
    return all;
  }
}
