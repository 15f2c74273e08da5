/** Reads all log files in turn: each soon, none for long, and without delaying other work. */

import type { LogSink } from '../../records/collector.ts';
import { TimeSlice } from '../../shared/time-slice.ts';
import type { FileTail } from './tail.ts';

/** Time between two polls of the files. */
const POLL_MS = 100;
/** The same while the kernel watches all files. */
const IDLE_POLL_MS = 1000;
/** The same where the kernel is also known to report writes. */
const NOTIFIED_POLL_MS = 10_000;
/** A quiet file is read in every n-th poll, not all files in the same one. */
const QUIET_POLLS = 5;
/** A file that the kernel watches is read in every n-th poll all the same: not every file system reports writes. */
const WATCHED_POLLS = 50;
/** The same where the kernel is known to report writes, in case that it misses one. */
const NOTIFIED_POLLS = 300;
/** What is read of a file at a time: a few milliseconds of work. */
const PIECE_BYTES = 256 * 1024;
/** The clock is read after so many pieces, and after each piece that fills the buffer. */
const CLOCK_EVERY_PIECES = 8;
/** How many pieces of a file are read without a pause when its end is waited for. */
const MAX_PIECES_AT_ONCE = 8;

export class TailScheduler {
  private readonly tails = new Map<FileTail, LogSink>();
  /** One buffer for all files: pieces are decoded before the next is read. */
  private readonly buffer = Buffer.allocUnsafeSlow(PIECE_BYTES);
  private readonly closing = new AbortController();
  private readonly onError: (error: unknown) => void;
  private running: Promise<void> | undefined;
  /** Number of the last poll: how many times POLL_MS had passed. */
  private lastPoll = 0;
  /** Whether the kernel has reported a write to any file. */
  private isNotified = false;
  /** Whether all files are watched, and pauses are long. */
  private isIdle = false;
  /** By performance.now(). */
  private nextPollAt = 0;
  private endPause: () => void = () => {};

  /** @param onError called with what a tail threw; the others continue */
  constructor(onError: (error: unknown) => void) {
    this.onError = onError;
  }

  /** @param sink that takes the tail's lines; reading waits for its capacity */
  add(tail: FileTail, sink: LogSink): void {
    this.tails.set(tail, sink);
    tail.onReadable = (byKernel) => {
      this.isNotified ||= byKernel;
      if (this.isIdle) this.wake();
    };
    void tail.finished.then(() => this.tails.delete(tail));
    this.wake();
    this.running ??= this.run();
  }

  /**
   * Reads a file to its end at once, if that takes few pieces and the sink has capacity.
   * @returns whether the end was reached
   */
  readToEnd(tail: FileTail): boolean {
    const capacity = this.tails.get(tail)?.waitForCapacity(this.closing.signal);
    if (capacity !== undefined) return false;
    for (let pieces = 0; pieces < MAX_PIECES_AT_ONCE; pieces++)
      if (!this.readPiece(tail)) return !tail.isWaiting;
    return false;
  }

  async close(): Promise<void> {
    this.closing.abort();
    this.wake();
    await this.running;
  }

  private async run(): Promise<void> {
    const { signal } = this.closing;
    let unfinished: FileTail[] = [];
    let pieces = 0;
    const slice = new TimeSlice();
    while (!signal.aborted) {
      const now = performance.now();
      let due = unfinished;
      if (now >= this.nextPollAt) {
        this.isIdle = unfinished.length === 0 && this.areAllWatched(now);
        this.nextPollAt = now + (this.isIdle ? this.idlePollMs : POLL_MS);
        due = this.dueTails(new Set(unfinished), now);
      }
      unfinished = [];
      for (const tail of due) {
        const capacity = this.tails.get(tail)?.waitForCapacity(signal);
        if (capacity !== undefined) await capacity;
        if (signal.aborted) return;
        const isUnfinished = this.readPiece(tail);
        if (isUnfinished) unfinished.push(tail);
        // Reading the clock costs more than a file without new lines.
        pieces += isUnfinished ? CLOCK_EVERY_PIECES : 1;
        if (pieces < CLOCK_EVERY_PIECES) continue;
        pieces = 0;
        if (slice.isOver) await slice.yieldToEventLoop();
      }
      if (unfinished.length === 0) {
        await this.pause(this.nextPollAt - performance.now());
        slice.restart();
      }
    }
  }

  /** Polls the files now. */
  private wake(): void {
    this.nextPollAt = 0;
    this.endPause();
  }

  private pause(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, Math.max(0, ms));
      this.endPause = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  private areAllWatched(now: number): boolean {
    for (const tail of this.tails.keys()) if (!tail.isWatched || !tail.isQuiet(now)) return false;
    return true;
  }

  /** Whether the kernel is known to report writes to this file. */
  private isNotifiedOf(tail: FileTail): boolean {
    return this.isNotified || tail.isLocal;
  }

  private get idlePollMs(): number {
    for (const tail of this.tails.keys()) if (!this.isNotifiedOf(tail)) return IDLE_POLL_MS;
    return NOTIFIED_POLL_MS;
  }

  /** Files that have more, and all that this poll reads. */
  private dueTails(unfinished: ReadonlySet<FileTail>, now: number): FileTail[] {
    const poll = Math.floor(now / POLL_MS);
    const passed = poll - this.lastPoll;
    this.lastPoll = poll;
    let index = 0;
    const due: FileTail[] = [];
    for (const tail of this.tails.keys()) {
      const watchedPolls = this.isNotifiedOf(tail) ? NOTIFIED_POLLS : WATCHED_POLLS;
      const every = !tail.isQuiet(now) ? 1 : tail.isWatched ? watchedPolls : QUIET_POLLS;
      // A file is due when its number is reached, which may have been since the last poll.
      const isDue = (index++ + poll) % every < passed;
      if (isDue && every === QUIET_POLLS) tail.watch();
      if (isDue || unfinished.has(tail)) due.push(tail);
    }
    return due;
  }

  private readPiece(tail: FileTail): boolean {
    try {
      return tail.readPiece(this.buffer);
    } catch (error) {
      this.onError(error);
      return false;
    }
  }
}
