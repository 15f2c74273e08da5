import type { RequestInFlight } from './outgoing-request.ts';
import type { Segment } from './segment.ts';
import type { SegmentStore } from './segment-store.ts';
import type { WrittenBatches } from './written-batches.ts';

export interface BatchSyncOptions {
  readonly written: WrittenBatches;
  readonly store: SegmentStore;
  readonly inFlight: () => RequestInFlight | undefined;
  /** Frees the memory of a segment that only waits to be sent. */
  readonly unloadIfIdle: (segment: Segment) => void;
  /** Called after each sync. */
  readonly onSynced: () => void;
  readonly onError: (error: unknown) => void;
}

/** Makes the written batches of a lane durable. One sync runs at a time. */
export class BatchSync {
  private readonly options: BatchSyncOptions;
  private syncing: Promise<void> | undefined;

  constructor(options: BatchSyncOptions) {
    this.options = options;
  }

  /** The sync that is running. */
  get running(): Promise<void> | undefined {
    return this.syncing;
  }

  sync(): Promise<void> {
    if (this.options.written.unsyncedBytes === 0) return this.syncing ?? Promise.resolve();
    this.syncing ??= this.syncWritten().finally(() => {
      this.syncing = undefined;
      this.options.onSynced();
    });
    return this.syncing;
  }

  private async syncWritten(): Promise<void> {
    const { written, store, inFlight, unloadIfIdle, onError } = this.options;
    const batches = written.unsynced();
    try {
      await store.sync(new Set(batches.map(({ location }) => location!.segment)));
    } catch (error) {
      onError(error);
      return;
    }
    for (const batch of batches) {
      // Some were delivered or dropped meanwhile.
      if (!written.includes(batch)) continue;
      written.markDurable(batch);
      if (inFlight()?.batches.has(batch) !== true) written.release(batch);
    }
    for (const { location } of batches) unloadIfIdle(location!.segment);
  }
}
