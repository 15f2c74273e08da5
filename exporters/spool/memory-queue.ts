import type { PendingBatch } from './pending-batch.ts';

/** The batches of a lane that are not on the disk, the oldest first. */
export class MemoryQueue {
  private batches: PendingBatch[] = [];
  private totalBytes = 0;

  get bytes(): number {
    return this.totalBytes;
  }

  get isEmpty(): boolean {
    return this.batches.length === 0;
  }

  get oldest(): PendingBatch | undefined {
    return this.batches[0];
  }

  get newest(): PendingBatch | undefined {
    return this.batches.at(-1);
  }

  /** Number of records. */
  get recordCount(): number {
    return this.batches.reduce((sum, { count }) => sum + count, 0);
  }

  all(): readonly PendingBatch[] {
    return this.batches;
  }

  push(batch: PendingBatch): void {
    this.batches.push(batch);
    this.totalBytes += batch.otlp.length;
  }

  removeOldest(): void {
    const batch = this.batches.shift();
    if (batch !== undefined) this.totalBytes -= batch.otlp.length;
  }

  /** Removes the oldest batch that is not among `excluded`. */
  removeOldestExcept(excluded: ReadonlySet<PendingBatch> | undefined): PendingBatch | undefined {
    const index = this.batches.findIndex((batch) => excluded?.has(batch) !== true);
    if (index === -1) return undefined;
    const [batch] = this.batches.splice(index, 1);
    this.totalBytes -= batch!.otlp.length;
    return batch;
  }

  remove(removed: ReadonlySet<PendingBatch>): void {
    this.batches = this.batches.filter((batch) => !removed.has(batch));
    for (const { otlp } of removed) this.totalBytes -= otlp.length;
  }
}
