import type { PendingBatch } from './pending-batch.ts';
import type { Segment } from './segment.ts';

/** Batches that are being sent as one request. */
export interface OutgoingRequest {
  /** The batches, joined into one request. */
  readonly otlp: Buffer;
  /** Number of records. */
  readonly count: number;
  /** When the oldest batch was added, ms since the epoch. */
  readonly addedAt: number;
  /** The segment that has the batches; undefined for batches that are in memory only. */
  readonly segment: Segment | undefined;
  readonly batchCount: number;
}

/** A request from `dequeue` to `acknowledge` or `requeue`. */
export class RequestInFlight {
  readonly request: OutgoingRequest;
  /** Those of its batches that are in memory. */
  readonly batches: ReadonlySet<PendingBatch>;

  constructor(request: OutgoingRequest, batches: ReadonlySet<PendingBatch>) {
    this.request = request;
    this.batches = batches;
  }

  /** Whether a batch of the segment is being sent. */
  isFrom(segment: Segment): boolean {
    if (this.request.segment !== undefined) return this.request.segment === segment;
    // Some can have been written to the disk while they were sent from memory.
    for (const { location } of this.batches) if (location?.segment === segment) return true;
    return false;
  }
}
