import type { Batch } from './batch.ts';

/** Ships batches to one destination. */
export interface Exporter {
  readonly name: string;
  /** Begins what goes on by itself; called once, when everything else could be had. */
  start?(): void;
  /**
   * Resolves when the batch no longer needs its source: it is where no crash loses it, was delivered, or given up and
   * counted. Never rejects. Batches of one kind are delivered in the order they came, but for metrics that waited.
   */
  export(batch: Batch): Promise<void>;
  /** How its destination is; absent where there is nothing to wait for. */
  status?(): DestinationStatus;
  /** Tries to deliver what is left until `deadline` aborts, then leaves or gives it up; called once, at the end. */
  shutdown(deadline: AbortSignal): Promise<void>;
}

export interface DestinationStatus {
  /** Whether its receivers answered when they were last asked. */
  readonly isReachable: boolean;
  readonly waiting: readonly Waiting[];
}

/** What waits for a destination. */
export interface Waiting {
  /** `logs`, `events`, `metrics` or `traces`. */
  readonly signal: string;
  /** OTLP bytes. */
  readonly bytes: number;
  /** When the oldest of it was added, ms since the epoch; undefined when nothing waits. */
  readonly oldest: number | undefined;
}
