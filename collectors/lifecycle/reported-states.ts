/** The reported state of every container, and which are removed: in memory and in the data directory. */
import type { TextStore } from '../records/collector.ts';
import type { UnixNano } from '../records/records.ts';
import { BoundedMap } from '../shared/bounded-map.ts';
import { formatReportedState, parseReportedState, type ReportedState } from './reported-state.ts';

/** Part of the keys on disk. */
const PREFIX = 'container/';

export class ReportedStates {
  private readonly store: TextStore;
  private readonly byId = new Map<string, ReportedState>();
  /** Until when an earlier agent reported each container. */
  private readonly reportedUntil = new Map<string, UnixNano>();
  /** The last write of each container that waits for exporters. */
  private readonly pendingWrites = new Map<string, Promise<void>>();

  constructor(store: TextStore) {
    this.store = store;
    for (const id of store.idsUnder(PREFIX)) {
      const state = parseReportedState(store.load(PREFIX + id) ?? '');
      if (state === undefined) continue;
      this.byId.set(id, state);
      this.reportedUntil.set(id, state.lastDaemonEventAt);
    }
  }

  ids(): Iterable<string> {
    return this.byId.keys();
  }

  get(id: string): ReportedState | undefined {
    return this.byId.get(id);
  }

  set(id: string, state: ReportedState): void {
    this.byId.set(id, state);
  }

  /** Whether an earlier agent reported the daemon's events of that time: the daemon repeats them. */
  isReportedEarlier(id: string, time: UnixNano): boolean {
    return time <= (this.reportedUntil.get(id) ?? -1n);
  }

  saveNow(id: string, state: ReportedState): void {
    this.store.save(PREFIX + id, formatReportedState(state));
  }

  deleteNow(id: string): void {
    if (this.byId.delete(id)) this.store.delete(PREFIX + id);
  }

  /** Saves the state as it is now, once exporters have accepted its events and all earlier ones. */
  saveAfter(id: string, state: ReportedState, accepted: readonly Promise<void>[]): Promise<void> {
    const text = formatReportedState(state);
    return this.writeAfter(id, accepted, () => this.store.save(PREFIX + id, text));
  }

  /** Forgets a removed container at once, and deletes it from the store as `saveAfter` saves. */
  deleteAfter(id: string, accepted: readonly Promise<void>[], onDeleted: () => void): Promise<void> {
    const written = this.writeAfter(id, accepted, () => {
      this.store.delete(PREFIX + id);
      onDeleted();
    });
    this.byId.delete(id);
    this.reportedUntil.delete(id);
    return written;
  }

  private writeAfter(id: string, accepted: readonly Promise<void>[], write: () => void): Promise<void> {
    const written = Promise.all([this.pendingWrites.get(id), ...accepted]).then(write);
    // A write that failed is reported by its caller, and does not prevent the next.
    const done = written
      .catch(() => {})
      .then(() => {
        if (this.pendingWrites.get(id) === done) this.pendingWrites.delete(id);
      });
    this.pendingWrites.set(id, done);
    return written;
  }
}

const MAX_REMOVED = 1024;
/** Part of the keys on disk. */
const REMOVED_PREFIX = 'gone/';

/** Containers that are removed, to recognise what the daemon reports of them late. */
export class RemovedContainers {
  private readonly ids: BoundedMap<string, true>;
  private readonly store: TextStore;

  constructor(store: TextStore) {
    this.store = store;
    this.ids = new BoundedMap(MAX_REMOVED, (id) => store.delete(REMOVED_PREFIX + id));
    for (const [id] of loadOldestFirst(store, REMOVED_PREFIX)) this.ids.set(id, true);
  }

  has(id: string): boolean {
    return this.ids.has(id);
  }

  add(id: string): void {
    this.ids.set(id, true);
  }

  /** Saves a removed container, unless it is no longer among the latest. */
  save(id: string, removedAt: UnixNano): void {
    if (this.ids.has(id)) this.store.save(REMOVED_PREFIX + id, String(removedAt));
  }
}

/** The values below a prefix, oldest first; each value is words, the first of which is a time. */
export function loadOldestFirst(store: TextStore, prefix: string): [id: string, words: string[]][] {
  const all = [...store.idsUnder(prefix)].map((id): [string, string[]] => [
    id,
    (store.load(prefix + id) ?? '').split(' '),
  ]);
  return all.sort(([, [one = '']], [, [other = '']]) => Number(one) - Number(other));
}
