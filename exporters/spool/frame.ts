/**
 * A batch in a segment file: a header with a checksum, then its OTLP bytes.
 *
 * | bytes | content |
 * | --- | --- |
 * | 0–3 | `PLF1` |
 * | 4–7 | length of the OTLP bytes |
 * | 8–11 | number of records in them |
 * | 12–19 | when the batch was added, ms since the epoch, a double |
 * | 20–23 | CRC-32 of bytes 4–19 and of the OTLP bytes |
 *
 * Numbers are little-endian.
 */
import { crc32 } from 'node:zlib';

export const HEADER_BYTES = 24;
const MAGIC = Buffer.from('PLF1');
const CHECKED_FROM = 4;
const CRC_OFFSET = 20;
/** Batches are far smaller. A length above this is damage. */
const MAX_PAYLOAD_BYTES = 256 * 1024 * 1024;

/** The place of a batch in a file. */
export interface Frame {
  /** Offset of the header, bytes. */
  readonly offset: number;
  /** Bytes of OTLP after the header. */
  readonly bytes: number;
  /** Number of records. */
  readonly count: number;
  /** When the batch was added, ms since the epoch. */
  readonly addedAt: number;
}

export const frameEnd = ({ offset, bytes }: Frame): number => offset + HEADER_BYTES + bytes;

export function encodeHeader(otlp: Uint8Array, count: number, addedAt: number): Buffer {
  const header = Buffer.allocUnsafe(HEADER_BYTES);
  MAGIC.copy(header);
  header.writeUInt32LE(otlp.length, 4);
  header.writeUInt32LE(count, 8);
  header.writeDoubleLE(addedAt, 12);
  header.writeUInt32LE(crc32(otlp, crc32(header.subarray(CHECKED_FROM, CRC_OFFSET))), CRC_OFFSET);
  return header;
}

/**
 * Reads the header at `at`, and verifies the checksum.
 * @param base offset of `bytes` in the file
 * @returns undefined when no intact batch starts there
 */
export function decodeFrame(bytes: Buffer, at: number, base: number): Frame | undefined {
  if (at + HEADER_BYTES > bytes.length || bytes.compare(MAGIC, 0, 4, at, at + 4) !== 0) return undefined;
  const length = bytes.readUInt32LE(at + 4);
  const end = at + HEADER_BYTES + length;
  if (length > MAX_PAYLOAD_BYTES || end > bytes.length) return undefined;
  const headerCrc = crc32(bytes.subarray(at + CHECKED_FROM, at + CRC_OFFSET));
  const isIntact =
    crc32(bytes.subarray(at + HEADER_BYTES, end), headerCrc) === bytes.readUInt32LE(at + CRC_OFFSET);
  if (!isIntact) return undefined;
  return {
    offset: base + at,
    bytes: length,
    count: bytes.readUInt32LE(at + 8),
    addedAt: bytes.readDoubleLE(at + 12),
  };
}

export interface ScanResult {
  readonly frames: readonly Frame[];
  /** Ranges of the file that are not an intact batch. */
  readonly damaged: readonly { readonly from: number; readonly to: number }[];
}

/**
 * Finds all intact batches in `bytes`, and the damaged ranges between them.
 * @param base offset of `bytes` in the file
 */
export function scanFrames(bytes: Buffer, base: number): ScanResult {
  const frames: Frame[] = [];
  const damaged: { from: number; to: number }[] = [];
  for (let at = 0; at < bytes.length; ) {
    let frame = decodeFrame(bytes, at, base);
    if (frame === undefined) {
      const from = at;
      // A log line can contain the bytes of a header: only an intact batch ends the damaged range.
      do {
        at = bytes.indexOf(MAGIC, at + 1);
        if (at === -1) at = bytes.length;
        frame = decodeFrame(bytes, at, base);
      } while (frame === undefined && at < bytes.length);
      damaged.push({ from: base + from, to: base + at });
      if (frame === undefined) break;
    }
    frames.push(frame);
    at = frameEnd(frame) - base;
  }
  return { frames, damaged };
}
