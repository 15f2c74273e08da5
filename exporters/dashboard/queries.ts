/** Answers to API queries, from the store and the data sources. */

import { catalogue } from '../../collectors/catalogue/index.ts';
import type { MetricSet } from '../../collectors/records/points.ts';
import type { Attributes, AttributeValue } from '../../collectors/records/records.ts';
import { MAX_RESOLVED_ALERTS } from './alert-store.ts';
import type { Agent, ContainerDetails, Containers, Host, Images, Measured, SeriesAnswer } from './api.ts';
import { containerMetrics, hostMetrics } from './api.ts';
import { MAX_REMOVED_CONTAINERS, type TrackedContainer } from './container-table.ts';
import type { DataSources } from './data-sources.ts';
import { MAX_EVENT_BYTES, MAX_ROUTINE_BYTES } from './event-store.ts';
import { MAX_LOG_BYTES } from './log-store.ts';
import { compareNames, containerNamespaces, namespaceMap } from './namespaces.ts';
import type { DashboardStore } from './store.ts';
import { HISTORY_MS, UsageHistory } from './usage-history.ts';

const formatAttribute = (value: AttributeValue): string =>
  Array.isArray(value) ? value.join(', ') : String(value);

const formatAttributes = (attributes: Attributes): Record<string, string> =>
  Object.fromEntries(Object.entries(attributes).map(([key, value]) => [key, formatAttribute(value)]));

function measurementsOf(set: MetricSet | undefined): Measured[] {
  if (set === undefined) return [];
  return [...set.points]
    .filter(({ metric }) => !metric.dialectOnly)
    .map(({ metric: { name, unit }, attributes = {}, value }) => ({
      name,
      unit,
      attributes: formatAttributes(attributes),
      value,
    }));
}

export class DashboardQueries {
  private readonly store: DashboardStore;
  private readonly sources: DataSources;
  /** ms */
  private readonly interval: number;
  private readonly nameOf = (id: string): string =>
    this.store.containers.get(id)?.container.name ?? id.slice(0, 12);

  constructor(store: DashboardStore, sources: DataSources, interval: number) {
    this.store = store;
    this.sources = sources;
    this.interval = interval;
  }

  containers(): Containers {
    // A container that has just started is listed before it is measured.
    this.store.containers.syncInventory();
    return {
      time: Date.now(),
      interval: this.interval,
      containers: [...this.store.containers.values()]
        .map((tracked) => this.store.summarize(tracked))
        .sort(compareNames),
    };
  }

  container(tracked: TrackedContainer): ContainerDetails {
    const { container } = tracked;
    const imageId = container.resource.attributes['container.image.id'];
    return {
      ...this.store.summarize(tracked),
      imageId: typeof imageId === 'string' ? imageId : null,
      restartPolicy: container.restartPolicy,
      logDriver: container.logDriver,
      networkMode: container.networkMode,
      stopSignal: container.stopSignal,
      mounts: container.mounts,
      attributes: formatAttributes(container.resource.attributes),
      confinement: tracked.removedAt === undefined ? this.sources.confinement(container) : null,
      namespaces: containerNamespaces(container.id, this.sources.namespaces(), this.nameOf),
      measured: measurementsOf(tracked.metrics),
    };
  }

  /**
   * @param containers undefined for the host
   * @param metrics names; all by default
   */
  series(
    containers: readonly TrackedContainer[] | undefined,
    metrics: readonly string[],
    since: number,
  ): SeriesAnswer {
    const { step } = this.store;
    const names: readonly string[] = containers === undefined ? hostMetrics : containerMetrics;
    const selected = metrics.length === 0 ? names : names.filter((name) => metrics.includes(name));
    const now = Date.now();
    const first = Math.floor(Math.max(since, now - HISTORY_MS) / step);
    const end = Math.floor(now / step) + 1;
    const columnsOf = (history: UsageHistory | undefined) =>
      Object.fromEntries(
        selected.map((name) => [name, history?.column(names.indexOf(name), first, end) ?? []]),
      );
    const series =
      containers === undefined
        ? { '': columnsOf(this.store.host.history) }
        : Object.fromEntries(
            containers.map(({ container, usage }) => [container.id, columnsOf(usage?.history)]),
          );
    return { from: first * step, step, series };
  }

  namespaces() {
    return namespaceMap(this.sources.namespaces(), this.nameOf);
  }

  async images(): Promise<Images> {
    const users = new Map<string, { id: string; name: string }[]>();
    for (const { container } of this.store.containers.values()) {
      const id = String(container.resource.attributes['container.image.id'] ?? '');
      const known = users.get(id);
      const user = { id: container.id, name: container.name };
      if (known === undefined) users.set(id, [user]);
      else known.push(user);
    }
    const images = await this.sources.images();
    return { images: images.map((image) => ({ ...image, containers: users.get(image.id) ?? [] })) };
  }

  host(): Host {
    const { hostMetrics: metrics, host } = this.store;
    const filesystems = new Map<string, Host['filesystems'][number]>();
    for (const { metric, attributes = {}, value } of metrics?.points ?? []) {
      if (metric !== catalogue.systemFilesystemUsage) continue;
      const mountpoint = String(attributes['system.filesystem.mountpoint']);
      const known = filesystems.get(mountpoint);
      filesystems.set(mountpoint, {
        mountpoint,
        device: String(attributes['system.device']),
        type: String(attributes['system.filesystem.type']),
        used: (known?.used ?? 0) + (attributes['system.filesystem.state'] === 'used' ? value : 0),
        size: (known?.size ?? 0) + value,
      });
    }
    return {
      attributes: formatAttributes(this.sources.attributes),
      figures: host.latest,
      filesystems: [...filesystems.values()],
      measured: measurementsOf(metrics).filter(
        ({ name }) => name.startsWith('docker.') || name === 'system.pressure.time',
      ),
    };
  }

  agent(): Agent {
    const { user, system } = process.cpuUsage();
    const { logs, events, alerts, containers, step } = this.store;
    const measured = [...containers.values()].filter(({ usage }) => usage !== undefined).length;
    const removed = [...containers.values()].filter(({ removedAt }) => removedAt !== undefined).length;
    const historyBytes = UsageHistory.sizeOf(containerMetrics.length, step);
    return {
      status: this.sources.status(),
      collectors: this.sources.collectors(),
      rss: process.memoryUsage.rss(),
      cpuSeconds: (user + system) / 1e6,
      kept: [
        { what: 'log lines', used: logs.bytes, bound: MAX_LOG_BYTES, unit: 'By' },
        { what: 'events', used: events.bytes, bound: MAX_EVENT_BYTES + MAX_ROUTINE_BYTES, unit: 'By' },
        {
          what: 'usage history',
          used: measured * historyBytes,
          bound: Math.max(1, containers.size) * historyBytes,
          unit: 'By',
        },
        {
          what: 'alerts',
          used: alerts.count,
          bound: Math.max(alerts.count, MAX_RESOLVED_ALERTS),
          unit: '{alert}',
        },
        { what: 'removed containers', used: removed, bound: MAX_REMOVED_CONTAINERS, unit: '{container}' },
      ],
    };
  }
}
