/** The positions of one target's logs, in that target's part of the agent's store. */
import type { PositionStore, TextStore } from '../records/collector.ts';
import type { Container, LogPosition } from '../records/records.ts';
import { formatPosition, parsePosition } from './shared/position.ts';

const keyOf = (id: string): string => `logs/${id}`;

export class LogPositionStore implements PositionStore {
  private readonly store: TextStore;
  /** Removed containers: a late acknowledgement must not bring their position back. */
  private readonly removed = new WeakSet<Container>();

  constructor(store: TextStore) {
    this.store = store;
  }

  /** The stored position of a container's log; undefined where there is none. */
  load(id: string): LogPosition | undefined {
    return parsePosition(this.store.load(keyOf(id)) ?? '');
  }

  save(container: Container, position: LogPosition): void {
    if (!this.removed.has(container)) this.store.save(keyOf(container.id), formatPosition(position));
  }

  /** Deletes the position of a container that no longer exists, and ignores what is saved for it later. */
  forget(container: Container): void {
    this.removed.add(container);
    this.store.delete(keyOf(container.id));
  }
}
