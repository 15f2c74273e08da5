/**
 * Takes the daemon's log stream apart into lines.
 * Source: Engine API, "Stream format" of POST /containers/{id}/attach: without a TTY each entry is a frame
 * of an 8-byte header (stream type, three zeros, size as a big-endian 32-bit number) and its bytes; with a
 * TTY the entries follow each other without headers. Each entry begins with its time stamp and a space, and
 * a line longer than the daemon's 16 KiB buffer comes as several entries of which the last ends in a newline.
 */

import type { IoStream } from '../../records/records.ts';
import { CARRIAGE_RETURN, LinePieces, MAX_PIECE_BYTES, NEWLINE } from '../shared/line.ts';
import { readTimestamp, TIMESTAMP_LENGTH, type Timestamp } from '../shared/timestamp.ts';

const HEADER_BYTES = 8;
const EMPTY = Buffer.alloc(0);

/** A line's bytes are `source[start, end)`, and stay valid only during the call. */
export type OnLine = (
  time: Readonly<Timestamp>,
  stream: IoStream,
  source: Buffer,
  start: number,
  end: number,
  /** Bytes that were left out at its end, because the line is too long. */
  cut: number,
) => void;

/** Turns chunks of a log stream, cut anywhere, into calls of `onLine`. */
export interface LineSplitter {
  addChunk(chunk: Buffer): void;
  /** Whether a part of a line has come that no call of `onLine` has covered yet. */
  readonly hasPartialLine: boolean;
  /** The log has ended: a last line without newline is given on. */
  flush(): void;
}

/** @throws {RangeError} from `push` when the stream is not in the daemon's format */
export class FrameSplitter implements LineSplitter {
  private readonly onLine: OnLine;
  private readonly maxLineBytes: number;
  private pending: Buffer = EMPTY;
  private readonly partial: Record<IoStream, LinePieces | undefined> = {
    stdout: undefined,
    stderr: undefined,
  };
  private readonly time: Timestamp = { seconds: 0, nanos: 0 };

  /** @param maxLine bytes of a line above which the rest is left out */
  constructor(onLine: OnLine, maxLine: number) {
    this.onLine = onLine;
    this.maxLineBytes = maxLine;
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
    // Podman tells whole seconds.
    const length = readTimestamp(bytes, start, this.time);
    if (length === 0) throw new RangeError('log stream: entry without time stamp');
    const body = start + length + 1;
    const hasNewline = end > body && bytes[end - 1] === NEWLINE;
    const last = hasNewline ? end - 1 : end;
    // A shorter piece without a newline is the last that a container wrote: no other belongs to it.
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

/** @throws {RangeError} from `push` when the stream is not in the daemon's format */
export class RawSplitter implements LineSplitter {
  private readonly onLine: OnLine;
  private readonly maxLineBytes: number;
  private pending: Buffer = EMPTY;
  private readonly time: Timestamp = { seconds: 0, nanos: 0 };

  /** @param maxLine bytes of a line above which the rest is left out */
  constructor(onLine: OnLine, maxLine: number) {
    this.onLine = onLine;
    this.maxLineBytes = maxLine;
  }

  /** Lines follow each other: what is pending comes after all that was given on. */
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
    // The rest of a line that was given on in pieces has no time stamp of its own: it keeps the last.
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

/** Bytes without a newline above which a terminal's line is given on in parts. */
const MAX_PENDING_BYTES = 4 * 1024 * 1024;

/** A long line comes in pieces, each behind a time stamp of its own, which nothing but its place tells apart. */
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
