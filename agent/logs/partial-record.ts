/** Lines of one stream that may not be all of their record, joined as bytes. */

import type { LogLine, LogPosition } from '../../collectors/records/records.ts';
import type { Writer } from '../../exporters/otlp/wire/writer.ts';
import { trimPartialCharacter } from './cut-line.ts';
import { isPlainlyIndented, type LineJoining, type RecordEnds } from './multiline.ts';
import { borrowWriter, returnWriter } from './writer-pool.ts';

/** Lines of one record above which it is taken as whole. */
const MAX_LINES = 1000;
/** As much of a line as tells what it is. */
const MAX_HEAD_CHARACTERS = 512;
const NEWLINE = Buffer.from('\n');
const NOTHING = Buffer.alloc(0);

export class PartialRecord implements RecordEnds {
  /** How far everything before its first line was read. */
  readonly positionBefore: LogPosition;
  /** Which of the container's groups it is. */
  readonly order: number;
  /** When the last line came, by performance.now(). */
  lastLineAt = performance.now();
  /** Whether lines came since that was noted. */
  hasGrown = false;
  /** Bytes that were left out because the record is too long. */
  cutBytes = 0;
  /** Where the record's facts come from: those of its first line, with what all lines were cut by. */
  private readonly origin: LogLine;
  private readonly bytes: Writer = borrowWriter();
  private lineCount = 1;
  /** Where the last line begins. */
  private lastLineStart = 0;

  constructor(line: LogLine, before: LogPosition, order: number) {
    this.origin = { ...line, source: NOTHING };
    this.positionBefore = before;
    this.order = order;
    this.append(line.source, line.start, line.end);
  }

  /** Whether a line was too long itself; of a record that is not taken as a line yet. */
  get hasCutLine(): boolean {
    return this.origin.cut > 0;
  }

  get first(): string {
    return lineHead(this.bytes.bytes(), 0);
  }

  get last(): string {
    return lineHead(this.bytes.bytes(), this.lastLineStart);
  }

  /** Whether a line goes on with it. */
  accepts({ source, start, end }: LogLine, joining: LineJoining, maxLine: number): boolean {
    if (this.lineCount >= MAX_LINES || this.bytes.position >= maxLine) return false;
    if (joining.joinsIndented && isPlainlyIndented(source, start, end)) return true;
    return joining.continues(lineHead(source.subarray(0, end), start), this);
  }

  /** Appends a line, as far as the record stays below `maxLine` bytes. */
  addLine({ source, start, end, cut }: LogLine, maxLine: number): void {
    this.append(NEWLINE, 0, 1);
    this.lastLineStart = this.bytes.position;
    const taken = Math.max(0, Math.min(end - start, maxLine - this.lastLineStart));
    this.append(source, start, start + taken);
    this.cutBytes += end - start - taken;
    this.origin.cut += cut;
    this.lineCount++;
    this.hasGrown = true;
  }

  /** The record as one line, once it is whole; valid until the group is released. */
  toLine(): LogLine {
    const line = this.origin;
    line.source = this.bytes.bytes();
    line.start = 0;
    line.end = line.source.length;
    line.cut += this.cutBytes;
    if (this.cutBytes > 0) trimPartialCharacter(line);
    return line;
  }

  release(): void {
    returnWriter(this.bytes);
  }

  private append(source: Buffer, start: number, end: number): void {
    this.bytes.reserve(end - start);
    this.bytes.copy(source, start, end);
  }
}

/** The beginning of the line at `start`, which ends where the bytes do, or with the line. */
function lineHead(bytes: Buffer, start: number): string {
  // No character takes more than four bytes.
  const text = bytes.toString('utf8', start, Math.min(bytes.length, start + 4 * MAX_HEAD_CHARACTERS));
  const newline = text.indexOf('\n');
  return text.slice(0, newline === -1 ? MAX_HEAD_CHARACTERS : Math.min(newline, MAX_HEAD_CHARACTERS));
}
