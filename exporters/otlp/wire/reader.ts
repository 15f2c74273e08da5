/** Wire types. Source: https://protobuf.dev/programming-guides/encoding/#structure */
export const WIRE_TYPE = { varint: 0, fixed64: 1, lengthDelimited: 2, fixed32: 5 } as const;

/** Bytes of values that have no length in front of them; those of a varint are not known before. */
const FIXED_LENGTHS: Readonly<Record<number, number>> = {
  [WIRE_TYPE.varint]: 0,
  [WIRE_TYPE.fixed64]: 8,
  [WIRE_TYPE.fixed32]: 4,
};

const MAX_VARINT_BYTES = 10;

/**
 * Walks the fields of one protobuf message, without copying and without decoding values that nobody asks for.
 * Everything in the project that looks into encoded bytes reads them through this class.
 *
 * `next` moves to the next field. The properties then describe that field, until `next` is called again.
 */
export class ProtobufReader {
  private buffer: Buffer;
  private position: number;
  private end: number;
  /** The field's number. */
  field = 0;
  wireType = 0;
  /** Where the field starts in the buffer, including its tag. */
  fieldStart = 0;
  /** Where the field's value starts, after its tag and length. */
  valueStart = 0;
  /** Where the value and the field end. */
  valueEnd = 0;

  /** @throws {RangeError} when `end` is behind the end of the buffer */
  constructor(buffer: Buffer, start = 0, end = buffer.length) {
    if (end > buffer.length) throw new RangeError('protobuf: the message is cut short');
    this.buffer = buffer;
    this.position = start;
    this.end = end;
  }

  /** Starts over with another message, so that one reader serves for many. */
  reset(buffer: Buffer): void {
    this.buffer = buffer;
    this.position = 0;
    this.end = buffer.length;
  }

  /**
   * Moves to the next field.
   * @returns false at the end of the message
   * @throws {RangeError} when the bytes are not well-formed protobuf
   */
  next(): boolean {
    const { buffer, position, end } = this;
    if (position >= end) return false;
    this.fieldStart = position;
    const tag = buffer[position]!;
    const length = buffer[position + 1]!;
    // Nearly all fields of a request are like this: a short tag, and a length of one or two bytes.
    if (tag < 0x80 && (tag & 7) === WIRE_TYPE.lengthDelimited && position + 2 < end) {
      const next = buffer[position + 2]!;
      if (length < 0x80) this.valueStart = position + 2;
      else if (next < 0x80) this.valueStart = position + 3;
      else return this.nextOfAnyKind();
      const valueEnd = this.valueStart + (length < 0x80 ? length : (length & 0x7f) | (next << 7));
      if (valueEnd > end) throw new RangeError('protobuf: a field is cut short');
      this.field = tag >>> 3;
      this.wireType = WIRE_TYPE.lengthDelimited;
      this.valueEnd = valueEnd;
      this.position = valueEnd;
      return true;
    }
    return this.nextOfAnyKind();
  }

  private nextOfAnyKind(): boolean {
    const tag = this.readVarint();
    this.field = Math.floor(tag / 8);
    this.wireType = tag % 8;
    const length =
      this.wireType === WIRE_TYPE.lengthDelimited ? this.readVarint() : FIXED_LENGTHS[this.wireType];
    if (length === undefined) throw new RangeError(`protobuf: unknown wire type ${this.wireType}`);
    this.valueStart = this.position;
    if (this.wireType === WIRE_TYPE.varint) this.readVarint();
    else this.position += length;
    if (this.position > this.end) throw new RangeError('protobuf: a field is cut short');
    this.valueEnd = this.position;
    return true;
  }

  /** The whole field, including its tag. */
  get fieldBytes(): Buffer {
    return this.buffer.subarray(this.fieldStart, this.valueEnd);
  }

  /** The value's bytes; of a nested message, its content. */
  get valueBytes(): Buffer {
    return this.buffer.subarray(this.valueStart, this.valueEnd);
  }

  /** A reader of the nested message that is the value. */
  nested(): ProtobufReader {
    return new ProtobufReader(this.buffer, this.valueStart, this.valueEnd);
  }

  /** The value of a varint field; exact up to 2^53. */
  get number(): number {
    const { position } = this;
    this.position = this.valueStart;
    const value = this.readVarint();
    this.position = position;
    return value;
  }

  /** The value of a varint field as an unsigned 64-bit integer. */
  get bigint(): bigint {
    let value = 0n;
    for (let index = this.valueStart, shift = 0n; index < this.valueEnd; index++, shift += 7n)
      value |= BigInt(this.buffer[index]! & 0x7f) << shift;
    return BigInt.asUintN(64, value);
  }

  private readVarint(): number {
    const { buffer, end } = this;
    let value = 0;
    let scale = 1;
    for (let bytes = 0; bytes < MAX_VARINT_BYTES && this.position < end; bytes++) {
      const byte = buffer[this.position++]!;
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) return value;
      scale *= 128;
    }
    throw new RangeError('protobuf: bad varint');
  }
}
