/** Containers that are removed, to recognise what the daemon reports of them late. */
import type { TextStore } from '../records/collector.ts';
import type { UnixNano } from '../records/records.ts';
import { BoundedMap } from '../shared/bounded-map.ts';
import { loadOldestFirst } from './stored-order.ts';

const MAX_REMOVED = 1024;
/** Part of the keys on disk. */
const PREFIX = 'gone/';

export class RemovedContainers {
  private readonly ids: BoundedMap<string, true>;
  private readonly store: TextStore;

  constructor(store: TextStore) {
    this.store = store;
    this.ids = new BoundedMap(MAX_REMOVED, (id) => store.delete(PREFIX + id));
    for (const [id] of loadOldestFirst(store, PREFIX)) this.ids.set(id, true);
  }

  has(id: string): boolean {
    return this.ids.has(id);
  }

  add(id: string): void {
    this.ids.set(id, true);
  }

  /** Saves a removed container, unless it is no longer among the latest. */
  save(id: string, removedAt: UnixNano): void {
    if (this.ids.has(id)) this.store.save(PREFIX + id, String(removedAt));
  }
}
