/** Decodes the bytes of json-file logs into lines: joins pieces, marks what is not an entry, moves the position. */
import { isUtf8 } from 'node:buffer';
import type { LogSink } from '../../records/collector.ts';
import type { IoStream, LogLine, LogPosition } from '../../records/records.ts';
import { CARRIAGE_RETURN, NEWLINE } from '../../shared/ascii.ts';
import { advancePosition, emptyLineAfter, LinePieces, MAX_PIECE_BYTES, setLineTime } from '../shared/line.ts';
import { startPosition } from '../shared/position.ts';
import type { Timestamp } from '../shared/timestamp.ts';
import { ENTRY_START, JsonFileEntry } from './entry.ts';

export interface LineDecoderOptions {
  readonly path: string;
  readonly sink: LogSink;
  /** Kept behind the last whole line. */
  readonly position: LogPosition;
  /** Whether lines end in CR LF, as a terminal's do. */
  readonly tty: boolean;
}

export class LineDecoder {
  private readonly sink: LogSink;
  private readonly position: LogPosition;
  private readonly tty: boolean;
  private readonly entry = new JsonFileEntry();
  /** One object for all lines. Between lines it holds the time of the last. */
  private readonly line: LogLine = emptyLineAfter(startPosition());
  /** Lines of which only the first pieces have been read. */
  private partials: Record<IoStream, LinePieces | undefined> = { stdout: undefined, stderr: undefined };
  /** Lines up to this position are skipped, until the first that is newer; undefined for none. */
  private skipUntil: LogPosition | undefined;
  /** How many lines of the time of `skipUntil` were skipped. */
  private skipped = 0;
  /** Whether all bytes that are being decoded are UTF-8. */
  private isUtf8 = true;
  /** Offset of these bytes in their file. */
  private offset = 0;
  /** When the file was created: the time of what comes before any entry. */
  private birthSeconds = 0;

  constructor({ path, sink, position, tty }: LineDecoderOptions) {
    this.sink = sink;
    this.position = position;
    this.tty = tty;
    if (sink.wantsFileOffset) this.line.path = path;
  }

  /** The position's line is the one before the next that is decoded. */
  resumeFrom({ seconds, nanos, count }: LogPosition): void {
    this.line.seconds = seconds;
    this.line.nanos = nanos;
    this.line.count = count;
  }

  /** Skips what the position covers: the file that it is in was not found. */
  skipCovered(): void {
    this.skipUntil = { ...this.position };
    this.skipped = 0;
  }

  /** The bytes that follow are of another file. */
  startFile(birthSeconds: number): void {
    this.birthSeconds = birthSeconds;
  }

  /** The position behind the last line, in a file that was read up to `offset`. */
  positionAt(offset: number, check: number): LogPosition {
    const { seconds, nanos } = this.line;
    return { seconds, nanos, count: 0, offset, check };
  }

  /** Decodes whole entries. @param offset of the bytes in their file */
  decode(bytes: Buffer, offset: number): void {
    this.offset = offset;
    this.isUtf8 = isUtf8(bytes);
    for (let start = 0, end = bytes.indexOf(NEWLINE); end !== -1; end = bytes.indexOf(NEWLINE, start)) {
      this.decodeEntry(bytes, start, end);
      start = end + 1;
    }
  }

  /** Emits bytes without a newline that are not an entry, and will not become one. @param offset as above */
  emitTorn(bytes: Buffer, offset: number): void {
    this.line.offset = offset;
    this.line.ordinal = offset;
    this.emitMalformed(bytes, 0, bytes.length);
  }

  /** The container has ended: partial lines are complete. @param offset the offset up to which the file was read */
  finish(offset: number): void {
    this.joinPieces('stdout');
    this.joinPieces('stderr');
    this.offset = offset;
    this.advance(0);
  }

  /** The file was emptied: the rest of partial lines is gone. */
  discardPieces(): void {
    this.partials = { stdout: undefined, stderr: undefined };
  }

  /** Decodes the line `bytes[start, end)`. Before an entry there can be one that was torn when the daemon crashed. */
  private decodeEntry(bytes: Buffer, from: number, end: number): void {
    this.line.offset = this.offset + from;
    this.line.ordinal = this.line.offset;
    if (!this.entry.parse(bytes, from, end)) {
      const next = bytes.indexOf(ENTRY_START, from + 1);
      if (next === -1 || next >= end || !this.entry.parse(bytes, next, end)) {
        this.emitMalformed(bytes, from, end);
        this.advance(end + 1);
        return;
      }
      this.emitMalformed(bytes, from, next);
    }
    const { time, stream, source, endsLine } = this.entry;
    const last =
      this.tty && source[this.entry.end - 1] === CARRIAGE_RETURN && endsLine
        ? this.entry.end - 1
        : this.entry.end;
    const { start } = this.entry;
    const isComplete = endsLine || last - start < MAX_PIECE_BYTES;
    const { maxLineBytes } = this.sink;
    const partial = this.partials[stream];
    if (partial === undefined && isComplete) {
      const cut = Math.max(0, last - start - maxLineBytes);
      this.emit(time, stream, source, start, last - cut, cut, this.isUtf8);
    } else {
      const pieces = partial ?? new LinePieces(time);
      this.partials[stream] = pieces;
      pieces.add(source, start, last, maxLineBytes);
      if (isComplete) this.joinPieces(stream);
    }
    this.advance(end + 1);
  }

  private joinPieces(stream: IoStream): void {
    const partial = this.partials[stream];
    if (partial === undefined) return;
    this.partials[stream] = undefined;
    const whole = partial.join();
    // Its first pieces were of another read: whether they are UTF-8 is not known.
    this.emit(partial.time, stream, whole, 0, whole.length, partial.cut, false);
  }

  /** Moves the position to `consumed` bytes behind `offset`, unless a line is still partial. */
  private advance(consumed: number): void {
    if (this.partials.stdout !== undefined || this.partials.stderr !== undefined) return;
    advancePosition(this.line, this.position, this.offset + consumed);
  }

  private emit(
    time: Readonly<Timestamp>,
    stream: IoStream,
    source: Buffer,
    start: number,
    end: number,
    cut: number,
    isUtf8Known: boolean,
  ): void {
    const { line } = this;
    setLineTime(line, time);
    if (this.skipUntil !== undefined && this.isCovered(this.skipUntil)) return;
    line.stream = stream;
    line.source = source;
    line.start = start;
    line.end = end;
    line.cut = cut;
    line.utf8 = isUtf8Known || isUtf8(source.subarray(start, end));
    this.sink.addLine(line);
  }

  private isCovered(position: LogPosition): boolean {
    const { seconds, nanos } = this.line;
    const isOlder = seconds < position.seconds || (seconds === position.seconds && nanos < position.nanos);
    const isSameTime = seconds === position.seconds && nanos === position.nanos;
    if (isOlder || (isSameTime && this.skipped++ < position.count)) return true;
    this.skipUntil = undefined;
    return false;
  }

  /** Emits bytes that are not an entry as they are: they are in the log. */
  private emitMalformed(bytes: Buffer, start: number, end: number): void {
    if (start === end) return;
    const { line } = this;
    const cut = Math.max(0, end - start - this.sink.maxLineBytes);
    // Without an entry before it, its time is the file's: the same whenever it is read.
    if (line.seconds === 0) line.seconds = this.birthSeconds;
    line.malformed = true;
    this.emit(line, 'stdout', bytes, start, end - cut, cut, false);
    line.malformed = false;
  }
}
