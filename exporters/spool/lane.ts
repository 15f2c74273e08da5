/**
 * One signal's batches on their way to one destination, in segment files. What was just added is kept in memory
 * too until it is sent or on the disk for good: with a receiver that keeps up nothing is read back, and what has a
 * source to ask again is not even written.
 */
import { mkdirSync, readdirSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Frame } from './frame.ts';
import { Room, Segment } from './segment.ts';

/** A file is full at this size: what is given up for want of room is given up by file. */
const SEGMENT_BYTES = 4 * 1024 * 1024;
/** One that is empty begins anew at this size. */
const SPENT_BYTES = 1024 * 1024;
/**
 * What has waited for so long is made to survive a loss of power, and so much of it does not wait. What is delivered by
 * then need not be: as long as the receiver takes one request after the other, it is given more time.
 */
const PATIENCE = {
  waiting: { ms: 100, bytes: 1024 * 1024 },
  flowing: { ms: 1000, bytes: Number.POSITIVE_INFINITY },
} as const;
/** A receiver that took something so short a time ago is likely to take the next. */
const FLOWING_MS = 250;
/** How often a disk that was full is tried again. */
const TRY_AGAIN_MS = 1000;

/** How often a file that cannot be read is tried before it is left to the next process. */
const MAX_FAILURES = 10;
/** What a disk that has no room says. */
const NO_ROOM = new Set(['ENOSPC', 'EDQUOT']);

/** Why the spool gives a record up. */
export type DropReason = 'spool_full' | 'disk_full' | 'memory_full' | 'expired' | 'damaged' | 'shutdown';

/** Which batches are sent first where several wait. */
export type Order = 'oldest' | 'newest';

export interface LaneOptions {
  /** Where its files are; undefined keeps all in memory. */
  readonly directory: string | undefined;
  readonly order: Order;
  /** A file is full after this time too: what is too old is given up by file. */
  readonly maxFileMs: number;
  /** Bytes of batches that could not be written and may wait in memory; above it the oldest is given up. */
  readonly maxMemory: number;
  /**
   * Makes room for so many bytes on the disk.
   * @param isFull whether the disk itself is, and not only what the spool may take of it
   * @param isPressed whether memory is running short too
   * @returns whether there is room now
   */
  readonly makeRoom: (bytes: number, isFull: boolean, isPressed: boolean) => boolean;
  /** Whether a batch that is lost with the process is had again from its source, which does not go on before. */
  readonly hasSource: boolean;
  /** Whether a batch that finds no room is given up; else it waits in memory, and its source with it. */
  readonly givesUp: boolean;
  readonly onDropped: (count: number, reason: DropReason) => void;
  /** Told of bytes in a file that are no batch, and how many records they were, where that is known. */
  readonly onDamage: (bytes: Buffer, count?: number) => void;
  readonly onFault: (error: unknown) => void;
}

/** A batch whose bytes are in memory. */
interface Entry {
  readonly otlp: Buffer;
  readonly count: number;
  readonly time: number;
  /** The same by a clock that nobody sets, ms of performance.now(). */
  readonly since: number;
  /** Where it is on the disk, once it is. */
  place: { readonly segment: Segment; readonly frame: Frame } | undefined;
  /** Whether it survives a loss of power. */
  durable: boolean;
  /** Lets its source go on. */
  readonly settle: () => void;
}

/** Batches that are being sent as one request. */
export interface Taken {
  /** One request of all of them. */
  readonly otlp: Buffer;
  /** Number of records. */
  readonly count: number;
  /** When the oldest of them was added, ms since the epoch. */
  readonly time: number;
  /** Where they are on the disk; undefined where they are in memory only. */
  readonly segment: Segment | undefined;
  readonly batches: number;
}

export class Lane {
  private readonly options: LaneOptions;
  /** The oldest first. */
  private readonly segments: Segment[] = [];
  /** The last of them, while batches are added to it. */
  private active: Segment | undefined;
  /** The one that was, before its end was sent. */
  private lastActive: Segment | undefined;
  private nextId = 1;
  /** Batches that are on the disk, but only since a moment ago. */
  private readonly recent = new Map<Frame, Entry>();
  /** Batches that are not on the disk yet, the oldest first. */
  private unwritten: Entry[] = [];
  private unwrittenBytes = 0;
  /** Of recent batches that are not durable. */
  private unsyncedBytes = 0;
  private lastDone = Number.NEGATIVE_INFINITY;
  private taken: { readonly what: Taken; readonly entries: ReadonlySet<Entry> } | undefined;
  /** Kept between requests. */
  private readonly joined = new Room();
  private readonly readFrom = new Room();
  private isNewFile = false;
  private syncing: Promise<void> | undefined;
  private isStopped = false;
  private keepTimer: NodeJS.Timeout | undefined;
  private retryTimer: NodeJS.Timeout | undefined;
  private wake: (() => void) | undefined;

  /** @throws when the directory cannot be read or made */
  constructor(options: LaneOptions) {
    this.options = options;
    const { directory } = options;
    if (directory === undefined) return;
    mkdirSync(directory, { recursive: true, mode: 0o700 });
    const ids = readdirSync(directory)
      .map((name) => Number(/^(\d+)\.seg$/.exec(name)?.[1]))
      .filter((id) => !Number.isNaN(id))
      .sort((one, other) => one - other);
    for (const id of ids) {
      const segment = Segment.open(this.pathOf(id));
      this.segments.push(segment);
      this.tidy(segment);
    }
    // A file of an earlier process is never added to: what it holds after a loss of power is not known.
    this.nextId = (ids.at(-1) ?? 0) + 1;
  }

  /** Bytes of its files. */
  get diskBytes(): number {
    return this.segments.reduce((sum, { size }) => sum + size, 0);
  }

  /** Bytes that wait, in files and in memory. */
  get bytes(): number {
    return this.segments.reduce((sum, { left }) => sum + left, 0) + this.unwrittenBytes;
  }

  /** When the oldest batch that waits was added, ms since the epoch; undefined when none does. */
  get oldest(): number | undefined {
    const segment = this.segments.find(({ isEmpty }) => !isEmpty);
    if (segment === undefined) return this.unwritten[0]?.time;
    try {
      const time = segment.frames(this.options.onDamage)[0]?.time ?? segment.lastTime;
      this.rest(segment);
      return time;
    } catch {
      // Whoever sends it says so.
      return segment.lastTime;
    }
  }

  /** When what is sent next was added, ms since the epoch; undefined when nothing is left. */
  get nextTime(): number | undefined {
    const isNewest = this.options.order === 'newest';
    const waiting = isNewest ? this.unwritten.at(-1) : this.unwritten[0];
    if (isNewest && waiting !== undefined) return waiting.time;
    const segment = this.nextSegment;
    if (segment === undefined) return waiting?.time;
    const frames = this.framesOf(segment);
    return (isNewest ? frames.at(-1) : frames[0])?.time ?? segment.lastTime;
  }

  /** Resolves when the batch survives whatever happens, was delivered, or was given up. */
  add(otlp: Buffer, count: number): Promise<void> {
    // What comes after the end is had again from its source, or lost.
    if (this.isStopped) {
      if (this.options.hasSource) return new Promise(() => {});
      this.options.onDropped(count, 'shutdown');
      return Promise.resolve();
    }
    return new Promise((settle) => {
      const [time, since] = [Date.now(), performance.now()];
      this.unwritten.push({ otlp, count, time, since, place: undefined, durable: false, settle });
      this.unwrittenBytes += otlp.length;
      if (!this.options.hasSource || this.isPressed) this.write();
      this.keepSoon();
      const reason = this.options.directory === undefined ? 'memory_full' : 'disk_full';
      while (this.unwrittenBytes > this.options.maxMemory && this.giveUpUnwritten(reason));
      this.wake?.();
    });
  }

  /** Resolves when there is something to send, or the signal aborts. */
  async something(signal: AbortSignal): Promise<void> {
    while (!signal.aborted && this.segments.every(({ isEmpty }) => isEmpty) && this.unwritten.length === 0) {
      await new Promise<void>((resolve) => {
        const done = () => {
          signal.removeEventListener('abort', done);
          this.wake = undefined;
          resolve();
        };
        signal.addEventListener('abort', done);
        this.wake = done;
      });
    }
  }

  /**
   * What is to be sent next, as one request of `maxBytes` at most; one batch at least. It is done with by `done`,
   * or put back by `release`, before the next is taken.
   * @throws what reading throws
   */
  take(maxBytes: number): Taken | undefined {
    const isNewest = this.options.order === 'newest';
    if (isNewest && this.unwritten.length > 0) return this.takeUnwritten(maxBytes);
    for (;;) {
      const segment = this.nextSegment;
      if (segment === undefined) return this.takeUnwritten(maxBytes);
      const taken = this.takeFrom(segment, maxBytes);
      if (taken !== undefined) return taken;
      this.tidy(segment);
    }
  }

  /** What was taken was delivered, or given up. */
  done(): void {
    // After the end nobody hears of it: what was sent is on the disk, and comes again.
    if (this.isStopped) return;
    const { what, entries } = this.taken!;
    this.taken = undefined;
    this.lastDone = performance.now();
    if (what.segment !== undefined) this.drop(what.segment, what.batches, entries);
    else {
      // Some were written while they were sent.
      const placed = Map.groupBy(entries, ({ place }) => place?.segment);
      for (const [segment, some] of placed) if (segment !== undefined) this.drop(segment, some.length, some);
      const left = new Set(placed.get(undefined));
      this.unwritten = this.unwritten.filter((entry) => !left.has(entry));
      for (const { otlp, settle } of left) {
        this.unwrittenBytes -= otlp.length;
        settle();
      }
    }
    if (this.retryTimer !== undefined) this.write();
    this.keepSoon();
  }

  /**
   * What was taken is taken again later.
   * @param mayBeOnItsWay whether a request that failed may still be sent from where it is
   */
  release(mayBeOnItsWay = true): void {
    if (this.isStopped) return;
    const { what, entries } = this.taken!;
    this.taken = undefined;
    if (what.segment !== undefined) {
      // Nobody has begun another since: it is added to again.
      if (what.segment === this.segments.at(-1) && what.segment === this.lastActive)
        this.active ??= what.segment;
      this.rest(what.segment);
    }
    if (mayBeOnItsWay) {
      this.joined.renew();
      this.readFrom.renew();
    }
    for (const entry of entries) if (entry.durable) this.settle(entry);
    if (this.retryTimer !== undefined) this.write();
    this.keepSoon();
  }

  /**
   * Gives up the oldest file.
   * @returns whether there was one
   */
  giveUpOldest(reason: DropReason): boolean {
    const segment = this.segments.find((one) => !this.isInUse(one));
    if (segment === undefined) return false;
    let frames: readonly Frame[] = [];
    try {
      frames = segment.frames(this.options.onDamage);
    } catch (error) {
      this.options.onFault(error);
    }
    // Of one that cannot be read it is not known how many they were.
    const count = frames.reduce((sum, frame) => sum + frame.count, 0);
    if (!segment.isEmpty) this.options.onDropped(Math.max(1, count), reason);
    for (const frame of frames) {
      const entry = this.recent.get(frame);
      if (entry !== undefined) this.settle(entry);
    }
    this.discard(segment);
    return true;
  }

  /** Gives up the files that nothing was added to since `time`, ms since the epoch, and what waits in memory since. */
  expire(time: number): void {
    for (const segment of [...this.segments]) {
      if (this.isInUse(segment) || segment.isEmpty) continue;
      if (segment.lastTime >= time) return;
      this.giveUpOldest('expired');
    }
    while (
      this.unwritten[0] !== undefined &&
      this.unwritten[0].time < time &&
      this.giveUpUnwritten('expired')
    );
  }

  /** Leaves what is on the disk there. @returns the number of records that are not */
  async stop(): Promise<number> {
    clearTimeout(this.keepTimer);
    this.write();
    clearTimeout(this.retryTimer);
    this.retryTimer = undefined;
    this.isStopped = true;
    // What is on the disk needs its source no more, whatever becomes of the last request.
    const { taken } = this;
    this.taken = undefined;
    for (const entry of taken?.entries ?? []) if (entry.durable) this.settle(entry);
    // One that is under way does not know of what was just written.
    await this.syncing;
    await this.sync();
    for (const segment of this.segments) segment.forget();
    return this.unwritten.reduce((sum, { count }) => sum + count, 0);
  }

  /** The file whose turn it is; undefined when nothing is left in any. */
  private get nextSegment(): Segment | undefined {
    const hasSome = ({ isEmpty }: Segment) => !isEmpty;
    return this.options.order === 'newest' ? this.segments.findLast(hasSome) : this.segments.find(hasSome);
  }

  private takeFrom(segment: Segment, maxBytes: number): Taken | undefined {
    const all = this.framesOf(segment);
    if (all.length === 0) return undefined;
    const frames = this.choose(all, maxBytes);
    const entries = frames.map((frame) => this.recent.get(frame));
    const parts = entries.includes(undefined)
      ? this.reading(segment, () => segment.read(frames, this.readFrom))
      : entries.map((entry) => entry!.otlp);
    const whole = frames.filter((frame, index) => {
      if (parts[index] !== undefined) return true;
      this.options.onDamage(segment.raw(frame), frame.count);
      return false;
    });
    // Nobody adds to a file whose end is being sent.
    if (this.options.order === 'newest' && segment === this.active) {
      this.lastActive = segment;
      this.active = undefined;
    }
    const what: Taken = {
      otlp: this.join(parts.filter((part) => part !== undefined)),
      count: whole.reduce((sum, { count }) => sum + count, 0),
      time: frames[0]!.time,
      segment,
      batches: frames.length,
    };
    this.taken = { what, entries: new Set(entries.filter((entry) => entry !== undefined)) };
    return what;
  }

  private takeUnwritten(maxBytes: number): Taken | undefined {
    if (this.unwritten.length === 0) return undefined;
    const sizes = this.unwritten.map((entry) => ({ entry, bytes: entry.otlp.length }));
    const entries = this.choose(sizes, maxBytes).map(({ entry }) => entry);
    const what: Taken = {
      otlp: this.join(entries.map(({ otlp }) => otlp)),
      count: entries.reduce((sum, { count }) => sum + count, 0),
      time: entries[0]!.time,
      segment: undefined,
      batches: entries.length,
    };
    this.taken = { what, entries: new Set(entries) };
    return what;
  }

  /** From the side that goes first, as many as fit; one at least. */
  private choose<T extends { readonly bytes: number }>(all: readonly T[], maxBytes: number): readonly T[] {
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

  /** One request of several; valid until the next, which is not made before this one was answered. */
  private join(parts: readonly Buffer[]): Buffer {
    if (parts.length === 1) return parts[0]!;
    const size = parts.reduce((sum, { length }) => sum + length, 0);
    const joined = this.joined.of(size);
    let position = 0;
    for (const part of parts) position += part.copy(joined, position);
    return joined;
  }

  private get isPressed(): boolean {
    return this.unwrittenBytes > this.options.maxMemory / 2;
  }

  /** Puts on the disk what is not there, as far as there is room. */
  private write(): void {
    const { directory, makeRoom, givesUp } = this.options;
    const isSentFromMemory = this.taken !== undefined && this.taken.what.segment === undefined;
    // The oldest can be written while they are sent: they are the first of their file. The newest are not its last.
    if (directory === undefined || (isSentFromMemory && this.options.order === 'newest')) return;
    while (this.unwritten.length > 0) {
      const entry = this.unwritten[0]!;
      const { length } = entry.otlp;
      if (!makeRoom(length, false, this.isPressed)) {
        // What is being sent is not given up.
        if (!givesUp || this.taken?.entries.has(entry) === true) {
          this.tryAgain();
          return;
        }
        this.options.onDropped(entry.count, 'spool_full');
        this.unwritten.shift();
        entry.settle();
      } else {
        if (!this.append(entry)) {
          this.tryAgain();
          return;
        }
        this.unwritten.shift();
        this.unsyncedBytes += length;
      }
      this.unwrittenBytes -= length;
    }
  }

  /** Sees to it that what waits is on the disk for good before too long. */
  private keepSoon(): void {
    const bytes = this.unsyncedBytes + this.unwrittenBytes;
    if (this.isStopped || this.options.directory === undefined || bytes === 0) return;
    if (bytes > this.patience.bytes) this.keep();
    else this.keepTimer ??= setTimeout(() => this.keepIfDue(), PATIENCE.waiting.ms);
  }

  private keepIfDue(): void {
    this.keepTimer = undefined;
    const [recent] = this.recent.values();
    const now = performance.now();
    const oldest = Math.min(recent?.since ?? now, this.unwritten[0]?.since ?? now);
    if (now - oldest < this.patience.ms - 1) this.keepSoon();
    else this.keep();
  }

  private keep(): void {
    // A disk that was full is tried again at its own time.
    if (this.retryTimer === undefined) this.write();
    void this.sync();
  }

  private get patience(): (typeof PATIENCE)[keyof typeof PATIENCE] {
    return performance.now() - this.lastDone < FLOWING_MS ? PATIENCE.flowing : PATIENCE.waiting;
  }

  /** @returns whether the disk took it */
  private append(entry: Entry): boolean {
    const { otlp, count, time } = entry;
    for (let attempt = 1; ; attempt++) {
      try {
        if (this.active === undefined || this.active.isFull(SEGMENT_BYTES, this.options.maxFileMs))
          this.begin();
        const segment = this.active!;
        const frame = segment.append(otlp, count, time);
        entry.place = { segment, frame };
        this.recent.set(frame, entry);
        return true;
      } catch (error) {
        this.options.onFault(error);
        const { code = '' } = error as NodeJS.ErrnoException;
        if (code === 'ENOENT') mkdirSync(this.options.directory!, { recursive: true, mode: 0o700 });
        else if (!NO_ROOM.has(code) || !this.options.makeRoom(otlp.length, true, this.isPressed))
          return false;
        if (attempt > 1) return false;
      }
    }
  }

  private begin(): void {
    const id = this.nextId++;
    const last = this.active;
    this.active = Segment.create(this.pathOf(id));
    this.segments.push(this.active);
    if (last !== undefined) this.rest(last);
    this.isNewFile = true;
  }

  private pathOf(id: number): string {
    return join(this.options.directory!, `${String(id).padStart(10, '0')}.seg`);
  }

  private tryAgain(): void {
    this.retryTimer ??= setTimeout(() => {
      this.retryTimer = undefined;
      this.write();
      this.keepSoon();
    }, TRY_AGAIN_MS);
  }

  /** Sees to it that what was written survives a loss of power; once at a time. */
  private sync(): Promise<void> {
    clearTimeout(this.keepTimer);
    this.keepTimer = undefined;
    if (this.unsyncedBytes === 0) return this.syncing ?? Promise.resolve();
    this.syncing ??= this.syncRecent().finally(() => {
      this.syncing = undefined;
      this.keepSoon();
    });
    return this.syncing;
  }

  private async syncRecent(): Promise<void> {
    const entries = [...this.recent.values()].filter(({ durable }) => !durable);
    try {
      await Promise.all([...new Set(entries.map(({ place }) => place!.segment))].map((one) => one.sync()));
      if (this.isNewFile) await this.syncDirectory();
    } catch (error) {
      this.options.onFault(error);
      return;
    }
    for (const entry of entries) {
      // Some were delivered meanwhile.
      if (!this.recent.has(entry.place!.frame)) continue;
      entry.durable = true;
      this.unsyncedBytes -= entry.otlp.length;
      if (this.taken?.entries.has(entry) !== true) this.settle(entry);
    }
    for (const { place } of entries) this.rest(place!.segment);
  }

  /** That a file is there has to be written too. */
  private async syncDirectory(): Promise<void> {
    const own = this.options.directory!;
    // Those above it may be new too.
    for (const path of [own, dirname(own), dirname(dirname(own))]) {
      const directory = await open(path, 'r');
      try {
        await directory.sync();
      } finally {
        await directory.close();
      }
    }
    this.isNewFile = false;
  }

  /** Lets a batch's source go on, which may write over its bytes. */
  private settle(entry: Entry): void {
    if (!this.recent.delete(entry.place!.frame)) return;
    if (!entry.durable) this.unsyncedBytes -= entry.otlp.length;
    entry.settle();
  }

  /** Whether something in it is being sent. */
  private isInUse(segment: Segment): boolean {
    if (this.taken === undefined) return false;
    if (this.taken.what.segment !== undefined) return this.taken.what.segment === segment;
    for (const { place } of this.taken.entries) if (place?.segment === segment) return true;
    return false;
  }

  /** Gives up what was sent: the batches on the side of a file that goes first. */
  private drop(segment: Segment, batches: number, entries: Iterable<Entry>): void {
    try {
      if (this.options.order === 'newest') segment.dropLast(batches);
      else segment.dropFirst(batches);
    } catch (error) {
      // Only what is on the disk says that they are there still: after a crash they come again.
      this.options.onFault(error);
    }
    for (const entry of entries) this.settle(entry);
    this.tidy(segment);
  }

  /** A full file that waits for its turn needs no memory meanwhile. */
  private rest(segment: Segment): void {
    if (segment === this.active || this.isInUse(segment)) return;
    for (const { place } of this.recent.values()) if (place!.segment === segment) return;
    segment.forget();
  }

  private giveUpUnwritten(reason: DropReason): boolean {
    const index = this.unwritten.findIndex((entry) => this.taken?.entries.has(entry) !== true);
    if (index === -1) return false;
    const [entry] = this.unwritten.splice(index, 1);
    this.unwrittenBytes -= entry!.otlp.length;
    this.options.onDropped(entry!.count, reason);
    entry!.settle();
    return true;
  }

  private framesOf(segment: Segment): readonly Frame[] {
    return this.reading(segment, () => segment.frames(this.options.onDamage));
  }

  /** Reads from a file; one that fails again and again is left to the next process. */
  private reading<T>(segment: Segment, read: () => T): T {
    try {
      const result = read();
      segment.failures = 0;
      return result;
    } catch (error) {
      if (++segment.failures >= MAX_FAILURES) {
        this.options.onDropped(1, 'damaged');
        this.segments.splice(this.segments.indexOf(segment), 1);
      }
      throw error;
    }
  }

  /** Removes a file that nothing is left in, unless it is to be added to. */
  private tidy(segment: Segment): void {
    if (segment.isEmpty && (segment !== this.active || segment.size > SPENT_BYTES)) this.discard(segment);
  }

  private discard(segment: Segment): void {
    if (segment === this.active) this.active = undefined;
    this.segments.splice(this.segments.indexOf(segment), 1);
    try {
      segment.remove();
    } catch (error) {
      this.options.onFault(error);
    }
  }
}
