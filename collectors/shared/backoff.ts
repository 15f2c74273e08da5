import { setTimeout as sleep } from 'node:timers/promises';

const FIRST_MS = 250;
const FACTOR = 2;

/** Waits between attempts: jittered, exponential, bounded, and cut short by `signal`. */
export class Backoff {
  private readonly longest: number;
  private readonly signal: AbortSignal;
  private next = FIRST_MS;

  /** @param longest bound of one wait, in ms */
  constructor(longest: number, signal: AbortSignal) {
    this.longest = longest;
    this.signal = signal;
  }

  reset(): void {
    this.next = FIRST_MS;
  }

  /** Resolves after the wait, or at once when the signal aborts. */
  async wait(): Promise<void> {
    const delay = this.next * (0.5 + Math.random() / 2);
    this.next = Math.min(this.next * FACTOR, this.longest);
    await sleep(delay, undefined, { signal: this.signal }).catch(() => {});
  }
}
