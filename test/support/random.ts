/** Random numbers from a seed, so that a failure can be reproduced. */
export class Random {
  private state: number;

  constructor(seed: number) {
    this.state = seed >>> 0;
  }

  /** A whole number from 0 to below `bound`. Marsaglia's xorshift, 32 bits. */
  below(bound: number): number {
    this.state = (this.state + 0x9e3779b9) >>> 0;
    let mixed = this.state || 1;
    mixed ^= mixed << 13;
    mixed ^= mixed >>> 17;
    mixed ^= mixed << 5;
    return (mixed >>> 0) % bound;
  }
}
