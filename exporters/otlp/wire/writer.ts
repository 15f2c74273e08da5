/** The two digits of each byte, as one big-endian number. */
const HEX = Uint16Array.from({ length: 256 }, (_, byte) =>
  Buffer.from(byte.toString(16).padStart(2, '0')).readUInt16BE(),
);

/** What a 32-bit half of a 64-bit number counts up to. */
export const HALF = 0x1_0000_0000;

/** How many bytes a varint takes. */
export function varintSize(value: number): number {
  let size = 1;
  for (let rest = value; rest > 0x7f; rest = Math.floor(rest / 128)) size++;
  return size;
}

/** Bytes below which a loop copies faster than a call into native code. */
const SMALL = 256;

/** The halves of what `splitNanos` split last. */
export const halves = { low: 0, high: 0 };
const split = { seconds: -1, low: 0, high: 0 };

/**
 * Splits nanoseconds since the epoch into `halves` of 32 bits, without a BigInt: the log path does it for
 * every line, most of which are of the same second as the one before.
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

  /** The bytes written so far, to be kept: not from the pool, of which each would keep 64 KiB. */
  copyBytes(): Buffer {
    const kept = Buffer.allocUnsafeSlow(this.position);
    this.buffer.copy(kept, 0, 0, this.position);
    return kept;
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

  /**
   * A point in time as `fixed64` nanoseconds since the epoch, from whole seconds and nanoseconds, without
   * a BigInt: the log path writes one for every line.
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

  /** `bytes`, and `string` that is UTF-8 already; copies `source[start, end)`. */
  slice(field: number, source: Uint8Array, start: number, end: number): void {
    const size = end - start;
    this.reserve(size + 13);
    this.tag(field, 2);
    this.varint(size);
    this.copy(source, start, end);
  }

  /** Bytes that are a well-formed sequence of fields of the current message already. */
  raw(fields: Uint8Array): void {
    this.reserve(fields.length);
    this.copy(fields, 0, fields.length);
  }

  /** The tag and length of a nested message of `size` bytes, which are written next. */
  header(field: number, size: number): void {
    this.reserve(size + 10);
    this.tag(field, 2);
    this.varint(size);
  }

  /** As `header`, where there is room for it and for what follows. */
  roomyHeader(field: number, size: number): void {
    this.buffer[this.position++] = field * 8 + 2;
    this.varint(size);
  }

  /** Nanoseconds since the epoch as `fixed64`, for which there is room, from what `splitNanos` made. */
  fixedNanos(field: number, low: number, high: number): void {
    this.buffer[this.position++] = field * 8 + 1;
    this.view.setUint32(this.position, low, true);
    this.view.setUint32(this.position + 4, high, true);
    this.position += 8;
  }

  /** The eight lower-case hexadecimal digits of a 32-bit number, for which there is room, without a tag. */
  hex(value: number): void {
    const { view, position } = this;
    view.setUint16(position, HEX[value >>> 24]!);
    view.setUint16(position + 2, HEX[(value >>> 16) & 0xff]!);
    view.setUint16(position + 4, HEX[(value >>> 8) & 0xff]!);
    view.setUint16(position + 6, HEX[value & 0xff]!);
    this.position = position + 8;
  }

  /** Copies bytes, for which there is room. */
  copy(source: Uint8Array, start: number, end: number): void {
    const { buffer } = this;
    if (end - start < SMALL) {
      let position = this.position;
      for (let index = start; index < end; index++) buffer[position++] = source[index]!;
    } else buffer.set(source.subarray(start, end), this.position);
    this.position += end - start;
  }

  /** Begins a nested message; give what it returns to `end`. */
  openMessage(field: number): number {
    this.reserve(8);
    this.tag(field, 2);
    return this.position++;
  }

  /** @returns by how many bytes what is in the message was moved up */
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

/** What `write` writes, to be kept. */
export function encodeFields(write: (writer: Writer) => void): Buffer {
  const writer = new Writer(128);
  write(writer);
  return writer.copyBytes();
}
