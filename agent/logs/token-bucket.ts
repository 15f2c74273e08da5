/** A token bucket: so many lines a second, and a second's worth at once. */
export class TokenBucket {
  private readonly perSecond: number;
  private tokens: number;
  private at: number;

  /** @param now milliseconds of any clock that does not go back */
  constructor(perSecond: number, now: number) {
    this.perSecond = perSecond;
    this.tokens = perSecond;
    this.at = now;
  }

  /** Whether one more is allowed now. */
  tryConsume(now: number): boolean {
    this.tokens = Math.min(this.perSecond, this.tokens + ((now - this.at) / 1000) * this.perSecond);
    this.at = now;
    if (this.tokens < 1) return false;
    this.tokens--;
    return true;
  }
}
