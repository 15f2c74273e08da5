import { setTimeout as sleep } from 'node:timers/promises';
import type { DropReason } from '../shared/drop-reasons.ts';
import type { Lane } from '../spool/lane.ts';
import type { OutgoingRequest } from '../spool/outgoing-request.ts';
import type { BacklogRateLimiter } from './backlog-rate-limiter.ts';
import type { CircuitBreaker, Permit, SignalThrottle } from './circuit-breaker.ts';
import type { SendResult, Transport } from './send-result.ts';

/** Batches are joined into requests of this size. */
const MAX_JOIN_BYTES = 3 * 1024 * 1024;
const MIN_JOIN_BYTES = 64 * 1024;
/** gRPC receivers accept 4 MiB by default. A larger request is halved before it is sent. */
const MAX_REQUEST_BYTES = 4 * 1024 * 1024 - 64 * 1024;
/** How often a refused request and its parts are halved: enough to find four bad records in ten thousand. */
const MAX_HALVINGS = 64;
/** The same, for a receiver that has refused everything so far. */
const MAX_HALVINGS_UNTRUSTED = 4;
/** How often a request that is too large, and its parts, are halved. */
const MAX_SIZE_HALVINGS = 1024;
/** While backlog waits for the rate limiter, the sender checks this often for newer batches. */
const BACKLOG_CHECK_MS = 250;

export type SendDropReason = Extract<DropReason, 'refused' | 'too_large' | 'rejected'>;

export interface SenderOptions {
  readonly lane: Lane;
  readonly transport: Transport;
  readonly breaker: CircuitBreaker;
  readonly throttle: SignalThrottle;
  readonly limiter: BacklogRateLimiter;
  /** Size up to which batches are joined, bytes; 0 sends each batch in its own request. */
  readonly joinBytes?: number | undefined;
  /**
   * Splits a request in two; undefined where it cannot be split.
   * @throws when the bytes are not a request
   */
  readonly halve: (request: Buffer) => readonly Buffer[] | undefined;
  /** Number of records in a request. */
  readonly countRecords: (otlp: Buffer) => number;
  readonly onSent: (records: number, bytes: number) => void;
  readonly onRetry: (message: string) => void;
  readonly onDropped: (records: number, reason: SendDropReason, message: string) => void;
  /** Keeps a refused request for diagnosis. */
  readonly quarantine: (otlp: Buffer) => void;
}

/**
 * Sends the batches of one lane, one request at a time. It retries a request until the receiver accepts it,
 * and halves a refused one to find the records that the receiver never accepts.
 */
export class Sender {
  private readonly options: SenderOptions;
  private readonly maxJoinBytes: number;
  private joinBytes: number;
  /** Whether the receiver accepted any part of the last request. */
  private isTrusted = true;
  /** Whether the last request was answered. One that was not may still be in flight. */
  private isAnswered = false;

  constructor(options: SenderOptions) {
    this.options = options;
    this.maxJoinBytes = options.joinBytes ?? MAX_JOIN_BYTES;
    this.joinBytes = this.maxJoinBytes;
  }

  /** Whether the receiver does not accept this signal for now. */
  get isThrottled(): boolean {
    return this.options.throttle.isThrottled;
  }

  /**
   * Sends batches until the signal aborts.
   * @throws what reading from the lane throws
   */
  async run(signal: AbortSignal): Promise<void> {
    const { lane, breaker, limiter } = this.options;
    while (!signal.aborted) {
      await lane.waitForBatches(signal);
      // Batches that are added in the same turn of the event loop share a request.
      await undefined;
      const permit = await breaker.acquire();
      try {
        if (signal.aborted) return;
        const { nextAddedAt } = lane;
        const delay = nextAddedAt === undefined ? 0 : limiter.delayMs(nextAddedAt);
        const request = delay > 0 ? undefined : lane.dequeue(this.joinBytes);
        if (request === undefined) {
          breaker.release(permit);
          if (delay > 0)
            await sleep(Math.min(delay, BACKLOG_CHECK_MS), undefined, { signal }).catch(() => {});
          continue;
        }
        if (request.count === 0) breaker.release(permit);
        const isDone = request.count === 0 || (await this.deliver(request, permit, signal));
        if (isDone) {
          limiter.recordSent(request.addedAt, request.otlp.length);
          lane.acknowledge();
        } else lane.requeue(!this.isAnswered);
      } catch (error) {
        breaker.release(permit);
        throw error;
      }
    }
  }

  /** @returns whether the request was accepted or dropped; false when it has to be sent again */
  private async deliver(
    request: OutgoingRequest,
    firstPermit: Permit,
    signal: AbortSignal,
  ): Promise<boolean> {
    const { breaker, throttle } = this.options;
    const parts = this.splitToFit(request.otlp);
    const isWhole = parts.length === 1;
    let halvings = this.isTrusted ? MAX_HALVINGS : MAX_HALVINGS_UNTRUSTED;
    let sizeHalvings = MAX_SIZE_HALVINGS;
    let isTrusted = false;
    let isFirst = true;
    for (let part = parts.shift(); part !== undefined; part = parts.shift()) {
      const permit = isFirst ? firstPermit : await breaker.acquire();
      const result = signal.aborted ? undefined : await this.options.transport.send(part);
      if (result === undefined || (signal.aborted && result.kind !== 'accepted')) {
        breaker.release(permit);
        return false;
      }
      const records = isFirst && isWhole ? request.count : this.options.countRecords(part);
      await this.recordResult(result, permit);
      if (result.kind === 'accepted') {
        throttle.reset();
        const rejected = Math.min(result.rejected, records);
        this.options.onSent(records - rejected, part.length);
        if (rejected > 0 || result.message !== '')
          this.options.onDropped(rejected, 'rejected', result.message);
        isTrusted = true;
        this.joinBytes = Math.min(this.maxJoinBytes, this.joinBytes + (this.joinBytes >> 3));
      } else if (result.kind === 'unreachable' || result.kind === 'retry') {
        // A later part is retried on its own: sending the whole request again would repeat the accepted
        // parts.
        if (isFirst) return false;
        parts.unshift(part);
      } else {
        const isForSize = result.kind === 'too_large';
        const mayHalve = isForSize ? sizeHalvings-- > 0 : result.isContent && halvings-- > 0;
        const halves = mayHalve ? this.halve(part) : undefined;
        if (halves === undefined) {
          this.options.quarantine(part);
          this.options.onDropped(records, result.kind, result.message);
        } else {
          parts.unshift(...halves);
          if (isForSize)
            this.joinBytes = Math.min(this.maxJoinBytes, Math.max(MIN_JOIN_BYTES, part.length >> 1));
        }
      }
      isFirst = false;
    }
    this.isTrusted = isTrusted;
    return true;
  }

  /** Updates the receiver's state, and waits if the receiver throttles the signal. */
  private async recordResult(result: SendResult, permit: Permit): Promise<void> {
    const { breaker, throttle, limiter, onRetry } = this.options;
    this.isAnswered = result.kind !== 'unreachable';
    if (result.kind === 'unreachable') {
      onRetry(result.message);
      breaker.recordFailure(permit);
      return;
    }
    limiter.recordRecovery(breaker.recordSuccess());
    if (result.kind !== 'retry') return;
    onRetry(result.message);
    await throttle.wait(result.afterMs);
  }

  /** Splits a request into parts that receivers accept, as far as it can be split. */
  private splitToFit(otlp: Buffer): Buffer[] {
    if (otlp.length <= MAX_REQUEST_BYTES) return [otlp];
    const halves = this.halve(otlp);
    return halves === undefined ? [otlp] : halves.flatMap((half) => this.splitToFit(half));
  }

  private halve(otlp: Buffer): readonly Buffer[] | undefined {
    try {
      return this.options.halve(otlp);
    } catch {
      // Bytes that are not a request cannot be split.
      return undefined;
    }
  }
}
