/**
 * Sends what is in one lane of the spool, one request at a time: repeats it until the receiver takes it, and looks
 * for the records in it that the receiver will never take.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { halve } from '../../agent/otlp/split.ts';
import type { Lane, Taken } from '../spool/lane.ts';
import type { Gate } from './gate.ts';
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
/** How often backlog that has to wait gives way to what is new. */
const LOOK_MS = 250;

export type SendDropReason = 'refused' | 'too_large' | 'rejected';

export interface SenderOptions {
  readonly lane: Lane;
  readonly transport: Transport;
  readonly gate: Gate;
  readonly pace: Pace;
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
  private joinBytes = JOIN_BYTES;
  /** Whether the receiver took anything of what it got last. */
  private isTrusted = true;

  constructor(options: SenderOptions) {
    this.options = options;
  }

  /** Sends what comes until the signal aborts. */
  async run(signal: AbortSignal): Promise<void> {
    const { lane, gate, pace } = this.options;
    for (;;) {
      await lane.something(signal);
      // Whatever else is added in this turn of the event loop shares the request.
      await undefined;
      await gate.pass();
      if (signal.aborted) return;
      const taken = lane.take(this.joinBytes);
      if (taken === undefined) {
        gate.passedOn();
        continue;
      }
      const delay = pace.delay(taken.time);
      if (delay > 0) {
        lane.release();
        gate.passedOn();
        await sleep(Math.min(delay, LOOK_MS), undefined, { signal }).catch(() => {});
        continue;
      }
      const isDone = taken.count === 0 || (await this.deliver(taken, signal));
      if (taken.count === 0) gate.passedOn();
      // After the end what is under way stays in the lane.
      if (signal.aborted && !isDone) return;
      if (isDone) {
        pace.sent(taken.time, taken.otlp.length);
        lane.done();
      } else lane.release();
    }
  }

  /** @returns whether it was taken or given up; else it is to be sent again */
  private async deliver(taken: Taken, signal: AbortSignal): Promise<boolean> {
    const { gate } = this.options;
    const pieces = this.fitting(taken.otlp);
    const isWhole = pieces.length === 1;
    let halvings = this.isTrusted ? MAX_HALVINGS : FEW_HALVINGS;
    let isTrusted = false;
    let isFirst = true;
    for (let piece = pieces.shift(); piece !== undefined; piece = pieces.shift()) {
      if (!isFirst) await gate.pass();
      if (signal.aborted) return false;
      const verdict = await this.options.transport.send(piece);
      if (signal.aborted && verdict.kind !== 'accepted') return false;
      this.tell(verdict);
      if (verdict.kind === 'accepted') {
        const records = isFirst && isWhole ? taken.count : this.options.countOf(piece);
        this.options.onSent(records - verdict.rejected, piece.length);
        if (verdict.rejected > 0) this.options.onDropped(verdict.rejected, 'rejected', verdict.message);
        isTrusted = true;
      } else if (verdict.kind === 'retry') {
        // In halves it is not sent from the beginning: what was taken of it is not sent twice.
        if (isFirst) return false;
        pieces.unshift(piece);
      } else {
        const halves =
          verdict.kind === 'too_large' || (verdict.isContent && halvings-- > 0)
            ? this.halve(piece)
            : undefined;
        if (halves === undefined) {
          this.options.setAside(piece);
          const records = isFirst && isWhole ? taken.count : this.options.countOf(piece);
          this.options.onDropped(records, verdict.kind, verdict.message);
        } else {
          pieces.unshift(...halves);
          if (verdict.kind === 'too_large')
            this.joinBytes = Math.max(LEAST_JOIN_BYTES, Math.min(this.joinBytes, piece.length >> 1));
        }
      }
      isFirst = false;
    }
    this.isTrusted = isTrusted;
    return true;
  }

  private tell(verdict: Verdict): void {
    const { gate, pace, onRetry } = this.options;
    if (verdict.kind === 'retry') {
      onRetry(verdict.message);
      gate.closed(verdict.afterMs);
    } else pace.back(gate.opened());
  }

  /** In parts that receivers take, as far as it can be parted. */
  private fitting(otlp: Buffer): Buffer[] {
    if (otlp.length <= MAX_REQUEST_BYTES) return [otlp];
    const halves = this.halve(otlp);
    return halves === undefined ? [otlp] : halves.flatMap((half) => this.fitting(half));
  }

  private halve(otlp: Buffer): readonly Buffer[] | undefined {
    try {
      return halve(otlp);
    } catch {
      // What is no request cannot be parted.
      return undefined;
    }
  }
}
