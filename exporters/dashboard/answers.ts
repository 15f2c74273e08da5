/** The answers to what is asked, from what is kept and what can be looked up. */

import { catalogue } from '../../collectors/catalogue/index.ts';
import type { MetricSet } from '../../collectors/records/points.ts';
import type { Attributes, AttributeValue } from '../../collectors/records/records.ts';
import { RESOLVED } from './alerts.ts';
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
import { EVENT_BYTES, QUIET_BYTES } from './events.ts';
import { History, HOUR_MS } from './history.ts';
import { ALL_BYTES } from './logs.ts';
import type { Sources } from './sources.ts';
import { REMOVED, type Store, type Subject } from './store.ts';

const text = (value: AttributeValue): string => (Array.isArray(value) ? value.join(', ') : String(value));

const texts = (attributes: Attributes): Record<string, string> =>
  Object.fromEntries(Object.entries(attributes).map(([key, value]) => [key, text(value)]));

function measured(set: MetricSet | undefined): Measured[] {
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

export class Answers {
  private readonly store: Store;
  private readonly sources: Sources;
  /** ms */
  private readonly interval: number;

  constructor(store: Store, sources: Sources, interval: number) {
    this.store = store;
    this.sources = sources;
    this.interval = interval;
  }

  containers(): Containers {
    // One that was started just now is there, whether or not it was measured.
    this.store.compare();
    return {
      time: Date.now(),
      interval: this.interval,
      containers: [...this.store.subjects.values()]
        .map((subject) => this.store.summary(subject))
        .sort(byName),
    };
  }

  container(subject: Subject): ContainerDetails {
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
      measured: measured(subject.set),
    };
  }

  /**
   * @param subjects undefined for the host
   * @param metrics names; all by default
   */
  series(subjects: readonly Subject[] | undefined, metrics: readonly string[], since: number): SeriesAnswer {
    const { step } = this.store;
    const names: readonly string[] = subjects === undefined ? hostMetrics : containerMetrics;
    const wanted = metrics.length === 0 ? names : names.filter((name) => metrics.includes(name));
    const now = Date.now();
    const first = Math.floor(Math.max(since, now - HOUR_MS) / step);
    const behind = Math.floor(now / step) + 1;
    const columnsOf = (history: History | undefined) =>
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
    const all = measured(hostSet);
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
    const size = History.sizeOf(containerMetrics.length, step);
    return {
      status: this.sources.status(),
      collectors: this.sources.collectors(),
      rss: process.memoryUsage.rss(),
      cpuSeconds: (user + system) / 1e6,
      kept: [
        { what: 'log lines', used: logs.bytes, bound: ALL_BYTES, unit: 'By' },
        { what: 'events', used: events.bytes, bound: EVENT_BYTES + QUIET_BYTES, unit: 'By' },
        {
          what: 'figures of an hour',
          used: rows * size,
          bound: Math.max(1, subjects.size) * size,
          unit: 'By',
        },
        { what: 'alerts', used: alerts.count, bound: Math.max(alerts.count, RESOLVED), unit: '{alert}' },
        { what: 'containers that are gone', used: removed, bound: REMOVED, unit: '{container}' },
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
