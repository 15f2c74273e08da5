import type { Batch } from './batch.ts';

/** Sends batches to one destination. */
export interface Exporter {
  readonly name: string;
  /** Starts background work. Called once, when the whole agent is set up. */
  start?(): void;
  /**
   * Resolves when the batch no longer needs its source: it survives a crash, was delivered, or was dropped
   * and counted. Batches of one kind are delivered in their order, except for metrics that had to wait. If it
   * rejects or throws, the pipeline counts the batch as dropped with the reason `exporter_error`; the
   * exporter still gets the next batches.
   */
  export(batch: Batch): Promise<void>;
  /** The state of the destination; absent for exporters without one. */
  status?(): DestinationStatus;
  /**
   * Delivers what waits until `deadline` aborts, then leaves it on the disk or drops it. Called once, at the
   * end.
   */
  shutdown(deadline: AbortSignal): Promise<void>;
}

export interface DestinationStatus {
  /** Whether its receivers answered the last requests. */
  readonly isReachable: boolean;
  readonly waiting: readonly Waiting[];
}

/** Batches of one signal that wait for a destination. */
export interface Waiting {
  /** `logs`, `events`, `metrics` or `traces`. */
  readonly signal: string;
  /** OTLP bytes. */
  readonly bytes: number;
  /** When the oldest batch was added, ms since the epoch; undefined when nothing waits. */
  readonly oldest: number | undefined;
}
