import type { MemoryQueue } from './memory-queue.ts';
import { type OutgoingRequest, RequestInFlight } from './outgoing-request.ts';
import { ReusableBuffer } from './reusable-buffer.ts';
import type { Segment } from './segment.ts';
import type { SegmentStore, SendOrder } from './segment-store.ts';
import type { WrittenBatches } from './written-batches.ts';

export interface RequestBuilderOptions {
  readonly memory: MemoryQueue;
  readonly written: WrittenBatches;
  readonly store: SegmentStore;
  readonly order: SendOrder;
  /** Reports the bytes of a batch that is damaged, and its number of records. */
  readonly onDamage: (bytes: Buffer, count?: number) => void;
}

/** Selects the batches of a lane that are sent next, and joins them into one request. */
export class RequestBuilder {
  private readonly options: RequestBuilderOptions;
  private readonly joinBuffer = new ReusableBuffer();
  private readonly readBuffer = new ReusableBuffer();

  constructor(options: RequestBuilderOptions) {
    this.options = options;
  }

  /** When the batch that is sent next was added, ms since the epoch; undefined when none waits. */
  get nextAddedAt(): number | undefined {
    const { memory, store, order } = this.options;
    const isNewestFirst = order === 'newest';
    const inMemory = isNewestFirst ? memory.newest : memory.oldest;
    if (isNewestFirst && inMemory !== undefined) return inMemory.addedAt;
    const segment = store.next;
    if (segment === undefined) return inMemory?.addedAt;
    const frames = store.readFrames(segment);
    return (isNewestFirst ? frames.at(-1) : frames[0])?.addedAt ?? segment.lastAddedAt;
  }

  /**
   * Builds a request of at most `maxBytes`, or of one batch. It is valid until the next call.
   * @throws what reading throws
   */
  build(maxBytes: number): RequestInFlight | undefined {
    const { memory, store, order } = this.options;
    if (order === 'newest' && !memory.isEmpty) return this.buildFromMemory(maxBytes);
    for (;;) {
      const segment = store.next;
      if (segment === undefined) return this.buildFromMemory(maxBytes);
      const request = this.buildFromSegment(segment, maxBytes);
      if (request !== undefined) return request;
      store.deleteIfSpent(segment);
    }
  }

  /** Uses other buffers from now on: a request that failed may still be sent from these. */
  replaceBuffers(): void {
    this.joinBuffer.replace();
    this.readBuffer.replace();
  }

  private buildFromSegment(segment: Segment, maxBytes: number): RequestInFlight | undefined {
    const { store, written, order } = this.options;
    const all = store.readFrames(segment);
    if (all.length === 0) return undefined;
    const frames = this.select(all, maxBytes);
    const batches = frames.map((frame) => written.get(frame));
    const parts = batches.includes(undefined)
      ? store.readBatches(segment, frames, this.readBuffer)
      : batches.map((batch) => batch!.otlp);
    const intact = frames.filter((frame, index) => {
      if (parts[index] !== undefined) return true;
      this.options.onDamage(segment.readRaw(frame), frame.count);
      return false;
    });
    if (order === 'newest') store.seal(segment);
    const request: OutgoingRequest = {
      otlp: this.join(parts.filter((part) => part !== undefined)),
      count: intact.reduce((sum, { count }) => sum + count, 0),
      addedAt: frames[0]!.addedAt,
      segment,
      batchCount: frames.length,
    };
    return new RequestInFlight(request, new Set(batches.filter((batch) => batch !== undefined)));
  }

  private buildFromMemory(maxBytes: number): RequestInFlight | undefined {
    const { memory } = this.options;
    if (memory.isEmpty) return undefined;
    const sizes = memory.all().map((batch) => ({ batch, bytes: batch.otlp.length }));
    const batches = this.select(sizes, maxBytes).map(({ batch }) => batch);
    const request: OutgoingRequest = {
      otlp: this.join(batches.map(({ otlp }) => otlp)),
      count: batches.reduce((sum, { count }) => sum + count, 0),
      addedAt: batches[0]!.addedAt,
      segment: undefined,
      batchCount: batches.length,
    };
    return new RequestInFlight(request, new Set(batches));
  }

  /** Selects the oldest or the newest, as many as fit into `maxBytes`, but at least one. */
  private select<T extends { readonly bytes: number }>(all: readonly T[], maxBytes: number): readonly T[] {
    let size = 0;
    if (this.options.order === 'oldest') {
      const end = all.findIndex(({ bytes }, index) => {
        size += bytes;
        return index > 0 && size > maxBytes;
      });
      return end === -1 ? all.slice() : all.slice(0, end);
    }
    const before = all.findLastIndex(({ bytes }, index) => {
      size += bytes;
      return index < all.length - 1 && size > maxBytes;
    });
    return all.slice(before + 1);
  }

  /** One request of several, valid until the next call. */
  private join(parts: readonly Buffer[]): Buffer {
    if (parts.length === 1) return parts[0]!;
    const size = parts.reduce((sum, { length }) => sum + length, 0);
    const joined = this.joinBuffer.reserve(size);
    let position = 0;
    for (const part of parts) position += part.copy(joined, position);
    return joined;
  }
}
