/** What all readers of logs do with lines: number them, join their pieces, and move the position. */

import type { LogLine, LogPosition } from '../../records/records.ts';
import type { Timestamp } from './timestamp.ts';

/** What the daemon reads from a container at a time. A longer line comes in pieces of this size. */
export const MAX_PIECE_BYTES = 16 * 1024;

/** An empty line that follows the one that the position names. */
export const emptyLineAfter = ({
  seconds,
  nanos,
  count,
}: Pick<LogPosition, 'seconds' | 'nanos' | 'count'>): LogLine => ({
  seconds,
  nanos,
  count,
  stream: 'stdout',
  source: Buffer.alloc(0),
  start: 0,
  end: 0,
  cut: 0,
  utf8: false,
  malformed: false,
  ordinal: 0,
  path: '',
  offset: 0,
});

/** Negative where `a` is before `b`, 0 where both are the same time. */
export const compareTimes = (a: Readonly<Timestamp>, b: Readonly<Timestamp>): number =>
  a.seconds - b.seconds || a.nanos - b.nanos;

/** Sets a line's time, and its number among consecutive lines with that time. */
export function setLineTime(line: LogLine, { seconds, nanos }: Readonly<Timestamp>): void {
  line.count = seconds === line.seconds && nanos === line.nanos ? line.count + 1 : 1;
  line.seconds = seconds;
  line.nanos = nanos;
}

/** Moves a position behind a line that ends at `offset` of its file; -1 where it is not in a file. */
export function advancePosition(line: LogLine, position: LogPosition, offset: number): void {
  position.seconds = line.seconds;
  position.nanos = line.nanos;
  position.count = line.count;
  position.offset = offset;
  position.check = -1;
}

/** Pieces of a line that is still partial. What exceeds the limit is left out at the end, and counted. */
export class LinePieces {
  /** When the first piece was written. */
  readonly time: Readonly<Timestamp>;
  /** Bytes that were left out. */
  cut = 0;
  private readonly pieces: Buffer[] = [];
  private size = 0;

  constructor(time: Timestamp) {
    this.time = { ...time };
  }

  /** Copies `source[start, end)`, as far as the line stays within `maxLineBytes`. */
  add(source: Buffer, start: number, end: number, maxLineBytes: number): void {
    const copied = Math.max(0, Math.min(end - start, maxLineBytes - this.size));
    this.pieces.push(Buffer.from(source.subarray(start, start + copied)));
    this.size += copied;
    this.cut += end - start - copied;
  }

  join(): Buffer {
    return Buffer.concat(this.pieces);
  }
}
