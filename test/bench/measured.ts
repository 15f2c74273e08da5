/** One line of the bench's table. */
export interface Measured {
  readonly what: string;
  readonly value: number;
  readonly unit: string;
  /** The same of what is compared with, from the same run. */
  readonly baseline?: number;
  /** Whether more is better, and the ratio so many times the baseline. */
  readonly moreIsBetter?: boolean;
  readonly target: string;
}
