/** A rate limit: `perSecond` lines a second, and as many at once. */
export class TokenBucket {
  private readonly perSecond: number;
  private tokens: number;
  private at: number;

  /** @param now milliseconds of a monotonic clock */
  constructor(perSecond: number, now: number) {
    this.perSecond = perSecond;
    this.tokens = perSecond;
    this.at = now;
  }

  /** Consumes a token if there is one. @returns whether there was */
  tryConsume(now: number): boolean {
    this.tokens = Math.min(this.perSecond, this.tokens + ((now - this.at) / 1000) * this.perSecond);
    this.at = now;
    if (this.tokens < 1) return false;
    this.tokens--;
    return true;
  }
}
