/** Follows the log of one container from a position on: its files, or the Engine API. */
export interface Follower {
  /** Resolves when the container has ended and all of its log was emitted, or after `close`. */
  readonly finished: Promise<void>;
  /** The container runs (again). */
  containerStarted(): void;
  /** The container has ended, or was removed. The follower reads what is left, and is finished then. */
  containerEnded(isRemoved: boolean): void;
  /** Stops at once. What was not read can be read from the position later. */
  close(): void | Promise<void>;
}
