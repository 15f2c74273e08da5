/** Buffers for log segments, reused. */

/** Sizes that are pooled, bytes: powers of two within these bounds. */
const MIN_BYTES = 4096;
const MAX_BYTES = 512 * 1024;
/** Bytes of free buffers that are kept for reuse. */
const MAX_FREE_BYTES = 1024 * 1024;

/** The size of the buffer for so many bytes; a power of two, so that a freed buffer fits the next segment. */
export const bufferSizeFor = (bytes: number): number =>
  bytes > MAX_BYTES ? bytes : Math.max(MIN_BYTES, 2 ** Math.ceil(Math.log2(bytes)));

/**
 * A pool of buffers. V8 frees memory outside of its heap only when it collects the heap, so without reuse the process
 * would hold many times what is stored.
 */
export class BufferPool {
  private readonly free = new Map<number, Buffer[]>();
  private freeBytes = 0;

  acquire(size: number): Buffer {
    const buffer = this.free.get(size)?.pop();
    if (buffer === undefined) return Buffer.allocUnsafeSlow(size);
    this.freeBytes -= size;
    return buffer;
  }

  release(buffer: Buffer): void {
    const size = buffer.length;
    if (size > MAX_BYTES || this.freeBytes + size > MAX_FREE_BYTES) return;
    this.freeBytes += size;
    const buffers = this.free.get(size);
    if (buffers === undefined) this.free.set(size, [buffer]);
    else buffers.push(buffer);
  }
}
