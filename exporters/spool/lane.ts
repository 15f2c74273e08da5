import type { DropReason } from '../shared/drop-reasons.ts';
import type { Frame } from './frame.ts';
import { MemoryQueue } from './memory-queue.ts';
import type { PendingBatch } from './pending-batch.ts';
import { ReusableBuffer } from './reusable-buffer.ts';
import type { Segment } from './segment.ts';
import { SegmentStore, type SegmentStoreOptions, type SendOrder } from './segment-store.ts';
import { SyncSchedule } from './sync-schedule.ts';
import { WrittenBatches } from './written-batches.ts';

export type { SendOrder };

/** How often writing to a full disk is retried. */
const RETRY_WRITE_AFTER_MS = 1000;
/** Error codes of a full disk. */
const NO_SPACE = new Set(['ENOSPC', 'EDQUOT']);

/** Why the spool drops records. */
export type SpoolDropReason = Extract<
  DropReason,
  'spool_full' | 'disk_full' | 'memory_full' | 'expired' | 'damaged' | 'shutdown'
>;

export interface LaneOptions extends Omit<SegmentStoreOptions, 'onAbandoned'> {
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
   * Whether a batch that is lost with the process is read again from its source, which waits for the batch.
   */
  readonly isReplayable: boolean;
  /**
   * Whether a batch is dropped when the spool is full. Otherwise it waits in memory, and its source with it.
   */
  readonly dropsWhenFull: boolean;
  readonly onDropped: (count: number, reason: SpoolDropReason) => void;
}

/** Batches that are being sent as one request. */
export interface OutgoingRequest {
  /** The batches, joined into one request. */
  readonly otlp: Buffer;
  /** Number of records. */
  readonly count: number;
  /** When the oldest batch was added, ms since the epoch. */
  readonly addedAt: number;
  /** The segment that has the batches; undefined for batches that are in memory only. */
  readonly segment: Segment | undefined;
  readonly batchCount: number;
}

interface InFlight {
  readonly request: OutgoingRequest;
  /** Those of its batches that are in memory. */
  readonly batches: ReadonlySet<PendingBatch>;
}

/**
 * The batches of one signal on their way to one destination. A batch waits in `MemoryQueue`, is written to a
 * segment of `SegmentStore`, and stays in `WrittenBatches` until it is durable or delivered. `SyncSchedule`
 * decides when the lane is synced. With a receiver that keeps up nothing is read back, and batches of a
 * replayable source are not even written.
 */
export class Lane {
  private readonly options: LaneOptions;
  private readonly memory = new MemoryQueue();
  private readonly written = new WrittenBatches();
  private readonly store: SegmentStore;
  private readonly schedule: SyncSchedule;
  private inFlight: InFlight | undefined;
  private readonly joinBuffer = new ReusableBuffer();
  private readonly readBuffer = new ReusableBuffer();
  private syncing: Promise<void> | undefined;
  /** Set while a full disk is waited for. */
  private retryTimer: NodeJS.Timeout | undefined;
  private wakeReader: (() => void) | undefined;
  private isClosed = false;

  /** @throws when the directory cannot be read or created */
  constructor(options: LaneOptions) {
    this.options = options;
    this.store = new SegmentStore({ ...options, onAbandoned: () => options.onDropped(1, 'damaged') });
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
        if (this.retryTimer === undefined) this.writeToDisk();
        void this.sync();
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
    const isNewestFirst = this.options.order === 'newest';
    const inMemory = isNewestFirst ? this.memory.newest : this.memory.oldest;
    if (isNewestFirst && inMemory !== undefined) return inMemory.addedAt;
    const segment = this.store.next;
    if (segment === undefined) return inMemory?.addedAt;
    const frames = this.store.readFrames(segment);
    return (isNewestFirst ? frames.at(-1) : frames[0])?.addedAt ?? segment.lastAddedAt;
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
      if (!this.options.isReplayable || this.isMemoryPressed) this.writeToDisk();
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
    if (this.options.order === 'newest' && !this.memory.isEmpty) return this.dequeueFromMemory(maxBytes);
    for (;;) {
      const segment = this.store.next;
      if (segment === undefined) return this.dequeueFromMemory(maxBytes);
      const request = this.dequeueFrom(segment, maxBytes);
      if (request !== undefined) return request;
      this.store.deleteIfSpent(segment);
    }
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
    if (this.retryTimer !== undefined) this.writeToDisk();
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
    if (mayBeInFlight) {
      this.joinBuffer.replace();
      this.readBuffer.replace();
    }
    for (const batch of batches) if (batch.isDurable) this.written.release(batch);
    if (this.retryTimer !== undefined) this.writeToDisk();
    this.schedule.update();
  }

  /**
   * Drops the oldest segment and its batches.
   * @returns whether there was one
   */
  dropOldestSegment(reason: SpoolDropReason): boolean {
    const segment = this.store.segments.find((one) => !this.isInFlight(one));
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
      if (this.isInFlight(segment) || segment.isEmpty) continue;
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
    this.writeToDisk();
    clearTimeout(this.retryTimer);
    this.retryTimer = undefined;
    this.isClosed = true;
    // Durable batches no longer need their source, whatever the result of the last request is.
    const { inFlight } = this;
    this.inFlight = undefined;
    for (const batch of inFlight?.batches ?? []) if (batch.isDurable) this.written.release(batch);
    // A sync that is running does not include what was just written.
    await this.syncing;
    await this.sync();
    this.store.close();
    return this.memory.recordCount;
  }

  private dequeueFrom(segment: Segment, maxBytes: number): OutgoingRequest | undefined {
    const all = this.store.readFrames(segment);
    if (all.length === 0) return undefined;
    const frames = this.select(all, maxBytes);
    const batches = frames.map((frame) => this.written.get(frame));
    const parts = batches.includes(undefined)
      ? this.store.readBatches(segment, frames, this.readBuffer)
      : batches.map((batch) => batch!.otlp);
    const intact = frames.filter((frame, index) => {
      if (parts[index] !== undefined) return true;
      this.options.onDamage(segment.readRaw(frame), frame.count);
      return false;
    });
    if (this.options.order === 'newest') this.store.seal(segment);
    const request: OutgoingRequest = {
      otlp: this.join(parts.filter((part) => part !== undefined)),
      count: intact.reduce((sum, { count }) => sum + count, 0),
      addedAt: frames[0]!.addedAt,
      segment,
      batchCount: frames.length,
    };
    this.inFlight = { request, batches: new Set(batches.filter((batch) => batch !== undefined)) };
    return request;
  }

  private dequeueFromMemory(maxBytes: number): OutgoingRequest | undefined {
    if (this.memory.isEmpty) return undefined;
    const sizes = this.memory.all().map((batch) => ({ batch, bytes: batch.otlp.length }));
    const batches = this.select(sizes, maxBytes).map(({ batch }) => batch);
    const request: OutgoingRequest = {
      otlp: this.join(batches.map(({ otlp }) => otlp)),
      count: batches.reduce((sum, { count }) => sum + count, 0),
      addedAt: batches[0]!.addedAt,
      segment: undefined,
      batchCount: batches.length,
    };
    this.inFlight = { request, batches: new Set(batches) };
    return request;
  }

  /** Selects the oldest or the newest, as many as fit into `maxBytes`, but at least one. */
  private select<T extends { readonly bytes: number }>(all: readonly T[], maxBytes: number): readonly T[] {
    let size = 0;
    if (this.options.order === 'oldest') {
      const end = all.findIndex(({ bytes }, index) => {
        size += bytes;
        return index > 0 && size > maxBytes;
      });
      return end === -1 ? all.slice() : all.slice(0, end);
    }
    const before = all.findLastIndex(({ bytes }, index) => {
      size += bytes;
      return index < all.length - 1 && size > maxBytes;
    });
    return all.slice(before + 1);
  }

  /** One request of several, valid until the next call. */
  private join(parts: readonly Buffer[]): Buffer {
    if (parts.length === 1) return parts[0]!;
    const size = parts.reduce((sum, { length }) => sum + length, 0);
    const joined = this.joinBuffer.reserve(size);
    let position = 0;
    for (const part of parts) position += part.copy(joined, position);
    return joined;
  }

  private get isMemoryPressed(): boolean {
    return this.memory.bytes > this.options.maxMemoryBytes / 2;
  }

  /** Writes the batches that are in memory only, as long as there is space. */
  private writeToDisk(): void {
    const { freeSpace, dropsWhenFull, order } = this.options;
    const isSentFromMemory = this.inFlight !== undefined && this.inFlight.request.segment === undefined;
    // Batches can be written while they are sent if they are removed from the start of their segment later.
    // The newest are removed from its end, where others could follow them meanwhile.
    if (!this.store.isPersistent || (isSentFromMemory && order === 'newest')) return;
    for (let batch = this.memory.oldest; batch !== undefined; batch = this.memory.oldest) {
      if (freeSpace(batch.otlp.length, false, this.isMemoryPressed)) {
        if (!this.writeBatch(batch)) {
          this.retryWriteLater();
          return;
        }
        this.memory.removeOldest();
      } else {
        if (!dropsWhenFull || this.inFlight?.batches.has(batch) === true) {
          this.retryWriteLater();
          return;
        }
        this.options.onDropped(batch.count, 'spool_full');
        this.memory.removeOldest();
        batch.release();
      }
    }
  }

  /** @returns whether the batch is on the disk */
  private writeBatch(batch: PendingBatch): boolean {
    const { otlp, count, addedAt } = batch;
    for (let attempt = 1; ; attempt++) {
      const { activeSegment } = this.store;
      try {
        batch.location = this.store.append(otlp, count, addedAt);
        this.written.add(batch);
        return true;
      } catch (error) {
        this.options.onError(error);
        const { code = '' } = error as NodeJS.ErrnoException;
        if (code === 'ENOENT') this.store.createDirectory();
        else if (!NO_SPACE.has(code) || !this.options.freeSpace(otlp.length, true, this.isMemoryPressed))
          return false;
        if (attempt > 1) return false;
      } finally {
        if (activeSegment !== undefined) this.unloadIfIdle(activeSegment);
      }
    }
  }

  private retryWriteLater(): void {
    this.retryTimer ??= setTimeout(() => {
      this.retryTimer = undefined;
      this.writeToDisk();
      this.schedule.update();
    }, RETRY_WRITE_AFTER_MS);
  }

  /** Makes written batches durable. One sync runs at a time. */
  private sync(): Promise<void> {
    this.schedule.cancel();
    if (this.written.unsyncedBytes === 0) return this.syncing ?? Promise.resolve();
    this.syncing ??= this.syncWritten().finally(() => {
      this.syncing = undefined;
      this.schedule.update();
    });
    return this.syncing;
  }

  private async syncWritten(): Promise<void> {
    const batches = this.written.unsynced();
    try {
      await this.store.sync(new Set(batches.map(({ location }) => location!.segment)));
    } catch (error) {
      this.options.onError(error);
      return;
    }
    for (const batch of batches) {
      // Some were delivered or dropped meanwhile.
      if (!this.written.includes(batch)) continue;
      this.written.markDurable(batch);
      if (this.inFlight?.batches.has(batch) !== true) this.written.release(batch);
    }
    for (const { location } of batches) this.unloadIfIdle(location!.segment);
  }

  /** Whether a batch of the segment is being sent. */
  private isInFlight(segment: Segment): boolean {
    if (this.inFlight === undefined) return false;
    const { request, batches } = this.inFlight;
    if (request.segment !== undefined) return request.segment === segment;
    for (const { location } of batches) if (location?.segment === segment) return true;
    return false;
  }

  /** Removes batches that were sent from their segment, and releases them. */
  private remove(segment: Segment, count: number, batches: Iterable<PendingBatch>): void {
    this.store.removeBatches(segment, count);
    for (const batch of batches) this.written.release(batch);
    this.store.deleteIfSpent(segment);
  }

  /** Frees the memory of a segment that only waits to be sent. */
  private unloadIfIdle(segment: Segment): void {
    if (segment === this.store.activeSegment || this.isInFlight(segment)) return;
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
