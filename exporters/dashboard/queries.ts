/** The answers to what is asked, from what is kept and what can be looked up. */

import { catalogue } from '../../collectors/catalogue/index.ts';
import type { MetricSet } from '../../collectors/records/points.ts';
import type { Attributes, AttributeValue } from '../../collectors/records/records.ts';
import { MAX_RESOLVED_ALERTS } from './alert-store.ts';
import type {
  Agent,
  ContainerDetails,
  ContainerNamespace,
  Containers,
  Host,
  Images,
  Measured,
  NamespaceMap,
  SeriesAnswer,
} from './api.ts';
import { containerMetrics, hostMetrics } from './api.ts';
import type { DataSources } from './data-sources.ts';
import { MAX_EVENT_BYTES, MAX_ROUTINE_BYTES } from './event-store.ts';
import { MAX_LOG_BYTES } from './log-store.ts';
import { type DashboardStore, MAX_REMOVED_CONTAINERS, type TrackedContainer } from './store.ts';
import { HOUR_MS, UsageHistory } from './usage-history.ts';

const text = (value: AttributeValue): string => (Array.isArray(value) ? value.join(', ') : String(value));

const texts = (attributes: Attributes): Record<string, string> =>
  Object.fromEntries(Object.entries(attributes).map(([key, value]) => [key, text(value)]));

function measurementsOf(set: MetricSet | undefined): Measured[] {
  if (set === undefined) return [];
  return [...set.points]
    .filter(({ metric }) => !metric.dialectOnly)
    .map(({ metric: { name, unit }, attributes = {}, value }) => ({
      name,
      unit,
      attributes: texts(attributes),
      value,
    }));
}

const byName = (a: { readonly name: string }, b: { readonly name: string }): number =>
  a.name < b.name ? -1 : 1;

export class DashboardQueries {
  private readonly store: DashboardStore;
  private readonly sources: DataSources;
  /** ms */
  private readonly interval: number;

  constructor(store: DashboardStore, sources: DataSources, interval: number) {
    this.store = store;
    this.sources = sources;
    this.interval = interval;
  }

  containers(): Containers {
    // One that was started just now is there, whether or not it was measured.
    this.store.syncInventory();
    return {
      time: Date.now(),
      interval: this.interval,
      containers: [...this.store.subjects.values()]
        .map((subject) => this.store.summary(subject))
        .sort(byName),
    };
  }

  container(subject: TrackedContainer): ContainerDetails {
    const { container } = subject;
    const imageId = container.resource.attributes['container.image.id'];
    return {
      ...this.store.summary(subject),
      imageId: typeof imageId === 'string' ? imageId : null,
      restartPolicy: container.restartPolicy,
      logDriver: container.logDriver,
      networkMode: container.networkMode,
      stopSignal: container.stopSignal,
      mounts: container.mounts,
      attributes: texts(container.resource.attributes),
      confinement: subject.removedAt === undefined ? this.sources.confinement(container) : null,
      namespaces: this.namespacesOf(container.id),
      measured: measurementsOf(subject.set),
    };
  }

  /**
   * @param subjects undefined for the host
   * @param metrics names; all by default
   */
  series(
    subjects: readonly TrackedContainer[] | undefined,
    metrics: readonly string[],
    since: number,
  ): SeriesAnswer {
    const { step } = this.store;
    const names: readonly string[] = subjects === undefined ? hostMetrics : containerMetrics;
    const wanted = metrics.length === 0 ? names : names.filter((name) => metrics.includes(name));
    const now = Date.now();
    const first = Math.floor(Math.max(since, now - HOUR_MS) / step);
    const behind = Math.floor(now / step) + 1;
    const columnsOf = (history: UsageHistory | undefined) =>
      Object.fromEntries(
        wanted.map((name) => [name, history?.column(names.indexOf(name), first, behind) ?? []]),
      );
    const series =
      subjects === undefined
        ? { '': columnsOf(this.store.host.history) }
        : Object.fromEntries(
            subjects.map(({ container, figures }) => [container.id, columnsOf(figures?.history)]),
          );
    return { from: first * step, step, series };
  }

  namespaces(): NamespaceMap {
    const members = new Map<string, { type: string; inode: number; isHost: boolean; members: Member[] }>();
    for (const [id, all] of this.sources.namespaces()) {
      const name = this.nameOf(id);
      for (const { type, inode, host } of all) {
        const key = `${type} ${inode}`;
        const entry = members.get(key) ?? { type, inode, isHost: host === true, members: [] };
        members.set(key, entry);
        entry.members.push({ id, name });
      }
    }
    const namespaces = [...members.values()];
    for (const entry of namespaces) entry.members.sort(byName);
    return { namespaces };
  }

  async images(): Promise<Images> {
    const users = new Map<string, Member[]>();
    for (const { container } of this.store.subjects.values()) {
      const id = String(container.resource.attributes['container.image.id'] ?? '');
      const known = users.get(id);
      const member = { id: container.id, name: container.name };
      if (known === undefined) users.set(id, [member]);
      else known.push(member);
    }
    const images = await this.sources.images();
    return { images: images.map((image) => ({ ...image, containers: users.get(image.id) ?? [] })) };
  }

  host(): Host {
    const { hostSet } = this.store;
    const all = measurementsOf(hostSet);
    const spaces = new Map<string, Host['filesystems'][number]>();
    for (const { metric, attributes = {}, value } of hostSet?.points ?? []) {
      if (metric !== catalogue.systemFilesystemUsage) continue;
      const mountpoint = String(attributes['system.filesystem.mountpoint']);
      const known = spaces.get(mountpoint);
      spaces.set(mountpoint, {
        mountpoint,
        device: String(attributes['system.device']),
        type: String(attributes['system.filesystem.type']),
        used: (known?.used ?? 0) + (attributes['system.filesystem.state'] === 'used' ? value : 0),
        size: (known?.size ?? 0) + value,
      });
    }
    return {
      attributes: texts(this.sources.attributes),
      figures: this.store.host.latest,
      filesystems: [...spaces.values()],
      measured: all.filter(({ name }) => name.startsWith('docker.') || name === 'system.pressure.time'),
    };
  }

  agent(): Agent {
    const { user, system } = process.cpuUsage();
    const { logs, events, alerts, subjects, step } = this.store;
    const rows = [...subjects.values()].filter(({ figures }) => figures !== undefined).length;
    const removed = [...subjects.values()].filter(({ removedAt }) => removedAt !== undefined).length;
    const size = UsageHistory.sizeOf(containerMetrics.length, step);
    return {
      status: this.sources.status(),
      collectors: this.sources.collectors(),
      rss: process.memoryUsage.rss(),
      cpuSeconds: (user + system) / 1e6,
      kept: [
        { what: 'log lines', used: logs.bytes, bound: MAX_LOG_BYTES, unit: 'By' },
        { what: 'events', used: events.bytes, bound: MAX_EVENT_BYTES + MAX_ROUTINE_BYTES, unit: 'By' },
        {
          what: 'figures of an hour',
          used: rows * size,
          bound: Math.max(1, subjects.size) * size,
          unit: 'By',
        },
        {
          what: 'alerts',
          used: alerts.count,
          bound: Math.max(alerts.count, MAX_RESOLVED_ALERTS),
          unit: '{alert}',
        },
        {
          what: 'containers that are gone',
          used: removed,
          bound: MAX_REMOVED_CONTAINERS,
          unit: '{container}',
        },
      ],
    };
  }

  private nameOf(id: string): string {
    return this.store.subjects.get(id)?.container.name ?? id.slice(0, 12);
  }

  private namespacesOf(id: string): ContainerNamespace[] {
    const all = this.sources.namespaces();
    return (all.get(id) ?? []).map(({ type, inode, host }) => {
      const sharedWith = [...all]
        .filter(
          ([other, theirs]) => other !== id && theirs.some((one) => one.type === type && one.inode === inode),
        )
        .map(([other]) => ({ id: other, name: this.nameOf(other) }))
        .sort(byName);
      const relation = host ? 'host' : sharedWith.length > 0 ? 'shared' : 'private';
      return { type, inode, relation, sharedWith };
    });
  }
}

type Member = { readonly id: string; readonly name: string };
