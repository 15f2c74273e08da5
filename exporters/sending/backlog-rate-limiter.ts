/** A receiver that was unreachable for less has no backlog worth limiting. */
const MIN_OUTAGE_MS = 10_000;
const MIN_PAUSE_MS = 500;

/**
 * Limits how fast the backlog of an outage is sent: at a bounded rate, with pauses between requests that
 * differ from agent to agent. Batches that were added after the outage are not limited.
 */
export class BacklogRateLimiter {
  private readonly bytesPerMs: number;
  /** Batches that were added before are backlog, ms since the epoch. */
  private backlogBefore = 0;
  /** When the next backlog request may be sent, ms of performance.now(). */
  private nextRequestAt = 0;

  /** @param bytesPerSecond of backlog */
  constructor(bytesPerSecond: number) {
    this.bytesPerMs = bytesPerSecond / 1000;
  }

  /** Records that the receiver is back. */
  recordRecovery(outageMs: number): void {
    if (outageMs >= MIN_OUTAGE_MS) this.backlogBefore = Date.now();
  }

  /** Treats batches that an earlier process left as backlog, unless they are recent. */
  markExistingAsBacklog(): void {
    this.backlogBefore = Date.now() - MIN_OUTAGE_MS;
  }

  /** How long a batch has to wait yet, ms. @param addedAt ms since the epoch */
  delayMs(addedAt: number): number {
    return addedAt < this.backlogBefore ? Math.max(0, this.nextRequestAt - performance.now()) : 0;
  }

  /** Records a request that was sent. @param addedAt of its oldest batch, ms since the epoch */
  recordSent(addedAt: number, bytes: number): void {
    if (addedAt >= this.backlogBefore) return;
    const pauseMs = MIN_PAUSE_MS * (0.5 + Math.random()) + bytes / this.bytesPerMs;
    this.nextRequestAt = performance.now() + pauseMs;
  }
}
