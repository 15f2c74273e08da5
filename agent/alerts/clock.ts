export interface Clock {
  monotonicMs(): number;
  /** Since the epoch. */
  epochMs(): number;
}

export const systemClock: Clock = {
  monotonicMs: () => performance.now(),
  epochMs: () => Date.now(),
};
