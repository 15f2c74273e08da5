/**
 * Whether a receiver can be reached. All that goes to it shares one: one that is away is asked by one request at a time,
 * after waits that grow and differ from agent to agent, not by each signal's.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { Backoff } from '../../collectors/shared/backoff.ts';

const LONGEST_MS = 30_000;

/** Leave to send one request, which is given back with what came of it. */
export interface Pass {
  /** Whether it tries if the receiver is back. */
  readonly isProbe: boolean;
}

export class Gate {
  private readonly signal: AbortSignal;
  private readonly backoff: Backoff;
  /** Undefined while requests are let through. */
  private shut: Promise<void> | undefined;
  private isProbed = false;
  private readonly waiting: (() => void)[] = [];
  /** When the receiver was last found away, ms of performance.now(); undefined while it is there. */
  private awaySince: number | undefined;

  /** @param signal ends all waits */
  constructor(signal: AbortSignal) {
    this.signal = signal;
    this.backoff = new Backoff(LONGEST_MS, signal);
    signal.addEventListener('abort', () => this.wake());
  }

  /** Whether requests are let through. */
  get isOpen(): boolean {
    return this.shut === undefined;
  }

  /** Resolves when a request may be sent, or the signal has aborted. */
  async pass(): Promise<Pass> {
    while (this.shut !== undefined && !this.signal.aborted) {
      await this.shut;
      if (this.signal.aborted) break;
      if (!this.isProbed) {
        this.isProbed = true;
        return { isProbe: true };
      }
      await new Promise<void>((resolve) => {
        this.waiting.push(resolve);
      });
    }
    return { isProbe: false };
  }

  /** Whoever had it has nothing to send. */
  unused(pass: Pass): void {
    if (pass.isProbe) this.wake();
  }

  /**
   * The receiver answered.
   * @returns for how long it had been away, ms
   */
  opened(): number {
    const away = this.awaySince === undefined ? 0 : performance.now() - this.awaySince;
    this.awaySince = undefined;
    this.shut = undefined;
    this.backoff.reset();
    this.wake();
    return away;
  }

  /** It did not. Of several requests that were under way when it went, the first closes the gate. */
  closed(pass: Pass): void {
    this.awaySince ??= performance.now();
    if (this.shut !== undefined && !pass.isProbe) return;
    this.shut = this.backoff.wait();
    this.wake();
  }

  private wake(): void {
    this.isProbed = false;
    for (const wake of this.waiting.splice(0)) wake();
  }
}

/** How long the receiver wants one signal to be left alone, and how long that is waited for at least. */
export class Hold {
  private readonly signal: AbortSignal;
  private readonly backoff: Backoff;
  private isHeld = false;

  /** @param signal ends all waits */
  constructor(signal: AbortSignal) {
    this.signal = signal;
    this.backoff = new Backoff(LONGEST_MS, signal);
  }

  /** Whether the receiver does not want it for now. */
  get isOn(): boolean {
    return this.isHeld;
  }

  off(): void {
    this.isHeld = false;
    this.backoff.reset();
  }

  /** @param afterMs what the receiver says; a fleet that is told the same moment must not come back in it */
  async wait(afterMs: number | undefined): Promise<void> {
    this.isHeld = true;
    const told = (afterMs ?? 0) * (1 + Math.random() / 4);
    await Promise.all([this.backoff.wait(), sleep(told, undefined, { signal: this.signal }).catch(() => {})]);
  }
}
