/** A record of several lines that may not be complete: lines of one stream, joined as bytes. */

import type { LogLine, LogPosition } from '../../collectors/records/records.ts';
import type { Writer } from '../../exporters/otlp/wire/writer.ts';
import { trimPartialCharacter } from './cut-line.ts';
import { isPlainlyIndented, type LineJoining, type RecordEnds } from './multiline.ts';
import { borrowWriter, returnWriter } from './writer-pool.ts';

/** A record with more lines is taken as complete. */
const MAX_LINES = 1000;
/** As much of a line as identifies it. */
const MAX_HEAD_CHARACTERS = 512;
const NEWLINE = Buffer.from('\n');
const NOTHING = Buffer.alloc(0);

export class PartialRecord implements RecordEnds {
  /** The position before its first line. */
  readonly positionBefore: LogPosition;
  /** Its number among the container's records of several lines. */
  readonly order: number;
  /** When the last line was added, by performance.now(). */
  lastLineAt = performance.now();
  /** Whether lines were added since that time was set. */
  hasGrown = false;
  /** Bytes that were cut off because the record is too long. */
  cutBytes = 0;
  /** The first line's time, stream and place, and the bytes that were cut off all lines. */
  private readonly origin: LogLine;
  private readonly bytes: Writer = borrowWriter();
  private lineCount = 1;
  /** Offset of the last line. */
  private lastLineStart = 0;

  constructor(line: LogLine, before: LogPosition, order: number) {
    this.origin = { ...line, source: NOTHING };
    this.positionBefore = before;
    this.order = order;
    this.append(line.source, line.start, line.end);
  }

  /** Whether one of its lines was cut. Valid until `toLine`. */
  get hasCutLine(): boolean {
    return this.origin.cut > 0;
  }

  get first(): string {
    return lineHead(this.bytes.bytes(), 0);
  }

  get last(): string {
    return lineHead(this.bytes.bytes(), this.lastLineStart);
  }

  /** Whether a line continues the record. */
  accepts({ source, start, end }: LogLine, joining: LineJoining, maxLineBytes: number): boolean {
    if (this.lineCount >= MAX_LINES || this.bytes.position >= maxLineBytes) return false;
    if (joining.joinsIndented && isPlainlyIndented(source, start, end)) return true;
    return joining.continues(lineHead(source.subarray(0, end), start), this);
  }

  /** Appends a line, as far as the record stays within `maxLineBytes`. */
  addLine({ source, start, end, cut }: LogLine, maxLineBytes: number): void {
    this.append(NEWLINE, 0, 1);
    this.lastLineStart = this.bytes.position;
    const copied = Math.max(0, Math.min(end - start, maxLineBytes - this.lastLineStart));
    this.append(source, start, start + copied);
    this.cutBytes += end - start - copied;
    this.origin.cut += cut;
    this.lineCount++;
    this.hasGrown = true;
  }

  /** The complete record as one line; valid until `release`. */
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

/** The first characters of the line at `start`, which ends at a newline or at the end of the bytes. */
function lineHead(bytes: Buffer, start: number): string {
  // A character takes up to four bytes.
  const text = bytes.toString('utf8', start, Math.min(bytes.length, start + 4 * MAX_HEAD_CHARACTERS));
  const newline = text.indexOf('\n');
  return text.slice(0, newline === -1 ? MAX_HEAD_CHARACTERS : Math.min(newline, MAX_HEAD_CHARACTERS));
}
