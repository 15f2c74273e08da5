/** Gives every log file its turns: all of them soon, none for long, and nothing else kept waiting. */

import type { LogSink } from '../../records/collector.ts';
import { TimeSlice } from '../../shared/time-slice.ts';
import type { FileTail } from './tail.ts';

/** Time from one look at the files to the next. */
const POLL_MS = 100;
/** The same while the kernel watches all of them, and where it is known to tell. */
const IDLE_POLL_MS = 1000;
const NOTIFIED_POLL_MS = 10_000;
/** Quiet files are looked at once in so many times LOOK_EVERY_MS, not all at the same time. */
const QUIET_POLLS = 5;
/** Those that the kernel watches for us are looked at now and then all the same: not every file system tells. */
const WATCHED_POLLS = 50;
/** And where it does, in case that something is missed. */
const NOTIFIED_POLLS = 300;
/** What a file is read by in one turn: a few milliseconds' work. */
const PIECE_BYTES = 256 * 1024;
/** How many turns without much to do go without a look at the clock. */
const CLOCK_EVERY_PIECES = 8;

/** How much of a file is read at one go when somebody waits for its end, in buffers. */
const MAX_PIECES_AT_ONCE = 8;

export class TailScheduler {
  private readonly tails = new Map<FileTail, LogSink>();
  private readonly buffer = Buffer.allocUnsafeSlow(PIECE_BYTES);
  private readonly stopping = new AbortController();
  private readonly onError: (error: unknown) => void;
  private running: Promise<void> | undefined;
  /** How many times LOOK_EVERY_MS were over at the last look. */
  private lastPoll = 0;
  /** Whether the kernel has told of a file that was written to. */
  private isNotified = false;
  /** Whether all files are watched, and pauses are long. */
  private isIdle = false;
  /** By performance.now(). */
  private nextPollAt = 0;
  private endPause: () => void = () => {};

  /** @param onFault told what a tail threw; the others go on */
  constructor(onFault: (error: unknown) => void) {
    this.onError = onFault;
  }

  /** @param sink whose room the tail's lines need */
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
   * Reads a file to its end without waiting for its turn, as far as that is done at once.
   * @returns whether it was
   */
  readToEnd(tail: FileTail): boolean {
    const room = this.tails.get(tail)?.waitForCapacity(this.stopping.signal);
    if (room !== undefined) return false;
    for (let turns = 0; turns < MAX_PIECES_AT_ONCE; turns++)
      if (!this.readPiece(tail)) return !tail.isWaiting;
    return false;
  }

  async close(): Promise<void> {
    this.stopping.abort();
    this.wake();
    await this.running;
  }

  private async run(): Promise<void> {
    const { signal } = this.stopping;
    let unfinished: FileTail[] = [];
    let turns = 0;
    const slice = new TimeSlice();
    while (!signal.aborted) {
      const now = performance.now();
      let dueTails = unfinished;
      if (now >= this.nextPollAt) {
        this.isIdle = unfinished.length === 0 && this.areAllWatched(now);
        this.nextPollAt = now + (this.isIdle ? this.idlePollMs : POLL_MS);
        dueTails = this.due(new Set(unfinished), now);
      }
      unfinished = [];
      for (const tail of dueTails) {
        const room = this.tails.get(tail)?.waitForCapacity(signal);
        if (room !== undefined) await room;
        if (signal.aborted) return;
        const isUnfinished = this.readPiece(tail);
        if (isUnfinished) unfinished.push(tail);
        // A turn without anything to do is not worth a look at the clock.
        turns += isUnfinished ? CLOCK_EVERY_PIECES : 1;
        if (turns < CLOCK_EVERY_PIECES) continue;
        turns = 0;
        if (slice.isOver) await slice.yieldToEventLoop();
      }
      if (unfinished.length === 0) {
        await this.pause(this.nextPollAt - performance.now());
        slice.restart();
      }
    }
  }

  /** Has the files looked at now. */
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

  /** Whether a file need not be looked at for the kernel to be known to tell of it. */
  private isNotifiedOf(tail: FileTail): boolean {
    return this.isNotified || tail.isLocal;
  }

  private get idlePollMs(): number {
    for (const tail of this.tails.keys()) if (!this.isNotifiedOf(tail)) return IDLE_POLL_MS;
    return NOTIFIED_POLL_MS;
  }

  /** Those that have more, and all whose turn it is. */
  private due(unfinished: ReadonlySet<FileTail>, now: number): FileTail[] {
    const look = Math.floor(now / POLL_MS);
    const passed = look - this.lastPoll;
    this.lastPoll = look;
    let index = 0;
    const due: FileTail[] = [];
    for (const tail of this.tails.keys()) {
      const watchedEvery = this.isNotifiedOf(tail) ? NOTIFIED_POLLS : WATCHED_POLLS;
      const every = !tail.isQuiet(now) ? 1 : tail.isWatched ? watchedEvery : QUIET_POLLS;
      // Each has its turn where its number is reached, which may have been since the last look.
      const isTurn = (index++ + look) % every < passed;
      if (isTurn && every === QUIET_POLLS) tail.watch();
      if (isTurn || unfinished.has(tail)) due.push(tail);
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
