import type { Batch } from '../agent/records.ts';

/** Ships batches to one destination. */
export interface Exporter {
  readonly name: string;
  /**
   * Resolves when the batch no longer needs its source: it was delivered, or given up and counted. Never
   * rejects. Batches of one signal are delivered in the order they came.
   */
  export(batch: Batch): Promise<void>;
  /** Tries to deliver what is left until `deadline` aborts, then gives it up; called once, at the end. */
  stop(deadline: AbortSignal): Promise<void>;
}
