/** Gives every log file its turns: all of them soon, none for long, and nothing else kept waiting. */

import type { LogSink } from '../../records/collector.ts';
import { TimeSlice } from '../../shared/time-slice.ts';
import type { FileTail } from './tail.ts';

/** Time from one look at the files to the next. */
const LOOK_EVERY_MS = 100;
/** The same while the kernel watches all of them, and where it is known to tell. */
const IDLE_LOOK_EVERY_MS = 1000;
const TOLD_LOOK_EVERY_MS = 10_000;
/** Quiet files are looked at once in so many times LOOK_EVERY_MS, not all at the same time. */
const QUIET_EVERY = 5;
/** Those that the kernel watches for us are looked at now and then all the same: not every file system tells. */
const WATCHED_EVERY = 50;
/** And where it does, in case that something is missed. */
const TOLD_EVERY = 300;
/** What a file is read by in one turn: a few milliseconds' work. */
const TURN_BYTES = 256 * 1024;
/** How many turns without much to do go without a look at the clock. */
const LONGEST_TURNS = 8;

/** How much of a file is read at one go when somebody waits for its end, in buffers. */
const HURRIED_TURNS = 8;

export class Tailer {
  private readonly tails = new Map<FileTail, LogSink>();
  private readonly buffer = Buffer.allocUnsafeSlow(TURN_BYTES);
  private readonly stopping = new AbortController();
  private readonly onFault: (error: unknown) => void;
  private running: Promise<void> | undefined;
  /** How many times LOOK_EVERY_MS were over at the last look. */
  private looked = 0;
  /** Whether the kernel has told of a file that was written to. */
  private isTold = false;
  /** Whether all files are watched, and pauses are long. */
  private isIdle = false;
  /** By performance.now(). */
  private nextLook = 0;
  private endPause: () => void = () => {};

  /** @param onFault told what a tail threw; the others go on */
  constructor(onFault: (error: unknown) => void) {
    this.onFault = onFault;
  }

  /** @param sink whose room the tail's lines need */
  add(tail: FileTail, sink: LogSink): void {
    this.tails.set(tail, sink);
    tail.onWoken = (byKernel) => {
      this.isTold ||= byKernel;
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
  hurry(tail: FileTail): boolean {
    const room = this.tails.get(tail)?.waitForCapacity(this.stopping.signal);
    if (room !== undefined) return false;
    for (let turns = 0; turns < HURRIED_TURNS; turns++) if (!this.turn(tail)) return !tail.isWaiting;
    return false;
  }

  async stop(): Promise<void> {
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
      let due = unfinished;
      if (now >= this.nextLook) {
        this.isIdle = unfinished.length === 0 && this.areAllWatched(now);
        this.nextLook = now + (this.isIdle ? this.idleMs : LOOK_EVERY_MS);
        due = this.due(new Set(unfinished), now);
      }
      unfinished = [];
      for (const tail of due) {
        const room = this.tails.get(tail)?.waitForCapacity(signal);
        if (room !== undefined) await room;
        if (signal.aborted) return;
        const isUnfinished = this.turn(tail);
        if (isUnfinished) unfinished.push(tail);
        // A turn without anything to do is not worth a look at the clock.
        turns += isUnfinished ? LONGEST_TURNS : 1;
        if (turns < LONGEST_TURNS) continue;
        turns = 0;
        if (slice.isOver) await slice.yieldToEventLoop();
      }
      if (unfinished.length === 0) {
        await this.pause(this.nextLook - performance.now());
        slice.restart();
      }
    }
  }

  /** Has the files looked at now. */
  private wake(): void {
    this.nextLook = 0;
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
  private isToldOf(tail: FileTail): boolean {
    return this.isTold || tail.isLocal;
  }

  private get idleMs(): number {
    for (const tail of this.tails.keys()) if (!this.isToldOf(tail)) return IDLE_LOOK_EVERY_MS;
    return TOLD_LOOK_EVERY_MS;
  }

  /** Those that have more, and all whose turn it is. */
  private due(unfinished: ReadonlySet<FileTail>, now: number): FileTail[] {
    const look = Math.floor(now / LOOK_EVERY_MS);
    const passed = look - this.looked;
    this.looked = look;
    let index = 0;
    const due: FileTail[] = [];
    for (const tail of this.tails.keys()) {
      const watchedEvery = this.isToldOf(tail) ? TOLD_EVERY : WATCHED_EVERY;
      const every = !tail.isQuiet(now) ? 1 : tail.isWatched ? watchedEvery : QUIET_EVERY;
      // Each has its turn where its number is reached, which may have been since the last look.
      const isTurn = (index++ + look) % every < passed;
      if (isTurn && every === QUIET_EVERY) tail.watch();
      if (isTurn || unfinished.has(tail)) due.push(tail);
    }
    return due;
  }

  private turn(tail: FileTail): boolean {
    try {
      return tail.turn(this.buffer);
    } catch (error) {
      this.onFault(error);
      return false;
    }
  }
}
