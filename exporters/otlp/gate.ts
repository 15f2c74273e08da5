/**
 * Whether a receiver is worth a request now. All that goes to it shares one: one that is down is asked by one
 * request at a time, after waits that grow and differ from agent to agent, not by each signal's.
 */
import { setTimeout as sleep } from 'node:timers/promises';

const FIRST_MS = 250;
const LONGEST_MS = 30_000;
const FACTOR = 2;

export class Gate {
  private readonly signal: AbortSignal;
  /** Undefined while requests are let through. */
  private shut: Promise<void> | undefined;
  /** While one request tries whether the receiver is back. */
  private isTried = false;
  private readonly waiting: (() => void)[] = [];
  private next = FIRST_MS;
  /** When the receiver was last found away, ms of performance.now(); undefined while it is there. */
  private awaySince: number | undefined;

  /** @param signal ends all waits */
  constructor(signal: AbortSignal) {
    this.signal = signal;
    signal.addEventListener('abort', () => this.release());
  }

  /** Whether requests are let through. */
  get isOpen(): boolean {
    return this.shut === undefined;
  }

  /**
   * Resolves when a request may be sent, which `opened`, `closed` or `passedOn` must follow; or when the signal has
   * aborted.
   */
  async pass(): Promise<void> {
    while (this.shut !== undefined && !this.signal.aborted) {
      await this.shut;
      if (this.signal.aborted) return;
      if (!this.isTried) {
        this.isTried = true;
        return;
      }
      await new Promise<void>((resolve) => {
        this.waiting.push(resolve);
      });
    }
  }

  /** Who may have sent a request has none to send. */
  passedOn(): void {
    if (this.isTried) this.release();
  }

  /**
   * The receiver answered.
   * @returns for how long it had been away, ms
   */
  opened(): number {
    const away = this.awaySince === undefined ? 0 : performance.now() - this.awaySince;
    this.awaySince = undefined;
    this.shut = undefined;
    this.next = FIRST_MS;
    this.release();
    return away;
  }

  /** @param afterMs how long it wants to be left alone, where it says so */
  closed(afterMs: number | undefined): void {
    this.awaySince ??= performance.now();
    // Several requests can be under way when it goes: the first closes the gate.
    if (this.shut !== undefined && !this.isTried) return;
    const random = 0.5 + Math.random() / 2;
    // A fleet that is told the same moment must not come back in it.
    const wait = Math.max(this.next * random, (afterMs ?? 0) * (1 + Math.random() / 2));
    this.next = Math.min(this.next * FACTOR, LONGEST_MS);
    this.shut = sleep(wait, undefined, { signal: this.signal }).catch(() => {});
    this.release();
  }

  private release(): void {
    this.isTried = false;
    for (const wake of this.waiting.splice(0)) wake();
  }
}
