const HEX = Buffer.from('0123456789abcdef');

/** How many bytes a varint takes. */
export function varintSize(value: number): number {
  let size = 1;
  for (let rest = value; rest > 0x7f; rest = Math.floor(rest / 128)) size++;
  return size;
}

/** Bytes below which a loop copies faster than a call into native code. */
const SMALL = 64;

const viewOf = ({ buffer, byteOffset, byteLength }: Buffer): DataView =>
  new DataView(buffer, byteOffset, byteLength);

/**
 * Writes Protocol Buffers wire format into one growing buffer.
 * Source: https://protobuf.dev/programming-guides/encoding/
 *
 * A nested message's length is not known when it begins: one byte is kept free for it, and the few
 * messages of 128 bytes or more are moved up when they end, so lengths are always minimal.
 */
export class Writer {
  private buffer: Buffer;
  private view: DataView;
  position = 0;

  constructor(size = 4096) {
    this.buffer = Buffer.allocUnsafe(size);
    this.view = viewOf(this.buffer);
  }

  /** The bytes written so far; valid until the next write. */
  bytes(): Buffer {
    return this.buffer.subarray(0, this.position);
  }

  reset(): void {
    this.position = 0;
  }

  /** Makes room for `size` more bytes. */
  reserve(size: number): void {
    const needed = this.position + size;
    if (needed <= this.buffer.length) return;
    const grown = Buffer.allocUnsafe(Math.max(needed, this.buffer.length * 2));
    this.buffer.copy(grown, 0, 0, this.position);
    this.buffer = grown;
    this.view = viewOf(grown);
  }

  private varint(value: number): void {
    let rest = value;
    while (rest > 0x7f) {
      this.buffer[this.position++] = (rest % 128) | 0x80;
      rest = Math.floor(rest / 128);
    }
    this.buffer[this.position++] = rest;
  }

  private tag(field: number, wireType: number): void {
    this.varint(field * 8 + wireType);
  }

  /** `uint32`, `uint64`, `bool` and enums; `value` is a non-negative safe integer. */
  uint(field: number, value: number): void {
    this.reserve(13);
    this.tag(field, 0);
    this.varint(value);
  }

  /** `int64`, which takes ten bytes when it is negative. */
  int(field: number, value: number): void {
    if (value >= 0) {
      this.uint(field, value);
      return;
    }
    this.reserve(13);
    this.tag(field, 0);
    let rest = BigInt.asUintN(64, BigInt(value));
    while (rest > 0x7fn) {
      this.buffer[this.position++] = Number(rest & 0x7fn) | 0x80;
      rest >>= 7n;
    }
    this.buffer[this.position++] = Number(rest);
  }

  double(field: number, value: number): void {
    this.reserve(11);
    this.tag(field, 1);
    this.view.setFloat64(this.position, value, true);
    this.position += 8;
  }

  fixed64(field: number, value: bigint): void {
    this.reserve(11);
    this.tag(field, 1);
    this.view.setBigUint64(this.position, value, true);
    this.position += 8;
  }

  /** `sfixed64` from a safe integer. */
  sfixed64(field: number, value: number): void {
    this.reserve(11);
    this.tag(field, 1);
    const high = Math.floor(value / 0x1_0000_0000);
    this.view.setUint32(this.position, value - high * 0x1_0000_0000, true);
    this.view.setInt32(this.position + 4, high, true);
    this.position += 8;
  }

  /**
   * A point in time as `fixed64` nanoseconds since the epoch, from whole seconds and nanoseconds, without
   * a BigInt: the log path writes one for every line.
   */
  unixNano(field: number, seconds: number, nanos: number): void {
    this.reserve(11);
    this.tag(field, 1);
    // seconds × 10⁹ does not fit in a double: multiply the upper and the lower 16 bits apart.
    const low = (seconds % 0x1_0000) * 1e9 + nanos;
    const high = Math.floor(seconds / 0x1_0000) * 1e9 + Math.floor(low / 0x1_0000);
    this.view.setUint32(this.position, (high % 0x1_0000) * 0x1_0000 + (low % 0x1_0000), true);
    this.view.setUint32(this.position + 4, Math.floor(high / 0x1_0000), true);
    this.position += 8;
  }

  string(field: number, value: string): void {
    const mark = this.begin(field);
    this.reserve(value.length * 3);
    this.position += this.buffer.write(value, this.position, 'utf8');
    this.end(mark);
  }

  /** `bytes`, and `string` that is UTF-8 already; copies `source[start, end)`. */
  slice(field: number, source: Uint8Array, start: number, end: number): void {
    const size = end - start;
    this.reserve(size + 13);
    this.tag(field, 2);
    this.varint(size);
    this.buffer.set(source.subarray(start, end), this.position);
    this.position += size;
  }

  /** Bytes that are a well-formed sequence of fields of the current message already. */
  raw(fields: Uint8Array): void {
    const size = fields.length;
    this.reserve(size);
    if (size < SMALL)
      for (let index = 0; index < size; index++) this.buffer[this.position + index] = fields[index]!;
    else this.buffer.set(fields, this.position);
    this.position += size;
  }

  /** The tag and length of a nested message of `size` bytes, which are written next. */
  header(field: number, size: number): void {
    this.reserve(size + 10);
    this.tag(field, 2);
    this.varint(size);
  }

  /** `digits` lower-case hexadecimal digits, without a tag. */
  hex(value: number, digits: number): void {
    this.reserve(digits);
    let rest = value;
    for (let index = this.position + digits - 1; index >= this.position; index--) {
      this.buffer[index] = HEX[rest % 16]!;
      rest = Math.floor(rest / 16);
    }
    this.position += digits;
  }

  /** Begins a nested message; give what it returns to `end`. */
  begin(field: number): number {
    this.reserve(8);
    this.tag(field, 2);
    return this.position++;
  }

  end(mark: number): void {
    const size = this.position - mark - 1;
    if (size < 0x80) {
      this.buffer[mark] = size;
      return;
    }
    const extra = size < 0x4000 ? 1 : size < 0x20_0000 ? 2 : size < 0x1000_0000 ? 3 : 4;
    this.reserve(extra);
    this.buffer.copyWithin(mark + 1 + extra, mark + 1, this.position);
    this.position = mark;
    this.varint(size);
    this.position += size;
  }
}
