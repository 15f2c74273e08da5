/** The containers that the dashboard shows: those that exist, and removed ones for up to an hour. */
import type { MetricSet } from '../../collectors/records/points.ts';
import type { Container } from '../../collectors/records/records.ts';
import type { ContainerUsage } from './usage.ts';
import { HISTORY_MS } from './usage-history.ts';

/** How many removed containers are shown, each for an hour at most. */
export const MAX_REMOVED_CONTAINERS = 50;

/** A container that is shown. */
export interface TrackedContainer {
  readonly container: Container;
  /** Undefined until the container is measured for the first time. */
  usage: ContainerUsage | undefined;
  /** Latest metrics. */
  metrics: MetricSet | undefined;
  /** ms since the epoch; undefined while the container exists. */
  removedAt: number | undefined;
  /** State that was reported last; another one means that the container has changed. */
  signature: string;
}

function signatureOf({ container, removedAt }: TrackedContainer): string {
  const { name, image, status, health, restarts, startedAt, finishedAt, exitCode } = container;
  return [name, image, status, health, restarts, startedAt, finishedAt, exitCode, removedAt].join('\0');
}

export class ContainerTable {
  private readonly rows = new Map<string, TrackedContainer>();
  private readonly inventory: () => ReadonlyMap<string, Container>;
  private readonly onChanged: (tracked: TrackedContainer) => void;
  private readonly onForgotten: (id: string) => void;

  constructor(
    inventory: () => ReadonlyMap<string, Container>,
    listener: {
      readonly onChanged: (tracked: TrackedContainer) => void;
      readonly onForgotten: (id: string) => void;
    },
  ) {
    this.inventory = inventory;
    this.onChanged = listener.onChanged;
    this.onForgotten = listener.onForgotten;
  }

  get size(): number {
    return this.rows.size;
  }

  values(): IterableIterator<TrackedContainer> {
    return this.rows.values();
  }

  get(id: string): TrackedContainer | undefined {
    return this.rows.get(id);
  }

  /** The row of a container, created if there is none. */
  track(container: Container): TrackedContainer {
    let tracked = this.rows.get(container.id);
    // A container that was taken for removed and found again is another object.
    if (tracked === undefined || tracked.container !== container) {
      tracked = {
        container,
        usage: tracked?.usage,
        metrics: tracked?.metrics,
        removedAt: undefined,
        signature: '',
      };
      this.rows.set(container.id, tracked);
    }
    return tracked;
  }

  /** Adds new containers, marks removed ones and forgets the oldest of these. */
  syncInventory(): void {
    const now = Date.now();
    const inventory = this.inventory();
    for (const container of inventory.values()) this.track(container);
    const removed: TrackedContainer[] = [];
    for (const [id, tracked] of this.rows) {
      if (inventory.has(id)) tracked.removedAt = undefined;
      else {
        tracked.removedAt ??= now;
        removed.push(tracked);
      }
      const signature = signatureOf(tracked);
      if (signature === tracked.signature) continue;
      tracked.signature = signature;
      this.onChanged(tracked);
    }
    removed.sort((a, b) => b.removedAt! - a.removedAt!);
    removed.forEach(({ container, removedAt }, index) => {
      if (index < MAX_REMOVED_CONTAINERS && now - removedAt! < HISTORY_MS) return;
      this.rows.delete(container.id);
      this.onForgotten(container.id);
    });
  }

  /** Finds a container by id, an unambiguous prefix of it, or name. Existing containers win over removed ones. */
  find(reference: string): TrackedContainer | undefined {
    const found = this.lookUp(reference);
    if (found !== undefined) return found;
    this.syncInventory();
    return this.lookUp(reference);
  }

  private lookUp(reference: string): TrackedContainer | undefined {
    const exact = this.rows.get(reference);
    if (exact !== undefined) return exact;
    const rowsWhere = (matches: (container: Container) => boolean) =>
      [...this.rows.values()]
        .filter(({ container }) => matches(container))
        .sort((a, b) => Number(a.removedAt ?? 0) - Number(b.removedAt ?? 0));
    const [named] = rowsWhere(({ name }) => name === reference);
    if (named !== undefined) return named;
    const prefixed = reference === '' ? [] : rowsWhere(({ id }) => id.startsWith(reference));
    return prefixed.length === 1 ? prefixed[0] : undefined;
  }
}
