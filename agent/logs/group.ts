/** Lines of one stream that may not be all of their record, joined as bytes. */

import type { LogLine, LogPosition } from '../../collectors/records/records.ts';
import type { Writer } from '../../exporters/otlp/wire/writer.ts';
import { isPlainlyIndented, type Joining, type SoFar } from './multiline.ts';
import { trim } from './trim.ts';
import { borrow, giveBack } from './writers.ts';

/** Lines of one record above which it is taken as whole. */
const MAX_LINES = 1000;
/** As much of a line as tells what it is. */
const LONGEST_BEGIN = 512;
const NEWLINE = Buffer.from('\n');
const NOTHING = Buffer.alloc(0);

export class Group implements SoFar {
  /** How far everything before its first line was read. */
  readonly before: LogPosition;
  /** Which of the container's groups it is. */
  readonly order: number;
  /** When the last line came, by performance.now(). */
  at = performance.now();
  /** Whether lines came since that was noted. */
  hasGrown = false;
  /** Bytes that were left out because the record is too long. */
  leftOut = 0;
  /** Where the record's facts come from: those of its first line, with what all lines were cut by. */
  private readonly origin: LogLine;
  private readonly bytes: Writer = borrow();
  private lines = 1;
  /** Where the last line begins. */
  private lastAt = 0;

  constructor(line: LogLine, before: LogPosition, order: number) {
    this.origin = { ...line, source: NOTHING };
    this.before = before;
    this.order = order;
    this.copy(line.source, line.start, line.end);
  }

  /** Whether a line was too long itself; of a record that is not taken as a line yet. */
  get hasCutLine(): boolean {
    return this.origin.cut > 0;
  }

  get first(): string {
    return beginOf(this.bytes.bytes(), 0);
  }

  get last(): string {
    return beginOf(this.bytes.bytes(), this.lastAt);
  }

  /** Whether a line goes on with it. */
  takes({ source, start, end }: LogLine, joining: Joining, maxLine: number): boolean {
    if (this.lines >= MAX_LINES || this.bytes.position >= maxLine) return false;
    if (joining.takesIndented && isPlainlyIndented(source, start, end)) return true;
    return joining.continues(beginOf(source.subarray(0, end), start), this);
  }

  /** Appends a line, as far as the record stays below `maxLine` bytes. */
  add({ source, start, end, cut }: LogLine, maxLine: number): void {
    this.copy(NEWLINE, 0, 1);
    this.lastAt = this.bytes.position;
    const taken = Math.max(0, Math.min(end - start, maxLine - this.lastAt));
    this.copy(source, start, start + taken);
    this.leftOut += end - start - taken;
    this.origin.cut += cut;
    this.lines++;
    this.hasGrown = true;
  }

  /** The record as one line, once it is whole; valid until the group is released. */
  asLine(): LogLine {
    const line = this.origin;
    line.source = this.bytes.bytes();
    line.start = 0;
    line.end = line.source.length;
    line.cut += this.leftOut;
    if (this.leftOut > 0) trim(line);
    return line;
  }

  release(): void {
    giveBack(this.bytes);
  }

  private copy(source: Buffer, start: number, end: number): void {
    this.bytes.reserve(end - start);
    this.bytes.copy(source, start, end);
  }
}

/** The beginning of the line at `start`, which ends where the bytes do, or with the line. */
function beginOf(bytes: Buffer, start: number): string {
  // No character takes more than four bytes.
  const text = bytes.toString('utf8', start, Math.min(bytes.length, start + 4 * LONGEST_BEGIN));
  const newline = text.indexOf('\n');
  return text.slice(0, newline === -1 ? LONGEST_BEGIN : Math.min(newline, LONGEST_BEGIN));
}
