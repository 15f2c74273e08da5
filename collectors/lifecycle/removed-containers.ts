/** Containers that are removed, to recognise what the daemon reports of them late. */
import type { TextStore } from '../records/collector.ts';
import type { UnixNano } from '../records/records.ts';
import { loadOldestFirst } from './stored-order.ts';

const MAX_REMOVED = 1024;
/** Part of the keys on disk. */
const PREFIX = 'gone/';

export class RemovedContainers {
  private readonly ids = new Set<string>();
  private readonly store: TextStore;

  constructor(store: TextStore) {
    this.store = store;
    for (const [id] of loadOldestFirst(store, PREFIX)) this.ids.add(id);
  }

  has(id: string): boolean {
    return this.ids.has(id);
  }

  add(id: string): void {
    this.ids.add(id);
    while (this.ids.size > MAX_REMOVED) {
      const oldest = this.ids.values().next().value!;
      this.ids.delete(oldest);
      this.store.delete(PREFIX + oldest);
    }
  }

  /** Saves a removed container, unless it is no longer among the latest. */
  save(id: string, removedAt: UnixNano): void {
    if (this.ids.has(id)) this.store.save(PREFIX + id, String(removedAt));
  }
}
