/** What every way to read a log does with its lines: number them, join their pieces, and say how far it got. */

import type { LogLine, LogPosition } from '../../records/records.ts';
import type { Timestamp } from './timestamp.ts';

/** What the daemon reads from a container at a time: a longer line comes in pieces of this size. */
export const MAX_PIECE_BYTES = 16 * 1024;
export const NEWLINE = 0x0a;
export const CARRIAGE_RETURN = 0x0d;

/** A line without anything in it, behind the one that the position names. */
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

/** Below 0 where `a` is before `b`, 0 where they are the same moment. */
export const compareTimes = (a: Readonly<Timestamp>, b: Readonly<Timestamp>): number =>
  a.seconds - b.seconds || a.nanos - b.nanos;

/** Gives a line its time, and its number among those in a row that bear it. */
export function setLineTime(line: LogLine, { seconds, nanos }: Readonly<Timestamp>): void {
  line.count = seconds === line.seconds && nanos === line.nanos ? line.count + 1 : 1;
  line.seconds = seconds;
  line.nanos = nanos;
}

/** Moves a position behind a line that ends at `offset` of its file; -1 where it is in none. */
export function advancePosition(line: LogLine, position: LogPosition, offset: number): void {
  position.seconds = line.seconds;
  position.nanos = line.nanos;
  position.count = line.count;
  position.offset = offset;
  position.check = -1;
}

/** Pieces of a line that is not whole yet; what is too long is left out at its end, and counted. */
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

  /** Copies `source[start, end)`, as far as the line stays below `maxLine` bytes. */
  add(source: Buffer, start: number, end: number, maxLine: number): void {
    const taken = Math.max(0, Math.min(end - start, maxLine - this.size));
    this.pieces.push(Buffer.from(source.subarray(start, start + taken)));
    this.size += taken;
    this.cut += end - start - taken;
  }

  join(): Buffer {
    return Buffer.concat(this.pieces);
  }
}
