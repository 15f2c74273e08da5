import type { Frame } from './frame.ts';
import type { PendingBatch } from './pending-batch.ts';
import type { Segment } from './segment.ts';

/**
 * The batches of a lane that are on the disk, and whose bytes are still in memory: they are sent from there,
 * and their sources wait for them to be durable.
 */
export class WrittenBatches {
  private readonly batches = new Map<Frame, PendingBatch>();
  private bytesToSync = 0;

  /** Bytes of batches that a power loss could destroy. */
  get unsyncedBytes(): number {
    return this.bytesToSync;
  }

  get oldest(): PendingBatch | undefined {
    const [oldest] = this.batches.values();
    return oldest;
  }

  /** @param batch has a location */
  add(batch: PendingBatch): void {
    this.batches.set(batch.location!.frame, batch);
    this.bytesToSync += batch.otlp.length;
  }

  get(frame: Frame): PendingBatch | undefined {
    return this.batches.get(frame);
  }

  includes(batch: PendingBatch): boolean {
    return this.batches.has(batch.location!.frame);
  }

  hasAnyIn(segment: Segment): boolean {
    for (const { location } of this.batches.values()) if (location!.segment === segment) return true;
    return false;
  }

  unsynced(): PendingBatch[] {
    return [...this.batches.values()].filter(({ isDurable }) => !isDurable);
  }

  markDurable(batch: PendingBatch): void {
    batch.isDurable = true;
    this.bytesToSync -= batch.otlp.length;
  }

  /** Removes a batch, and releases its source. */
  release(batch: PendingBatch): void {
    if (!this.batches.delete(batch.location!.frame)) return;
    if (!batch.isDurable) this.bytesToSync -= batch.otlp.length;
    batch.release();
  }
}
