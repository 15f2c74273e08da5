/**
 * A batch as it stands in a segment file: a header with a checksum, then its OTLP bytes.
 *
 * | bytes | what |
 * | --- | --- |
 * | 0–3 | `PLF1` |
 * | 4–7 | length of the OTLP bytes |
 * | 8–11 | number of records in them |
 * | 12–19 | when it was added, ms since the epoch, a double |
 * | 20–23 | CRC-32 of bytes 4–19 and of the OTLP bytes |
 *
 * Numbers are little-endian.
 */
import { crc32 } from 'node:zlib';

export const HEADER_BYTES = 24;
const MAGIC = Buffer.from('PLF1');
const FACTS_FROM = 4;
const FACTS_TO = 20;
/** No batch is near it: a length above is damage. */
const MAX_PAYLOAD_BYTES = 256 * 1024 * 1024;

/** Where a batch stands in a file. */
export interface Frame {
  /** Where its header begins, bytes. */
  readonly offset: number;
  /** Bytes of OTLP behind the header. */
  readonly bytes: number;
  /** Number of records. */
  readonly count: number;
  /** When it was added, ms since the epoch. */
  readonly time: number;
}

export const endOf = ({ offset, bytes }: Frame): number => offset + HEADER_BYTES + bytes;

/** The header of a batch. */
export function headerOf(otlp: Uint8Array, count: number, time: number): Buffer {
  const header = Buffer.allocUnsafe(HEADER_BYTES);
  MAGIC.copy(header);
  header.writeUInt32LE(otlp.length, 4);
  header.writeUInt32LE(count, 8);
  header.writeDoubleLE(time, 12);
  header.writeUInt32LE(crc32(otlp, crc32(header.subarray(FACTS_FROM, FACTS_TO))), FACTS_TO);
  return header;
}

/**
 * The batch that stands at `at`.
 * @param base where `bytes` begin in the file
 * @returns undefined when none does, or it is damaged
 */
export function frameAt(bytes: Buffer, at: number, base: number): Frame | undefined {
  if (at + HEADER_BYTES > bytes.length || bytes.compare(MAGIC, 0, 4, at, at + 4) !== 0) return undefined;
  const length = bytes.readUInt32LE(at + 4);
  const end = at + HEADER_BYTES + length;
  if (length > MAX_PAYLOAD_BYTES || end > bytes.length) return undefined;
  const facts = crc32(bytes.subarray(at + FACTS_FROM, at + FACTS_TO));
  const isWhole = crc32(bytes.subarray(at + HEADER_BYTES, end), facts) === bytes.readUInt32LE(at + FACTS_TO);
  if (!isWhole) return undefined;
  return {
    offset: base + at,
    bytes: length,
    count: bytes.readUInt32LE(at + 8),
    time: bytes.readDoubleLE(at + 12),
  };
}

export interface Scan {
  readonly frames: readonly Frame[];
  /** What is no whole batch: from where to where in the file. */
  readonly damaged: readonly { readonly from: number; readonly to: number }[];
}

/**
 * All batches in `bytes`, whatever is broken between them.
 * @param base where `bytes` begin in the file
 */
export function scan(bytes: Buffer, base: number): Scan {
  const frames: Frame[] = [];
  const damaged: { from: number; to: number }[] = [];
  for (let at = 0; at < bytes.length; ) {
    let frame = frameAt(bytes, at, base);
    if (frame === undefined) {
      const from = at;
      // Bytes that look like a header can be part of a log line: only a whole batch ends the damage.
      do {
        at = bytes.indexOf(MAGIC, at + 1);
        if (at === -1) at = bytes.length;
        frame = frameAt(bytes, at, base);
      } while (frame === undefined && at < bytes.length);
      damaged.push({ from: base + from, to: base + at });
      if (frame === undefined) break;
    }
    frames.push(frame);
    at = endOf(frame) - base;
  }
  return { frames, damaged };
}
