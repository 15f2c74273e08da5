/** The two digits of each byte, as one big-endian number. */
const HEX = Uint16Array.from({ length: 256 }, (_, byte) =>
  Buffer.from(byte.toString(16).padStart(2, '0')).readUInt16BE(),
);

/** 2³²: the weight of the upper half of a 64-bit number. */
export const HALF = 0x1_0000_0000;

/** Size of a varint, bytes. */
export function varintSize(value: number): number {
  let size = 1;
  for (let rest = value; rest > 0x7f; rest = Math.floor(rest / 128)) size++;
  return size;
}

/** Below this many bytes a loop copies faster than a call into native code. */
const SMALL = 256;

/** The result of the last `splitNanos`. */
export const halves = { low: 0, high: 0 };
const split = { seconds: -1, low: 0, high: 0 };

/**
 * Splits nanoseconds since the epoch into `halves` of 32 bits. It works without a BigInt because the log path
 * calls it for every line. Most lines are of the same second as the line before, so that second is
 * remembered.
 */
export function splitNanos(seconds: number, nanos: number): void {
  if (seconds !== split.seconds) {
    // seconds × 10⁹ does not fit in a double: multiply the upper and the lower 16 bits apart.
    const low = (seconds % 0x1_0000) * 1e9;
    const high = Math.floor(seconds / 0x1_0000) * 1e9 + Math.floor(low / 0x1_0000);
    split.seconds = seconds;
    split.low = (high % 0x1_0000) * 0x1_0000 + (low % 0x1_0000);
    split.high = Math.floor(high / 0x1_0000);
  }
  const low = split.low + nanos;
  const carries = low >= HALF;
  halves.low = carries ? low - HALF : low;
  halves.high = carries ? split.high + 1 : split.high;
}

const viewOf = ({ buffer, byteOffset, byteLength }: Buffer): DataView =>
  new DataView(buffer, byteOffset, byteLength);

/**
 * Writes Protocol Buffers wire format into one growing buffer.
 * Source: https://protobuf.dev/programming-guides/encoding/
 *
 * The length of a nested message is not known when the message is opened. The writer keeps one byte free for
 * it. The few messages of 128 bytes or more are moved up when they are closed, so lengths are always minimal.
 */
export class Writer {
  private buffer: Buffer;
  private view: DataView;
  position = 0;

  constructor(size = 4096) {
    this.buffer = Buffer.allocUnsafe(size);
    this.view = viewOf(this.buffer);
  }

  /** The bytes written so far, valid until the next write. */
  bytes(): Buffer {
    return this.buffer.subarray(0, this.position);
  }

  /**
   * A copy of the bytes written so far, outside of Node's buffer pool: each copy there would keep 64 KiB
   * alive.
   */
  copyBytes(): Buffer {
    const copy = Buffer.allocUnsafeSlow(this.position);
    this.buffer.copy(copy, 0, 0, this.position);
    return copy;
  }

  reset(): void {
    this.position = 0;
  }

  /** Ensures that `size` more bytes fit. */
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

  /** Writes a `uint32`, `uint64`, `bool` or enum. @param value a non-negative safe integer */
  uint(field: number, value: number): void {
    this.reserve(13);
    this.tag(field, 0);
    this.varint(value);
  }

  /** Writes an `int64`. A negative one takes ten bytes. */
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

  /**
   * Writes a time as `fixed64` nanoseconds since the epoch, without a BigInt: the log path calls it for every
   * line.
   */
  unixNano(field: number, seconds: number, nanos: number): void {
    this.reserve(9);
    splitNanos(seconds, nanos);
    this.fixedNanos(field, halves.low, halves.high);
  }

  string(field: number, value: string): void {
    const mark = this.openMessage(field);
    this.reserve(value.length * 3);
    this.position += this.buffer.write(value, this.position, 'utf8');
    this.closeMessage(mark);
  }

  /** Writes `bytes`, or a `string` that is UTF-8 already: copies `source[start, end)`. */
  slice(field: number, source: Uint8Array, start: number, end: number): void {
    const size = end - start;
    this.reserve(size + 13);
    this.tag(field, 2);
    this.varint(size);
    this.copy(source, start, end);
  }

  /** Writes encoded fields of the current message. */
  raw(fields: Uint8Array): void {
    this.reserve(fields.length);
    this.copy(fields, 0, fields.length);
  }

  /** Writes the tag and length of a nested message. Its `size` bytes must follow. */
  header(field: number, size: number): void {
    this.reserve(size + 10);
    this.tag(field, 2);
    this.varint(size);
  }

  /** As `header`. The caller has reserved space for it and for the message. */
  roomyHeader(field: number, size: number): void {
    this.buffer[this.position++] = field * 8 + 2;
    this.varint(size);
  }

  /**
   * Writes a time as `fixed64`, from the halves that `splitNanos` made. The caller has reserved space for it.
   */
  fixedNanos(field: number, low: number, high: number): void {
    this.buffer[this.position++] = field * 8 + 1;
    this.view.setUint32(this.position, low, true);
    this.view.setUint32(this.position + 4, high, true);
    this.position += 8;
  }

  /**
   * Writes a 32-bit number as eight lower-case hexadecimal digits, without a tag. The caller has reserved
   * space.
   */
  hex(value: number): void {
    const { view, position } = this;
    view.setUint16(position, HEX[value >>> 24]!);
    view.setUint16(position + 2, HEX[(value >>> 16) & 0xff]!);
    view.setUint16(position + 4, HEX[(value >>> 8) & 0xff]!);
    view.setUint16(position + 6, HEX[value & 0xff]!);
    this.position = position + 8;
  }

  /** Copies bytes. The caller has reserved space for them. */
  copy(source: Uint8Array, start: number, end: number): void {
    const { buffer } = this;
    if (end - start < SMALL) {
      let position = this.position;
      for (let index = start; index < end; index++) buffer[position++] = source[index]!;
    } else buffer.set(source.subarray(start, end), this.position);
    this.position += end - start;
  }

  /** Opens a nested message. @returns the mark that `closeMessage` takes */
  openMessage(field: number): number {
    this.reserve(8);
    this.tag(field, 2);
    return this.position++;
  }

  /** Closes a nested message. @returns by how many bytes its content moved up */
  closeMessage(mark: number): number {
    const size = this.position - mark - 1;
    if (size < 0x80) {
      this.buffer[mark] = size;
      return 0;
    }
    const extra = size < 0x4000 ? 1 : size < 0x20_0000 ? 2 : size < 0x1000_0000 ? 3 : 4;
    this.reserve(extra);
    this.buffer.copyWithin(mark + 1 + extra, mark + 1, this.position);
    this.position = mark;
    this.varint(size);
    this.position += size;
    return extra;
  }
}

/** The bytes that `write` writes, in a buffer of their own. */
export function encodeFields(write: (writer: Writer) => void): Buffer {
  const writer = new Writer(128);
  write(writer);
  return writer.copyBytes();
}
