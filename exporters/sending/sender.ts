/**
 * Sends what is in one lane of the spool, one request at a time: repeats it until the receiver takes it, and looks
 * for the records in it that the receiver will never take.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Lane, Taken } from '../spool/lane.ts';
import type { Gate, Hold, Pass } from './gate.ts';
import type { Pace } from './pace.ts';
import type { Transport, Verdict } from './verdict.ts';

/** Batches are joined up to this size. */
const JOIN_BYTES = 3 * 1024 * 1024;
/** gRPC receivers take 4 MiB by default; what is larger is halved before it is sent. */
const MAX_REQUEST_BYTES = 4 * 1024 * 1024 - 64 * 1024;
const LEAST_JOIN_BYTES = 64 * 1024;
/** How often the requests that a refused one becomes are halved in turn: four bad records are found in ten thousand. */
const MAX_HALVINGS = 64;
/** As long as a receiver has refused all of what it got. */
const FEW_HALVINGS = 4;
/** How often those that one becomes that is too large are. */
const MAX_SIZE_HALVINGS = 1024;
/** How often backlog that has to wait gives way to what is new. */
const LOOK_MS = 250;

export type SendDropReason = 'refused' | 'too_large' | 'rejected';

export interface SenderOptions {
  readonly lane: Lane;
  readonly transport: Transport;
  readonly gate: Gate;
  readonly hold: Hold;
  readonly pace: Pace;
  /** Up to what size batches are joined, bytes; 0 sends each by itself. */
  readonly joinBytes?: number | undefined;
  /** In two parts; undefined where it cannot be parted. @throws when it is no request */
  readonly halve: (request: Buffer) => readonly Buffer[] | undefined;
  /** Number of records in a request. */
  readonly countOf: (otlp: Buffer) => number;
  readonly onSent: (records: number, bytes: number) => void;
  readonly onRetry: (message: string) => void;
  readonly onDropped: (records: number, reason: SendDropReason, message: string) => void;
  /** Keeps a request that was given up for whoever wants to look at it. */
  readonly setAside: (otlp: Buffer) => void;
}

export class Sender {
  private readonly options: SenderOptions;
  private readonly mostBytes: number;
  private joinBytes: number;
  /** Whether the receiver took anything of what it got last. */
  private isTrusted = true;
  /** Whether the last request is over: one that was not answered may be on its way. */
  private isAnswered = false;

  constructor(options: SenderOptions) {
    this.options = options;
    this.mostBytes = options.joinBytes ?? JOIN_BYTES;
    this.joinBytes = this.mostBytes;
  }

  /** Whether the receiver does not want this signal for now. */
  get isHeld(): boolean {
    return this.options.hold.isOn;
  }

  /**
   * Sends what comes until the signal aborts.
   * @throws what reading from the lane throws
   */
  async run(signal: AbortSignal): Promise<void> {
    const { lane, gate, pace } = this.options;
    while (!signal.aborted) {
      await lane.something(signal);
      // Whatever else is added in this turn of the event loop shares the request.
      await undefined;
      const pass = await gate.pass();
      try {
        if (signal.aborted) return;
        const { nextTime } = lane;
        const delay = nextTime === undefined ? 0 : pace.delay(nextTime);
        const taken = delay > 0 ? undefined : lane.take(this.joinBytes);
        if (taken === undefined) {
          gate.unused(pass);
          if (delay > 0) await sleep(Math.min(delay, LOOK_MS), undefined, { signal }).catch(() => {});
          continue;
        }
        if (taken.count === 0) gate.unused(pass);
        const isDone = taken.count === 0 || (await this.deliver(taken, pass, signal));
        if (isDone) {
          pace.sent(taken.time, taken.otlp.length);
          lane.done();
        } else lane.release(!this.isAnswered);
      } catch (error) {
        gate.unused(pass);
        throw error;
      }
    }
  }

  /** @returns whether it was taken or given up; else it is to be sent again */
  private async deliver(taken: Taken, first: Pass, signal: AbortSignal): Promise<boolean> {
    const { gate, hold } = this.options;
    const pieces = this.fitting(taken.otlp);
    const isWhole = pieces.length === 1;
    let halvings = this.isTrusted ? MAX_HALVINGS : FEW_HALVINGS;
    let sizeHalvings = MAX_SIZE_HALVINGS;
    let isTrusted = false;
    let isFirst = true;
    for (let piece = pieces.shift(); piece !== undefined; piece = pieces.shift()) {
      const pass = isFirst ? first : await gate.pass();
      const verdict = signal.aborted ? undefined : await this.options.transport.send(piece);
      if (verdict === undefined || (signal.aborted && verdict.kind !== 'accepted')) {
        gate.unused(pass);
        return false;
      }
      const records = isFirst && isWhole ? taken.count : this.options.countOf(piece);
      await this.tell(verdict, pass);
      if (verdict.kind === 'accepted') {
        hold.off();
        const rejected = Math.min(verdict.rejected, records);
        this.options.onSent(records - rejected, piece.length);
        if (rejected > 0 || verdict.message !== '')
          this.options.onDropped(rejected, 'rejected', verdict.message);
        isTrusted = true;
        this.joinBytes = Math.min(this.mostBytes, this.joinBytes + (this.joinBytes >> 3));
      } else if (verdict.kind === 'away' || verdict.kind === 'retry') {
        // In halves it is not sent from the beginning: what was taken of it is not sent twice.
        if (isFirst) return false;
        pieces.unshift(piece);
      } else {
        const isForSize = verdict.kind === 'too_large';
        const mayBe = isForSize ? sizeHalvings-- > 0 : verdict.isContent && halvings-- > 0;
        const halves = mayBe ? this.halve(piece) : undefined;
        if (halves === undefined) {
          this.options.setAside(piece);
          this.options.onDropped(records, verdict.kind, verdict.message);
        } else {
          pieces.unshift(...halves);
          if (isForSize)
            this.joinBytes = Math.min(this.mostBytes, Math.max(LEAST_JOIN_BYTES, piece.length >> 1));
        }
      }
      isFirst = false;
    }
    this.isTrusted = isTrusted;
    return true;
  }

  /** Lets the others know, and waits where that is wanted. */
  private async tell(verdict: Verdict, pass: Pass): Promise<void> {
    const { gate, hold, pace, onRetry } = this.options;
    this.isAnswered = verdict.kind !== 'away';
    if (verdict.kind === 'away') {
      onRetry(verdict.message);
      gate.closed(pass);
      return;
    }
    pace.back(gate.opened());
    if (verdict.kind !== 'retry') return;
    onRetry(verdict.message);
    await hold.wait(verdict.afterMs);
  }

  /** In parts that receivers take, as far as it can be parted. */
  private fitting(otlp: Buffer): Buffer[] {
    if (otlp.length <= MAX_REQUEST_BYTES) return [otlp];
    const halves = this.halve(otlp);
    return halves === undefined ? [otlp] : halves.flatMap((half) => this.fitting(half));
  }

  private halve(otlp: Buffer): readonly Buffer[] | undefined {
    try {
      return this.options.halve(otlp);
    } catch {
      // What is no request cannot be parted.
      return undefined;
    }
  }
}
