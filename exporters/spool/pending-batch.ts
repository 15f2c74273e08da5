import type { Frame } from './frame.ts';
import type { Segment } from './segment.ts';

/** A batch whose bytes are in memory. */
export interface PendingBatch {
  readonly otlp: Buffer;
  /** Number of records. */
  readonly count: number;
  /** ms since the epoch. */
  readonly addedAt: number;
  /** ms of performance.now(), which does not change when the clock is set. */
  readonly addedAtMonotonic: number;
  /** Where the batch is on the disk; undefined until it is written. */
  location: { readonly segment: Segment; readonly frame: Frame } | undefined;
  /** Whether the batch survives a power loss. */
  isDurable: boolean;
  /** Reports that the batch no longer needs its source. The source may then reuse the bytes. */
  readonly release: () => void;
}
