import { mkdirSync, readdirSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Frame } from './frame.ts';
import type { ReusableBuffer } from './reusable-buffer.ts';
import { Segment } from './segment.ts';

/** A segment is full at this size. Under disk pressure whole segments are dropped. */
const MAX_SEGMENT_BYTES = 4 * 1024 * 1024;
/** An empty active segment of this size is deleted instead of being appended to. */
const MAX_EMPTY_SEGMENT_BYTES = 1024 * 1024;
/** A segment that cannot be read is retried this often, then left to the next process. */
const MAX_READ_FAILURES = 10;

/** Which batches are sent first. */
export type SendOrder = 'oldest' | 'newest';

export interface SegmentStoreOptions {
  /** The directory of the segments; undefined for a lane without a disk. */
  readonly directory: string | undefined;
  readonly order: SendOrder;
  /** A segment is also full at this age, so that expired batches are deleted with their segment. */
  readonly maxSegmentAgeMs: number;
  /** Reports bytes in a segment that are not a batch, and their number of records, where it is known. */
  readonly onDamage: (bytes: Buffer, count?: number) => void;
  /** Reports a segment that cannot be read and was left to the next process. */
  readonly onAbandoned: () => void;
  readonly onError: (error: unknown) => void;
}

/** The segment files of a lane: the oldest first, and batches are appended to the last. */
export class SegmentStore {
  private readonly options: SegmentStoreOptions;
  private readonly list: Segment[] = [];
  /** The segment that batches are appended to. */
  private active: Segment | undefined;
  /** The active segment before it was sealed. */
  private sealed: Segment | undefined;
  private nextId = 1;
  private hasNewFile = false;

  /** @throws when the directory cannot be read or created */
  constructor(options: SegmentStoreOptions) {
    this.options = options;
    const { directory } = options;
    if (directory === undefined) return;
    this.createDirectory();
    const ids = readdirSync(directory)
      .map((name) => Number(/^(\d+)\.seg$/.exec(name)?.[1]))
      .filter((id) => !Number.isNaN(id))
      .sort((one, other) => one - other);
    for (const id of ids) {
      const segment = Segment.open(this.pathOf(id));
      this.list.push(segment);
      this.deleteIfSpent(segment);
    }
    // Nothing is appended to a segment of an earlier process: its end can be damaged after a power loss.
    this.nextId = (ids.at(-1) ?? 0) + 1;
  }

  /** Whether there is a disk to write to. */
  get isPersistent(): boolean {
    return this.options.directory !== undefined;
  }

  get segments(): readonly Segment[] {
    return this.list;
  }

  /** Bytes of the files. */
  get diskBytes(): number {
    return this.list.reduce((sum, { size }) => sum + size, 0);
  }

  /** Bytes of batches in the files. */
  get waitingBytes(): number {
    return this.list.reduce((sum, segment) => sum + segment.waitingBytes, 0);
  }

  get isEmpty(): boolean {
    return this.list.every((segment) => segment.isEmpty);
  }

  /** The oldest segment that has batches. */
  get oldest(): Segment | undefined {
    return this.list.find((segment) => !segment.isEmpty);
  }

  /** The segment whose batches are sent next. */
  get next(): Segment | undefined {
    return this.options.order === 'newest' ? this.list.findLast((segment) => !segment.isEmpty) : this.oldest;
  }

  get activeSegment(): Segment | undefined {
    return this.active;
  }

  /**
   * Appends a batch to the active segment, or to a new one if that is full.
   * @param addedAt ms since the epoch
   * @throws what writing throws; no part of the batch is in a file then
   */
  append(otlp: Buffer, count: number, addedAt: number): { segment: Segment; frame: Frame } {
    if (this.active === undefined || this.active.isFull(MAX_SEGMENT_BYTES, this.options.maxSegmentAgeMs)) {
      this.active = Segment.create(this.pathOf(this.nextId++));
      this.list.push(this.active);
      this.hasNewFile = true;
    }
    return { segment: this.active, frame: this.active.append(otlp, count, addedAt) };
  }

  createDirectory(): void {
    mkdirSync(this.options.directory!, { recursive: true, mode: 0o700 });
  }

  /** Stops appending to a segment, because its end is being sent. */
  seal(segment: Segment): void {
    if (segment !== this.active) return;
    this.sealed = segment;
    this.active = undefined;
  }

  /** Appends to a sealed segment again, unless there is a newer one. */
  unseal(segment: Segment): void {
    if (segment === this.list.at(-1) && segment === this.sealed) this.active ??= segment;
  }

  /** The batches in a segment. @throws what reading throws */
  readFrames(segment: Segment): readonly Frame[] {
    return this.countingFailures(segment, () => segment.readFrames(this.options.onDamage));
  }

  /** The batches' OTLP bytes; undefined for a damaged batch. @throws what reading throws */
  readBatches(
    segment: Segment,
    frames: readonly Frame[],
    buffer: ReusableBuffer,
  ): readonly (Buffer | undefined)[] {
    return this.countingFailures(segment, () => segment.readBatches(frames, buffer));
  }

  /** Removes the first or the last batches of a segment: those that are sent first. */
  removeBatches(segment: Segment, count: number): void {
    try {
      if (this.options.order === 'newest') segment.dropLast(count);
      else segment.dropFirst(count);
    } catch (error) {
      // The batches are gone from memory, and are on the disk still. After a crash they are sent again.
      this.options.onError(error);
    }
  }

  /** Deletes a segment that has no batches, unless batches are going to be appended to it. */
  deleteIfSpent(segment: Segment): void {
    if (segment.isEmpty && (segment !== this.active || segment.size > MAX_EMPTY_SEGMENT_BYTES))
      this.delete(segment);
  }

  delete(segment: Segment): void {
    if (segment === this.active) this.active = undefined;
    this.list.splice(this.list.indexOf(segment), 1);
    try {
      segment.delete();
    } catch (error) {
      this.options.onError(error);
    }
  }

  /** Makes the content of segments durable. @throws what syncing throws */
  async sync(segments: Iterable<Segment>): Promise<void> {
    await Promise.all([...segments].map((segment) => segment.sync()));
    if (this.hasNewFile) await this.syncDirectories();
  }

  /** Closes all files. */
  close(): void {
    for (const segment of this.list) segment.unload();
  }

  /** A new file is durable only when its directory is synced. The directories above can be new too. */
  private async syncDirectories(): Promise<void> {
    const lane = this.options.directory!;
    for (const path of [lane, dirname(lane), dirname(dirname(lane))]) {
      const directory = await open(path, 'r');
      try {
        await directory.sync();
      } finally {
        await directory.close();
      }
    }
    this.hasNewFile = false;
  }

  /** Reads from a segment. One that fails again and again is abandoned. */
  private countingFailures<T>(segment: Segment, read: () => T): T {
    try {
      const result = read();
      segment.readFailures = 0;
      return result;
    } catch (error) {
      if (++segment.readFailures >= MAX_READ_FAILURES) {
        this.options.onAbandoned();
        this.list.splice(this.list.indexOf(segment), 1);
      }
      throw error;
    }
  }

  private pathOf(id: number): string {
    return join(this.options.directory!, `${String(id).padStart(10, '0')}.seg`);
  }
}
