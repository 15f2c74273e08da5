import { setTimeout as sleep } from 'node:timers/promises';

const FIRST_MS = 250;
const FACTOR = 2;

/** Waits between attempts: exponential, with jitter, up to a longest wait. `signal` ends a wait early. */
export class Backoff {
  private readonly longestMs: number;
  private readonly signal: AbortSignal;
  private nextMs = FIRST_MS;

  /** @param longestMs bound of one wait */
  constructor(longestMs: number, signal: AbortSignal) {
    this.longestMs = longestMs;
    this.signal = signal;
  }

  reset(): void {
    this.nextMs = FIRST_MS;
  }

  /** Resolves after the wait, or when the signal aborts. */
  async wait(): Promise<void> {
    const delayMs = this.nextMs * (0.5 + Math.random() / 2);
    this.nextMs = Math.min(this.nextMs * FACTOR, this.longestMs);
    await sleep(delayMs, undefined, { signal: this.signal }).catch(() => {});
  }
}
