import type { DropReason } from '../shared/drop-reasons.ts';
import { BatchSync } from './batch-sync.ts';
import { DiskWriter, type SpacePolicy } from './disk-writer.ts';
import type { Frame } from './frame.ts';
import { MemoryQueue } from './memory-queue.ts';
import type { OutgoingRequest, RequestInFlight } from './outgoing-request.ts';
import type { PendingBatch } from './pending-batch.ts';
import { RequestBuilder } from './request-builder.ts';
import type { Segment } from './segment.ts';
import { SegmentStore, type SegmentStoreOptions, type SendOrder } from './segment-store.ts';
import { SyncSchedule } from './sync-schedule.ts';
import { WrittenBatches } from './written-batches.ts';

export type { SendOrder };

/** Why the spool drops records. */
export type SpoolDropReason = Extract<
  DropReason,
  'spool_full' | 'disk_full' | 'memory_full' | 'expired' | 'damaged' | 'shutdown'
>;

export interface LaneOptions extends Omit<SegmentStoreOptions, 'onAbandoned'>, SpacePolicy {
  /**
   * Whether a batch that is lost with the process is read again from its source, which waits for the batch.
   */
  readonly isReplayable: boolean;
  readonly onDropped: (count: number, reason: SpoolDropReason) => void;
}

/**
 * The batches of one signal on their way to one destination. A batch waits in `MemoryQueue`. `DiskWriter` moves
 * it to a segment of `SegmentStore`; it stays in `WrittenBatches` until it is durable or delivered.
 * `RequestBuilder` selects what is sent next. `SyncSchedule` decides when `BatchSync` runs. With a receiver that
 * keeps up nothing is read back, and batches of a replayable source are not even written.
 */
export class Lane {
  private readonly options: LaneOptions;
  private readonly memory = new MemoryQueue();
  private readonly written = new WrittenBatches();
  private readonly store: SegmentStore;
  private readonly schedule: SyncSchedule;
  private readonly writer: DiskWriter;
  private readonly batchSync: BatchSync;
  private readonly requestBuilder: RequestBuilder;
  private inFlight: RequestInFlight | undefined;
  private wakeReader: (() => void) | undefined;
  private isClosed = false;

  /** @throws when the directory cannot be read or created */
  constructor(options: LaneOptions) {
    this.options = options;
    this.store = new SegmentStore({ ...options, onAbandoned: () => options.onDropped(1, 'damaged') });
    const parts = {
      memory: this.memory,
      written: this.written,
      store: this.store,
      inFlight: () => this.inFlight,
      unloadIfIdle: (segment: Segment) => this.unloadIfIdle(segment),
    };
    this.requestBuilder = new RequestBuilder({ ...options, ...parts });
    this.writer = new DiskWriter({ ...options, ...parts, onRetried: () => this.schedule.update() });
    this.batchSync = new BatchSync({ ...options, ...parts, onSynced: () => this.schedule.update() });
    this.schedule = new SyncSchedule({
      unsyncedBytes: () => (this.store.isPersistent ? this.written.unsyncedBytes + this.memory.bytes : 0),
      oldestUnsyncedAt: () => {
        const written = this.written.oldest?.addedAtMonotonic ?? Number.POSITIVE_INFINITY;
        const waiting = this.memory.oldest?.addedAtMonotonic ?? Number.POSITIVE_INFINITY;
        const oldest = Math.min(written, waiting);
        return Number.isFinite(oldest) ? oldest : undefined;
      },
      sync: () => {
        // Writing to a full disk is retried at its own time.
        if (!this.writer.isWaitingForSpace) this.writer.write();
        this.schedule.cancel();
        void this.batchSync.sync();
      },
    });
  }

  /** Bytes of the segment files. */
  get diskBytes(): number {
    return this.store.diskBytes;
  }

  /** Bytes of batches that wait, on the disk and in memory. */
  get waitingBytes(): number {
    return this.store.waitingBytes + this.memory.bytes;
  }

  /** When the oldest waiting batch was added, ms since the epoch; undefined when none waits. */
  get oldestAddedAt(): number | undefined {
    const segment = this.store.oldest;
    if (segment === undefined) return this.memory.oldest?.addedAt;
    try {
      const addedAt = segment.readFrames(this.options.onDamage)[0]?.addedAt ?? segment.lastAddedAt;
      this.unloadIfIdle(segment);
      return addedAt;
    } catch {
      // The sender reads the segment too, and reports the error.
      return segment.lastAddedAt;
    }
  }

  /** When the batch that is sent next was added, ms since the epoch; undefined when none waits. */
  get nextAddedAt(): number | undefined {
    return this.requestBuilder.nextAddedAt;
  }

  /** Resolves when the batch is durable, was delivered, or was dropped. */
  add(otlp: Buffer, count: number): Promise<void> {
    // After `close`, batches are read again from their source, or are lost.
    if (this.isClosed) {
      if (this.options.isReplayable) return new Promise(() => {});
      this.options.onDropped(count, 'shutdown');
      return Promise.resolve();
    }
    return new Promise((release) => {
      this.memory.push({
        otlp,
        count,
        addedAt: Date.now(),
        addedAtMonotonic: performance.now(),
        location: undefined,
        isDurable: false,
        release,
      });
      if (!this.options.isReplayable || this.writer.isMemoryPressed) this.writer.write();
      this.schedule.update();
      const reason = this.store.isPersistent ? 'disk_full' : 'memory_full';
      while (this.memory.bytes > this.options.maxMemoryBytes && this.dropOldestInMemory(reason));
      this.wakeReader?.();
    });
  }

  /** Resolves when there are batches to send, or when the signal aborts. */
  async waitForBatches(signal: AbortSignal): Promise<void> {
    while (!signal.aborted && this.store.isEmpty && this.memory.isEmpty) {
      await new Promise<void>((resolve) => {
        const wake = () => {
          signal.removeEventListener('abort', wake);
          this.wakeReader = undefined;
          resolve();
        };
        signal.addEventListener('abort', wake);
        this.wakeReader = wake;
      });
    }
  }

  /**
   * Joins the next batches into a request of at most `maxBytes`, or of one batch. The caller then calls
   * `acknowledge` or `requeue`, before it asks for the next request.
   * @throws what reading throws
   */
  dequeue(maxBytes: number): OutgoingRequest | undefined {
    this.inFlight = this.requestBuilder.build(maxBytes);
    return this.inFlight?.request;
  }

  /** Removes the batches of the last request: they were delivered or dropped. */
  acknowledge(): void {
    // After `close` the batches stay on the disk, and are sent again by the next process.
    if (this.isClosed) return;
    const { request, batches } = this.inFlight!;
    this.inFlight = undefined;
    this.schedule.recordDelivery();
    if (request.segment !== undefined) this.remove(request.segment, request.batchCount, batches);
    else {
      // Some can have been written to the disk while they were sent from memory.
      const bySegment = Map.groupBy(batches, ({ location }) => location?.segment);
      for (const [segment, some] of bySegment) {
        if (segment !== undefined) this.remove(segment, some.length, some);
      }
      const inMemory = new Set(bySegment.get(undefined));
      this.memory.remove(inMemory);
      for (const { release } of inMemory) release();
    }
    if (this.writer.isWaitingForSpace) this.writer.write();
    this.schedule.update();
  }

  /**
   * Keeps the batches of the last request for another attempt.
   * @param mayBeInFlight whether the request that failed may still be sent from its buffer
   */
  requeue(mayBeInFlight = true): void {
    if (this.isClosed) return;
    const { request, batches } = this.inFlight!;
    this.inFlight = undefined;
    if (request.segment !== undefined) {
      this.store.unseal(request.segment);
      this.unloadIfIdle(request.segment);
    }
    if (mayBeInFlight) this.requestBuilder.replaceBuffers();
    for (const batch of batches) if (batch.isDurable) this.written.release(batch);
    if (this.writer.isWaitingForSpace) this.writer.write();
    this.schedule.update();
  }

  /**
   * Drops the oldest segment and its batches.
   * @returns whether there was one
   */
  dropOldestSegment(reason: SpoolDropReason): boolean {
    const segment = this.store.segments.find((one) => this.inFlight?.isFrom(one) !== true);
    if (segment === undefined) return false;
    let frames: readonly Frame[] = [];
    try {
      frames = segment.readFrames(this.options.onDamage);
    } catch (error) {
      this.options.onError(error);
    }
    // The number of records in a segment that cannot be read is unknown: it counts as one.
    const count = frames.reduce((sum, frame) => sum + frame.count, 0);
    if (!segment.isEmpty) this.options.onDropped(Math.max(1, count), reason);
    for (const frame of frames) {
      const batch = this.written.get(frame);
      if (batch !== undefined) this.written.release(batch);
    }
    this.store.delete(segment);
    return true;
  }

  /**
   * Drops batches that are too old: whole segments, and batches in memory.
   * @param time of the newest batch that is dropped, ms since the epoch
   */
  dropExpired(time: number): void {
    for (const segment of [...this.store.segments]) {
      if (this.inFlight?.isFrom(segment) === true || segment.isEmpty) continue;
      if (segment.lastAddedAt >= time) return;
      this.dropOldestSegment('expired');
    }
    while (
      this.memory.oldest !== undefined &&
      this.memory.oldest.addedAt < time &&
      this.dropOldestInMemory('expired')
    );
  }

  /**
   * Writes what waits, and closes the files.
   * @returns the number of records that are not on the disk
   */
  async close(): Promise<number> {
    this.schedule.close();
    this.writer.write();
    this.writer.close();
    this.isClosed = true;
    // Durable batches no longer need their source, whatever the result of the last request is.
    const { inFlight } = this;
    this.inFlight = undefined;
    for (const batch of inFlight?.batches ?? []) if (batch.isDurable) this.written.release(batch);
    // A sync that is running does not include what was just written.
    await this.batchSync.running;
    await this.batchSync.sync();
    this.store.close();
    return this.memory.recordCount;
  }

  /** Removes batches that were sent from their segment, and releases them. */
  private remove(segment: Segment, count: number, batches: Iterable<PendingBatch>): void {
    this.store.removeBatches(segment, count);
    for (const batch of batches) this.written.release(batch);
    this.store.deleteIfSpent(segment);
  }

  /** Frees the memory of a segment that only waits to be sent. */
  private unloadIfIdle(segment: Segment): void {
    if (segment === this.store.activeSegment || this.inFlight?.isFrom(segment) === true) return;
    if (!this.written.hasAnyIn(segment)) segment.unload();
  }

  private dropOldestInMemory(reason: SpoolDropReason): boolean {
    const batch = this.memory.removeOldestExcept(this.inFlight?.batches);
    if (batch === undefined) return false;
    this.options.onDropped(batch.count, reason);
    batch.release();
    return true;
  }
}
