/**
 * The dashboard: the page (page/) and the API (api.ts) that the page and `portlight top` use. It keeps the last hour in
 * bounded memory, and prepares nothing while no viewer is connected.
 */

import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { MetricSet } from '../../collectors/records/points.ts';
import type { Routes } from '../server/route.ts';
import { staticFileRoutes } from '../server/static-files.ts';
import type { Batch } from '../shared/batch.ts';
import type { Exporter } from '../shared/exporter.ts';
import type { Telemetry } from '../shared/telemetry.ts';
import type { ContainerFigures } from './api.ts';
import { apiRoutes } from './api-routes.ts';
import type { DataSources } from './data-sources.ts';
import { EventStreams } from './event-stream.ts';
import { DashboardQueries } from './queries.ts';
import { DashboardStore, type StoreListener } from './store.ts';

/** Delays after an event at which containers are compared again, ms: the daemon reports some changes late. */
const SYNC_DELAYS_MS = [50, 500, 2000];
const CONNECTION_CHECK_MS = 1000;

/** Directory of the built page, as seen from dist/exporters/dashboard, or from the sources in a checkout. */
function pageDirectory(): string {
  const isPackage = import.meta.filename.endsWith('.js');
  return join(import.meta.dirname, isPackage ? '../../page' : '../../dist/page');
}

const NOT_BUILT =
  'The page is not built in this checkout. To build it, run "npm run build", then restart the agent.\n';

export class DashboardExporter implements Exporter {
  readonly name = 'dashboard';
  /** The API; it requires access (exporters/server/access.ts). */
  readonly routes: Routes;
  /** The files of the page; they contain no data, and are public. */
  readonly pageRoutes: Routes;
  private readonly store: DashboardStore;
  /** Called for each viewer that connects. */
  onViewerConnected: () => void = () => {};
  private readonly streams = new EventStreams(() => {
    this.watchConnection();
    this.onViewerConnected();
  });
  private readonly isConnected: () => boolean;
  private readonly pendingSyncs = new Map<number, NodeJS.Timeout>();
  /** Checks the connection to the daemon while a viewer is connected. */
  private connectionTimer: NodeJS.Timeout | undefined;

  /** @param interval time between two rounds of metrics, ms */
  constructor(sources: DataSources, interval: number, telemetry: Telemetry) {
    this.store = new DashboardStore({
      interval,
      inventory: () => sources.containers(),
      listener: this.storeListener(),
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
      queries: new DashboardQueries(store, sources, interval),
    });
    const directory = pageDirectory();
    this.pageRoutes = existsSync(join(directory, 'index.html'))
      ? staticFileRoutes(directory)
      : { '/': () => ({ status: 503, body: NOT_BUILT }) };
    this.isConnected = () => sources.isConnected();
  }

  get hasViewers(): boolean {
    return this.streams.count > 0;
  }

  /** Adds metrics that were measured between two rounds because a viewer is connected. */
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
    for (const timer of this.pendingSyncs.values()) clearTimeout(timer);
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
    }, CONNECTION_CHECK_MS).unref();
  }

  /** Any event may have changed a container. */
  private scheduleSync(): void {
    if (!this.hasViewers) return;
    for (const ms of SYNC_DELAYS_MS.filter((delay) => !this.pendingSyncs.has(delay))) {
      const timer = setTimeout(() => {
        this.pendingSyncs.delete(ms);
        this.store.containers.syncInventory();
      }, ms).unref();
      this.pendingSyncs.set(ms, timer);
    }
  }

  private storeListener(): StoreListener {
    const { streams } = this;
    return {
      onUsage: (time) =>
        streams.broadcast('figures', () => ({
          time,
          figures: this.latestUsage(),
          host: this.store.host.latest,
        })),
      onContainerChanged: (tracked) => streams.broadcast('container', () => this.store.summarize(tracked)),
      onContainerForgotten: (id) => streams.broadcast('forgotten', () => ({ id })),
      onEvent: (entry) => streams.broadcast('event', () => entry),
      onAlertsChanged: () =>
        streams.broadcast('alerts', () => ({ time: Date.now(), alerts: this.store.alerts.list() })),
      onLogLines: (id, records, count) => streams.sendLines(id, records, count),
    };
  }

  private latestUsage(): Record<string, ContainerFigures> {
    const all: Record<string, ContainerFigures> = {};
    for (const { container, usage, removedAt } of this.store.containers.values())
      if (usage !== undefined && container.pid !== 0 && removedAt === undefined)
        all[container.id] = usage.latest;
    return all;
  }
}
