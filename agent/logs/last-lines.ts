/** Keeps the last records of each container's log as they were exported: what was redacted stays redacted. */

import type { UnixNano } from '../../collectors/records/records.ts';
import { decodeRecords } from '../../exporters/otlp/wire/decode.ts';
import { ProtobufReader } from '../../exporters/otlp/wire/reader.ts';

const MAX_LINES = 10;
/** Limits of one line, in characters, and of all lines of a container, in bytes. */
const MAX_LINE_CHARACTERS = 1024;
const MAX_BYTES = 8 * 1024;
const MIN_BYTES = 512;

/** A ring of the offsets of the last records. Shared, since it is only used within one call. */
const starts = new Array<number>(MAX_LINES).fill(0);

const reader = new ProtobufReader(Buffer.alloc(0));

/** Offsets of the last records. */
function lastStarts(records: Buffer): number[] {
  let count = 0;
  reader.reset(records);
  for (; reader.next(); count++) starts[count % MAX_LINES] = reader.fieldStart;
  return Array.from(
    { length: Math.min(count, MAX_LINES) },
    (_, index) => starts[(Math.max(0, count - MAX_LINES) + index) % MAX_LINES]!,
  );
}

interface RecordTail {
  /** The first `length` bytes are records. */
  buffer: Buffer;
  length: number;
  /** The line before them, if it was too long to be kept as a record. */
  long: LastLine | undefined;
}

interface LastLine {
  readonly time: UnixNano;
  readonly text: string;
}

const decodeLines = (records: Uint8Array): LastLine[] =>
  decodeRecords(records).map(({ timeUnixNano = '0', body }) => ({
    time: BigInt(timeUnixNano),
    text: (body?.stringValue ?? '').slice(0, MAX_LINE_CHARACTERS),
  }));

export class LastLines {
  private readonly tails = new Map<string, RecordTail>();

  /** @param records encoded `log_records` fields, at least one */
  addRecords(id: string, records: Buffer): void {
    let tail = this.tails.get(id);
    if (tail === undefined) {
      tail = { buffer: Buffer.allocUnsafeSlow(MIN_BYTES), length: 0, long: undefined };
      this.tails.set(id, tail);
    }
    const recordStarts = lastStarts(records);
    const from = recordStarts.find((start) => records.length - start <= MAX_BYTES);
    if (from === undefined) {
      tail.long = decodeLines(records.subarray(recordStarts.at(-1)))[0];
      tail.length = 0;
      return;
    }
    // Earlier records stay as far as there is room; none stay where records between them and the new ones are missing.
    const kept = tail.buffer.subarray(0, tail.length);
    const size = records.length - from;
    const isWhole = from === 0;
    const before = isWhole ? lastStarts(kept).slice(recordStarts.length - MAX_LINES) : [];
    const start = before.find((offset) => tail.length - offset + size <= MAX_BYTES) ?? tail.length;
    if (!isWhole || start !== 0) tail.long = undefined;
    const length = tail.length - start + size;
    if (length > tail.buffer.length) {
      const buffer = Buffer.allocUnsafeSlow(Math.min(MAX_BYTES, 2 ** Math.ceil(Math.log2(length))));
      kept.copy(buffer, 0, start);
      tail.buffer = buffer;
    } else tail.buffer.copyWithin(0, start, tail.length);
    records.copy(tail.buffer, tail.length - start, from);
    tail.length = length;
  }

  /** The last lines that were written after `since`, the oldest first. */
  linesSince(id: string, since: UnixNano): string[] {
    const tail = this.tails.get(id);
    if (tail === undefined) return [];
    const lines = decodeLines(tail.buffer.subarray(0, tail.length));
    return (tail.long === undefined ? lines : [tail.long, ...lines])
      .slice(-MAX_LINES)
      .filter(({ time }) => time > since)
      .map(({ text }) => text);
  }

  forget(id: string): void {
    this.tails.delete(id);
  }
}
