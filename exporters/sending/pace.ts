/**
 * How fast what waited for a receiver that was away is sent to it: at a bounded rate, and in requests with pauses
 * between them that differ from agent to agent. What is new since then does not wait.
 */

/** A receiver that was away for less has not been missed by many. */
const OUTAGE_MS = 10_000;
const LEAST_PAUSE_MS = 500;

export class Pace {
  private readonly bytesPerMs: number;
  /** What was added before is backlog, ms since the epoch. */
  private before = 0;
  /** When the next request of it may be sent, ms of performance.now(). */
  private free = 0;

  /** @param bytesPerSecond of backlog */
  constructor(bytesPerSecond: number) {
    this.bytesPerMs = bytesPerSecond / 1000;
  }

  /** The receiver is back after `ms`. */
  back(ms: number): void {
    if (ms >= OUTAGE_MS) this.before = Date.now();
  }

  /** What an earlier process left is backlog too, where that was a while ago. */
  begin(): void {
    this.before = Date.now() - OUTAGE_MS;
  }

  /** For how long what was added at `time` has to wait yet, ms. */
  delay(time: number): number {
    return time < this.before ? Math.max(0, this.free - performance.now()) : 0;
  }

  /** So much of what was added at `time` was sent. */
  sent(time: number, bytes: number): void {
    if (time >= this.before) return;
    const pause = LEAST_PAUSE_MS * (0.5 + Math.random()) + bytes / this.bytesPerMs;
    this.free = performance.now() + pause;
  }
}
