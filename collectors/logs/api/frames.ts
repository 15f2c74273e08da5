/**
 * Splits the daemon's log stream into lines.
 * Source: Engine API, "Stream format" of POST /containers/{id}/attach: without a TTY each entry is a frame
 * of an 8-byte header (stream type, three zeros, size as a big-endian 32-bit number) and its bytes; with a
 * TTY the entries follow each other without headers. Each entry starts with its time stamp and a space. A line
 * longer than the daemon's 16 KiB buffer comes as several entries, of which the last ends with a newline.
 */

import type { IoStream } from '../../records/records.ts';
import { CARRIAGE_RETURN, NEWLINE } from '../../shared/ascii.ts';
import { LinePieces, MAX_PIECE_BYTES } from '../shared/line.ts';
import { readTimestamp, TIMESTAMP_LENGTH, type Timestamp } from '../shared/timestamp.ts';

const HEADER_BYTES = 8;
const EMPTY = Buffer.alloc(0);

/** A line's bytes are `source[start, end)`, valid only during the call. */
export type OnLine = (
  time: Readonly<Timestamp>,
  stream: IoStream,
  source: Buffer,
  start: number,
  end: number,
  /** Bytes that were cut off at the end, because the line is too long. */
  cut: number,
) => void;

/** Calls `onLine` for each line of a log stream whose chunks are cut anywhere. */
export interface LineSplitter {
  addChunk(chunk: Buffer): void;
  /** Whether part of a line was received for which `onLine` was not called yet. */
  readonly hasPartialLine: boolean;
  /** The log has ended: a last line without a newline is passed to `onLine`. */
  flush(): void;
}

/** @throws {RangeError} from `addChunk` when the stream is not in the daemon's format */
export class FrameSplitter implements LineSplitter {
  private readonly onLine: OnLine;
  private readonly maxLineBytes: number;
  private pending: Buffer = EMPTY;
  private readonly partial: Record<IoStream, LinePieces | undefined> = {
    stdout: undefined,
    stderr: undefined,
  };
  private readonly time: Timestamp = { seconds: 0, nanos: 0 };

  /** @param maxLineBytes the rest of a longer line is cut off */
  constructor(onLine: OnLine, maxLineBytes: number) {
    this.onLine = onLine;
    this.maxLineBytes = maxLineBytes;
  }

  get hasPartialLine(): boolean {
    return this.partial.stdout !== undefined || this.partial.stderr !== undefined;
  }

  addChunk(chunk: Buffer): void {
    const bytes = this.pending.length === 0 ? chunk : Buffer.concat([this.pending, chunk]);
    let start = 0;
    while (start + HEADER_BYTES <= bytes.length) {
      const type = bytes[start]!;
      if (type > 2) throw new RangeError(`log stream: unknown stream type ${type}`);
      const end = start + HEADER_BYTES + bytes.readUInt32BE(start + 4);
      if (end > bytes.length) break;
      this.readEntry(type === 2 ? 'stderr' : 'stdout', bytes, start + HEADER_BYTES, end);
      start = end;
    }
    this.pending = start === bytes.length ? EMPTY : bytes.subarray(start);
  }

  flush(): void {
    for (const stream of ['stdout', 'stderr'] as const) {
      const line = this.partial[stream];
      this.partial[stream] = undefined;
      if (line !== undefined) this.emitLine(line, stream);
    }
  }

  private emitLine(pieces: LinePieces, stream: IoStream): void {
    const line = pieces.join();
    this.onLine(pieces.time, stream, line, 0, line.length, pieces.cut);
  }

  private readEntry(stream: IoStream, bytes: Buffer, start: number, end: number): void {
    // Podman sends whole seconds.
    const length = readTimestamp(bytes, start, this.time);
    if (length === 0) throw new RangeError('log stream: entry without time stamp');
    const body = start + length + 1;
    const hasNewline = end > body && bytes[end - 1] === NEWLINE;
    const last = hasNewline ? end - 1 : end;
    // A shorter piece without a newline is the last that a container wrote: no piece follows it.
    const complete = hasNewline || end - body < MAX_PIECE_BYTES;
    const partial = this.partial[stream];
    if (partial === undefined && complete) {
      const cut = Math.max(0, last - body - this.maxLineBytes);
      this.onLine(this.time, stream, bytes, body, last - cut, cut);
      return;
    }
    const line = partial ?? new LinePieces(this.time);
    line.add(bytes, body, last, this.maxLineBytes);
    this.partial[stream] = complete ? undefined : line;
    if (complete) this.emitLine(line, stream);
  }
}

/** @throws {RangeError} from `addChunk` when the stream is not in the daemon's format */
export class RawSplitter implements LineSplitter {
  private readonly onLine: OnLine;
  private readonly maxLineBytes: number;
  private pending: Buffer = EMPTY;
  private readonly time: Timestamp = { seconds: 0, nanos: 0 };

  /** @param maxLineBytes the rest of a longer line is cut off */
  constructor(onLine: OnLine, maxLineBytes: number) {
    this.onLine = onLine;
    this.maxLineBytes = maxLineBytes;
  }

  /** There is one stream: what is pending comes after all lines that were passed on. */
  readonly hasPartialLine = false;

  addChunk(chunk: Buffer): void {
    const bytes = this.pending.length === 0 ? chunk : Buffer.concat([this.pending, chunk]);
    let start = 0;
    for (let end = bytes.indexOf(NEWLINE); end !== -1; end = bytes.indexOf(NEWLINE, start)) {
      this.emitLine(bytes, start, end);
      start = end + 1;
    }
    this.pending = start === bytes.length ? EMPTY : bytes.subarray(start);
    if (this.pending.length >= MAX_PENDING_BYTES) this.flush();
  }

  flush(): void {
    if (this.pending.length > 0) this.emitLine(this.pending, 0, this.pending.length);
    this.pending = EMPTY;
  }

  private emitLine(bytes: Buffer, start: number, end: number): void {
    // The rest of a line that was passed on in parts has no time stamp: it keeps the last.
    const hasTime = readTimestamp(bytes, start, this.time) === TIMESTAMP_LENGTH;
    if (!hasTime && this.time.seconds === 0) throw new RangeError('log stream: line without time stamp');
    const body = hasTime ? start + TIMESTAMP_LENGTH + 1 : start;
    // A terminal ends its lines with CR LF.
    const last = end > body && bytes[end - 1] === CARRIAGE_RETURN ? end - 1 : end;
    const whole = last - body > MAX_PIECE_BYTES ? joinPieces(bytes.subarray(body, last)) : undefined;
    const [source, from, to] = whole === undefined ? [bytes, body, last] : [whole, 0, whole.length];
    const cut = Math.max(0, to - from - this.maxLineBytes);
    this.onLine(this.time, 'stdout', source, from, to - cut, cut);
  }
}

/** A terminal's line that is longer is passed on in parts. */
const MAX_PENDING_BYTES = 4 * 1024 * 1024;

/** Joins the pieces of a long line. Each follows a time stamp, which only its place distinguishes from text. */
function joinPieces(line: Buffer): Buffer {
  const time: Timestamp = { seconds: 0, nanos: 0 };
  const pieces: Buffer[] = [];
  let start = 0;
  for (
    let border = MAX_PIECE_BYTES;
    border < line.length && readTimestamp(line, border, time) === TIMESTAMP_LENGTH;
    border = start + MAX_PIECE_BYTES
  ) {
    pieces.push(line.subarray(start, border));
    start = border + TIMESTAMP_LENGTH + 1;
  }
  return Buffer.concat([...pieces, line.subarray(start)]);
}
