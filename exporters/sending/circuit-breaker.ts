/** Backoff towards a receiver: for the receiver as a whole, and for one signal that it throttles. */
import { setTimeout as sleep } from 'node:timers/promises';
import { Backoff } from '../../collectors/shared/backoff.ts';

const MAX_BACKOFF_MS = 30_000;

/** Permission to send one request. Its owner reports the result, or releases it. */
export interface Permit {
  /** Whether the request tests if an unreachable receiver is back. */
  readonly isProbe: boolean;
}

/**
 * Stops requests to a receiver that does not answer. All signals to a receiver share one: while the receiver
 * is unreachable, it gets one request at a time, after waits that grow and that differ from agent to agent.
 */
export class CircuitBreaker {
  private readonly signal: AbortSignal;
  private readonly backoff: Backoff;
  /** Resolves when the next probe is due; undefined while the receiver is reachable. */
  private nextProbe: Promise<void> | undefined;
  private isProbing = false;
  private readonly waiting: (() => void)[] = [];
  /** When the receiver became unreachable, ms of performance.now(); undefined while it is reachable. */
  private unreachableSince: number | undefined;

  /** @param signal ends all waits */
  constructor(signal: AbortSignal) {
    this.signal = signal;
    this.backoff = new Backoff(MAX_BACKOFF_MS, signal);
    signal.addEventListener('abort', () => this.wakeAll());
  }

  /** Whether the receiver answered the last request. */
  get isReachable(): boolean {
    return this.nextProbe === undefined;
  }

  /** Resolves when a request may be sent, or when the signal aborts. */
  async acquire(): Promise<Permit> {
    while (this.nextProbe !== undefined && !this.signal.aborted) {
      await this.nextProbe;
      if (this.signal.aborted) break;
      if (!this.isProbing) {
        this.isProbing = true;
        return { isProbe: true };
      }
      await new Promise<void>((resolve) => {
        this.waiting.push(resolve);
      });
    }
    return { isProbe: false };
  }

  /** Returns a permit that was not used. */
  release(permit: Permit): void {
    if (permit.isProbe) this.wakeAll();
  }

  /**
   * Records that the receiver answered.
   * @returns how long the receiver was unreachable before, ms
   */
  recordSuccess(): number {
    const outageMs = this.unreachableSince === undefined ? 0 : performance.now() - this.unreachableSince;
    this.unreachableSince = undefined;
    this.nextProbe = undefined;
    this.backoff.reset();
    this.wakeAll();
    return outageMs;
  }

  /**
   * Records that the receiver did not answer. Of several requests that fail at once, only the first counts.
   */
  recordFailure(permit: Permit): void {
    this.unreachableSince ??= performance.now();
    if (this.nextProbe !== undefined && !permit.isProbe) return;
    this.nextProbe = this.backoff.wait();
    this.wakeAll();
  }

  private wakeAll(): void {
    this.isProbing = false;
    for (const wake of this.waiting.splice(0)) wake();
  }
}

/** Backoff for one signal that a reachable receiver does not accept for now. */
export class SignalThrottle {
  private readonly signal: AbortSignal;
  private readonly backoff: Backoff;
  private isActive = false;

  /** @param signal ends all waits */
  constructor(signal: AbortSignal) {
    this.signal = signal;
    this.backoff = new Backoff(MAX_BACKOFF_MS, signal);
  }

  /** Whether the receiver does not accept the signal for now. */
  get isThrottled(): boolean {
    return this.isActive;
  }

  reset(): void {
    this.isActive = false;
    this.backoff.reset();
  }

  /**
   * Waits for the backoff, and at least for the time that the receiver requests. That time is lengthened at random,
   * because agents that receive the same time must not retry at the same moment.
   * @param afterMs undefined where the receiver gave no time
   */
  async wait(afterMs: number | undefined): Promise<void> {
    this.isActive = true;
    const requestedMs = (afterMs ?? 0) * (1 + Math.random() / 4);
    await Promise.all([
      this.backoff.wait(),
      sleep(requestedMs, undefined, { signal: this.signal }).catch(() => {}),
    ]);
  }
}
