/** Follows the log of one container, in whatever way, from a position on. */
export interface Follower {
  /** Resolves when the container has ended and all of its log was handed over, or after `stop`. */
  readonly finished: Promise<void>;
  /** The container was started again. */
  containerStarted(): void;
  /** The container has ended, or is no more: what is left is read, and then it is finished. */
  containerEnded(isRemoved: boolean): void;
  /** Ends it now; what was not read is read from the position another time. */
  close(): void | Promise<void>;
}
