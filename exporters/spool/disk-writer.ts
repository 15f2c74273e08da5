import type { MemoryQueue } from './memory-queue.ts';
import type { RequestInFlight } from './outgoing-request.ts';
import type { PendingBatch } from './pending-batch.ts';
import type { Segment } from './segment.ts';
import type { SegmentStore, SendOrder } from './segment-store.ts';
import type { WrittenBatches } from './written-batches.ts';

/** How often writing to a full disk is retried. */
const RETRY_WRITE_AFTER_MS = 1000;
/** Error codes of a full disk. */
const NO_SPACE = new Set(['ENOSPC', 'EDQUOT']);

/** What happens when there is no space for a batch. */
export interface SpacePolicy {
  /** Bytes of batches that could not be written and may wait in memory. Above it the oldest is dropped. */
  readonly maxMemoryBytes: number;
  /**
   * Frees disk space.
   * @param isDiskFull whether the disk is full, and not only the spool's share of it
   * @param isMemoryPressed whether memory is running short too
   * @returns whether there is space for `bytes` now
   */
  readonly freeSpace: (bytes: number, isDiskFull: boolean, isMemoryPressed: boolean) => boolean;
  /**
   * Whether a batch is dropped when the spool is full. Otherwise it waits in memory, and its source with it.
   */
  readonly dropsWhenFull: boolean;
}

export interface DiskWriterOptions extends SpacePolicy {
  readonly memory: MemoryQueue;
  readonly written: WrittenBatches;
  readonly store: SegmentStore;
  readonly order: SendOrder;
  readonly inFlight: () => RequestInFlight | undefined;
  /** Frees the memory of a segment that only waits to be sent. */
  readonly unloadIfIdle: (segment: Segment) => void;
  /** Called after each retry of its own. */
  readonly onRetried: () => void;
  readonly onDropped: (count: number, reason: 'spool_full') => void;
  readonly onError: (error: unknown) => void;
}

/** Moves the batches of a lane from memory to the disk. Writing to a full disk is retried. */
export class DiskWriter {
  private readonly options: DiskWriterOptions;
  /** Set while a full disk is waited for. */
  private retryTimer: NodeJS.Timeout | undefined;

  constructor(options: DiskWriterOptions) {
    this.options = options;
  }

  /** Whether there was no space for a batch, and writing is retried later. */
  get isWaitingForSpace(): boolean {
    return this.retryTimer !== undefined;
  }

  get isMemoryPressed(): boolean {
    return this.options.memory.bytes > this.options.maxMemoryBytes / 2;
  }

  /** Writes the batches that are in memory only, as long as there is space. */
  write(): void {
    const { memory, store, order, freeSpace, dropsWhenFull } = this.options;
    const inFlight = this.options.inFlight();
    const isSentFromMemory = inFlight !== undefined && inFlight.request.segment === undefined;
    // Batches can be written while they are sent if they are removed from the start of their segment later.
    // The newest are removed from its end, where others could follow them meanwhile.
    if (!store.isPersistent || (isSentFromMemory && order === 'newest')) return;
    for (let batch = memory.oldest; batch !== undefined; batch = memory.oldest) {
      if (freeSpace(batch.otlp.length, false, this.isMemoryPressed)) {
        if (!this.writeBatch(batch)) {
          this.retryLater();
          return;
        }
        memory.removeOldest();
      } else {
        if (!dropsWhenFull || inFlight?.batches.has(batch) === true) {
          this.retryLater();
          return;
        }
        this.options.onDropped(batch.count, 'spool_full');
        memory.removeOldest();
        batch.release();
      }
    }
  }

  /** Stops retrying. */
  close(): void {
    clearTimeout(this.retryTimer);
    this.retryTimer = undefined;
  }

  /** @returns whether the batch is on the disk */
  private writeBatch(batch: PendingBatch): boolean {
    const { store, written } = this.options;
    const { otlp, count, addedAt } = batch;
    for (let attempt = 1; ; attempt++) {
      const { activeSegment } = store;
      try {
        batch.location = store.append(otlp, count, addedAt);
        written.add(batch);
        return true;
      } catch (error) {
        this.options.onError(error);
        const { code = '' } = error as NodeJS.ErrnoException;
        if (code === 'ENOENT') store.createDirectory();
        else if (!NO_SPACE.has(code) || !this.options.freeSpace(otlp.length, true, this.isMemoryPressed))
          return false;
        if (attempt > 1) return false;
      } finally {
        if (activeSegment !== undefined) this.options.unloadIfIdle(activeSegment);
      }
    }
  }

  private retryLater(): void {
    this.retryTimer ??= setTimeout(() => {
      this.retryTimer = undefined;
      this.write();
      this.options.onRetried();
    }, RETRY_WRITE_AFTER_MS);
  }
}
