/** A buffer that is reused. New ones for each read would leave tens of megabytes of garbage. */
export class ReusableBuffer {
  private buffer = Buffer.alloc(0);

  /** The first `size` bytes of the buffer, valid until the next call. */
  reserve(size: number): Buffer {
    if (this.buffer.length < size) this.buffer = Buffer.allocUnsafeSlow(Math.ceil(size * 1.25));
    return this.buffer.subarray(0, size);
  }

  /** Uses another buffer from now on: a request that failed may still be sent from this one. */
  replace(): void {
    this.buffer = Buffer.alloc(0);
  }
}
