/** Follows one container's log files from a position on, through rotation, truncation and removal. */
import { isUtf8 } from 'node:buffer';
import {
  closeSync,
  type FSWatcher,
  fstatSync,
  openSync,
  readSync,
  statfsSync,
  statSync,
  watch,
} from 'node:fs';
import { crc32 } from 'node:zlib';
import type { LogSink } from '../../records/collector.ts';
import type { IoStream, LogLine, LogPosition } from '../../records/records.ts';
import type { Follower } from '../shared/follower.ts';
import {
  advancePosition,
  CARRIAGE_RETURN,
  emptyLineAfter,
  LinePieces,
  MAX_PIECE_BYTES,
  NEWLINE,
  setLineTime,
} from '../shared/line.ts';
import { startPosition } from '../shared/position.ts';
import type { Timestamp } from '../shared/timestamp.ts';
import { ENTRY_START, JsonFileEntry } from './entry.ts';
import {
  endPosition,
  fileIdentity,
  findUnreadFiles,
  type Generation,
  MARK_BYTES,
  openGeneration,
  RenamedError,
  type UnreadFiles,
} from './generations.ts';

const NOTHING = Buffer.alloc(0);
const OPEN_EVERY_MS = 1000;
/**
 * File systems that nobody but this kernel writes to: ext2 to ext4, XFS, Btrfs, F2FS and tmpfs.
 * Source: linux/magic.h, statfs(2), inotify(7)
 */
const LOCAL = new Set([0xef53, 0x58465342, 0x9123683e, 0xf2f52010, 0x01021994]);
/** A container's log is quiet when nothing was written to it for so long. */
const QUIET_AFTER_MS = 5000;

export interface TailOptions {
  readonly path: string;
  readonly sink: LogSink;
  /** Where to go on; kept up to date. */
  readonly position: LogPosition;
  /** Whether to begin at the end, where the position is new. */
  readonly fromEnd: boolean;
  /** The current file, where it was opened before; the tail closes it. */
  readonly held?: number | undefined;
  /** Whether lines end in CR LF, as a terminal's do. */
  readonly tty: boolean;
  /** Bytes of a file above which the driver rotates it; 0 where it does not. */
  readonly maxFile: number;
  /** How long a file that nothing is written to goes without a look at what has become of its name. */
  readonly lookMs: number;
  /** Called with what went wrong; reading goes on. */
  readonly onFault: (error: unknown) => void;
  /** Called when bytes were gone before they were read. */
  readonly onTruncated: () => void;
}

export class FileTail implements Follower {
  /** Resolves when the log has ended and all of it was handed over. */
  readonly finished: Promise<void>;
  /** Resolves when the first file is open, and the position that of its first line to be read. */
  readonly opened: Promise<void>;
  /** Called when there may be something to read; `byKernel` where it is the kernel that has told. */
  onReadable: (byKernel: boolean) => void = () => {};
  private finish!: () => void;
  private readonly options: TailOptions;
  private readonly entry = new JsonFileEntry();
  private readonly line: LogLine = emptyLineAfter(startPosition());
  private partials: Record<IoStream, LinePieces | undefined> = { stdout: undefined, stderr: undefined };
  /** Until a line is newer than this one, lines were handed over before. */
  private resumed: LogPosition | undefined;
  private repeats = 0;
  /** Whether all of what is being read is UTF-8. */
  private isUtf8 = true;

  private descriptor = -1;
  private held: number | undefined;
  private watcher: FSWatcher | undefined;
  /** Whether the kernel is known to tell, whoever writes; known once it is watched. */
  isLocal = false;
  private identity = '';
  /** Where the next line begins in the file that is open. */
  private offset = 0;
  /** The bytes before that place, as many as are marked. */
  private readonly mark = Buffer.alloc(MARK_BYTES);
  private marked = 0;
  /** Files to be read after the one that is open. */
  private following: Generation[] = [];
  private busy = true;
  /** Whether files were renamed while they were opened. */
  private isRace = false;
  private isRunning = true;
  private isRemoved = false;
  private hadData = false;
  private lastData = performance.now();
  private lastLook = performance.now();

  constructor(options: TailOptions) {
    this.options = options;
    if (options.sink.wantsFileOffset) this.line.path = options.path;
    this.held = options.held;
    this.finished = new Promise((resolve) => {
      this.finish = resolve;
    });
    this.opened = this.open();
  }

  /** Whether nothing was written for a while, at `now` by performance.now(). */
  isQuiet(now: number): boolean {
    return now - this.lastData > QUIET_AFTER_MS;
  }

  /** Whether the kernel tells when a quiet file is written to again, so that it need not be looked at. */
  get isWatched(): boolean {
    return this.watcher !== undefined;
  }

  /** Lets the kernel tell when something is written; where it cannot, the file is looked at as before. */
  watch(): void {
    if (this.isWatched || this.busy || this.descriptor === -1) return;
    try {
      this.watcher = watch(this.options.path, { persistent: false }, () => this.wake(true));
      this.watcher.on('error', () => this.wake());
      this.isLocal = LOCAL.has(statfsSync(this.options.path).type);
      // What was renamed right before is seen in the next turn.
      this.hadData = true;
    } catch {
      this.unwatch();
    }
  }

  private wake(byKernel = false): void {
    this.lastData = performance.now();
    this.hadData = true;
    this.unwatch();
    this.onReadable(byKernel);
  }

  private unwatch(): void {
    this.watcher?.close();
    this.watcher = undefined;
  }

  /** Whether something has to be waited for before the next turn can do anything. */
  get isWaiting(): boolean {
    return this.busy;
  }

  /** The container runs (again). */
  containerStarted(): void {
    this.wake();
    this.isRunning = true;
  }

  /** The container has ended: what is left is read, and then the files are closed. */
  containerEnded(isRemoved: boolean): void {
    this.wake();
    this.isRunning = false;
    this.isRemoved ||= isRemoved;
  }

  close(): void {
    if (this.descriptor !== -1) closeSync(this.descriptor);
    this.descriptor = -1;
    this.unwatch();
    this.release();
    this.busy = true;
    this.finish();
  }

  /**
   * Hands over what is there, a buffer's length at most.
   * @returns whether there may be more right away
   */
  readPiece(buffer: Buffer): boolean {
    if (this.busy) return false;
    if (this.descriptor === -1) return this.openAgain();
    // What was read last is read again: a file that has grown anew to the same size is another.
    const { marked } = this;
    const length = readSync(this.descriptor, buffer, 0, buffer.length, this.offset - marked);
    if (length < marked || buffer.compare(this.mark, 0, marked, 0, marked) !== 0) return this.emptied();
    if (length === marked) return this.atEnd(NOTHING);
    const bytes = buffer.subarray(marked, length);
    const end = bytes.lastIndexOf(NEWLINE) + 1;
    if (end > 0) {
      this.entries(bytes.subarray(0, end));
      this.move(buffer, marked + end);
      this.options.sink.checkpoint();
      this.hadData = true;
      this.lastData = performance.now();
      return length === buffer.length || this.following.length > 0;
    }
    if (length === buffer.length) {
      // No entry is as long: it is none, and goes on as what it is.
      this.malformed(bytes, 0, bytes.length);
      this.move(buffer, length);
      this.options.sink.checkpoint();
      return true;
    }
    return this.atEnd(bytes);
  }

  /** Goes on to what is behind the first `end` bytes of the buffer, which begins with the mark. */
  private move(buffer: Buffer, end: number): void {
    this.offset += end - this.marked;
    this.marked = Math.min(MARK_BYTES, end);
    buffer.copy(this.mark, 0, end - this.marked, end);
    const { position } = this.options;
    if (position.offset === this.offset) position.check = this.check;
  }

  /** Checksum of the mark. */
  private get check(): number {
    return crc32(this.mark.subarray(0, this.marked));
  }

  /** Somebody has emptied the file: what is in it now is new. */
  private emptied(): boolean {
    this.options.onTruncated();
    this.partials = { stdout: undefined, stderr: undefined };
    this.offset = 0;
    this.marked = 0;
    return true;
  }

  private entries(bytes: Buffer): void {
    this.isUtf8 = isUtf8(bytes);
    for (let start = 0, end = bytes.indexOf(NEWLINE); end !== -1; end = bytes.indexOf(NEWLINE, start)) {
      this.record(bytes, start, end);
      start = end + 1;
    }
  }

  /** Takes the line `bytes[start, end)`; in front of an entry can stand one that was torn when the daemon fell. */
  private record(bytes: Buffer, from: number, end: number): void {
    this.line.offset = this.offset + from;
    this.line.ordinal = this.line.offset;
    if (!this.entry.parse(bytes, from, end)) {
      const next = bytes.indexOf(ENTRY_START, from + 1);
      if (next === -1 || next >= end || !this.entry.parse(bytes, next, end)) {
        this.malformed(bytes, from, end);
        this.advance(end + 1);
        return;
      }
      this.malformed(bytes, from, next);
    }
    const { time, stream, source, endsLine: whole } = this.entry;
    const last =
      this.options.tty && source[this.entry.end - 1] === CARRIAGE_RETURN && whole
        ? this.entry.end - 1
        : this.entry.end;
    const { start } = this.entry;
    const isDone = whole || last - start < MAX_PIECE_BYTES;
    const { maxLineBytes: maxLine } = this.options.sink;
    const partial = this.partials[stream];
    if (partial === undefined && isDone) {
      const cut = Math.max(0, last - start - maxLine);
      this.handOver(time, stream, source, start, last - cut, cut, this.isUtf8);
    } else {
      const pieces = partial ?? new LinePieces(time);
      this.partials[stream] = pieces;
      pieces.add(source, start, last, maxLine);
      if (isDone) this.join(stream);
    }
    this.advance(end + 1);
  }

  private join(stream: IoStream): void {
    const partial = this.partials[stream];
    if (partial === undefined) return;
    this.partials[stream] = undefined;
    const whole = partial.join();
    // Its first pieces were of another read: whether they are UTF-8 is not known.
    this.handOver(partial.time, stream, whole, 0, whole.length, partial.cut, false);
  }

  /** Says that the position is `consumed` bytes into what is being read, unless a line is not whole yet. */
  private advance(consumed: number): void {
    if (this.partials.stdout !== undefined || this.partials.stderr !== undefined) return;
    advancePosition(this.line, this.options.position, this.offset + consumed);
  }

  private handOver(
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
    if (this.resumed !== undefined && this.isRepeat(this.resumed)) return;
    line.stream = stream;
    line.source = source;
    line.start = start;
    line.end = end;
    line.cut = cut;
    line.utf8 = isUtf8Known || isUtf8(source.subarray(start, end));
    this.options.sink.addLine(line);
  }

  private isRepeat(resumed: LogPosition): boolean {
    const { seconds, nanos } = this.line;
    const older = seconds < resumed.seconds || (seconds === resumed.seconds && nanos < resumed.nanos);
    const same = seconds === resumed.seconds && nanos === resumed.nanos;
    if (older || (same && this.repeats++ < resumed.count)) return true;
    this.resumed = undefined;
    return false;
  }

  /** Bytes that are no entry are handed over as they are: whoever wrote them, they are in the log. */
  private malformed(bytes: Buffer, start: number, end: number): void {
    if (start === end) return;
    const { line } = this;
    const cut = Math.max(0, end - start - this.options.sink.maxLineBytes);
    // With no entry before it, the time is the file's: the same whenever it is read.
    if (line.seconds === 0) line.seconds = Math.floor(fstatSync(this.descriptor).birthtimeMs / 1000);
    line.malformed = true;
    this.handOver(line, 'stdout', bytes, start, end - cut, cut, false);
    line.malformed = false;
  }

  /** `rest` is what stands behind the last newline. */
  private atEnd(rest: Buffer): boolean {
    const [next, ...following] = this.following;
    if (next !== undefined) {
      const torn = Buffer.from(rest);
      void this.asynchronously(() => this.leave(torn, next, following));
      return false;
    }
    const now = performance.now();
    // A file that is smaller than the driver's limit is not rotated.
    const mayBeRotated = this.offset >= this.options.maxFile && this.options.maxFile > 0;
    if (!this.hadData && !mayBeRotated && this.isRunning && now - this.lastLook < this.options.lookMs)
      return false;
    this.hadData = false;
    this.lastLook = now;
    return this.look(rest);
  }

  /** What has become of the file's name: it was given to a new file, or the file was emptied. */
  private look(rest: Buffer): boolean {
    const named = statSync(this.options.path, { throwIfNoEntry: false });
    if (named !== undefined && fileIdentity(named) !== this.identity) {
      // The daemon closed the file before it renamed it: nothing more comes, but what came just now may be unread.
      if (fstatSync(this.descriptor).size > this.offset + rest.length) return true;
      const torn = Buffer.from(rest);
      void this.asynchronously(() => this.rotate(torn));
      return false;
    }
    if (this.isRunning) return false;
    if (this.isRemoved) this.malformed(rest, 0, rest.length);
    this.join('stdout');
    this.join('stderr');
    this.advance(this.isRemoved ? rest.length : 0);
    this.options.sink.checkpoint();
    this.options.sink.finishRecord();
    this.close();
    return false;
  }

  /** From the file that was read to its end, which has another name by now, on to the next. */
  private async rotate(torn: Buffer): Promise<void> {
    const { seconds, nanos } = this.line;
    const reached = { seconds, nanos, count: 0, offset: this.offset, check: this.check };
    const { generations, isPositionFound: found } = await findUnreadFiles(
      this.options.path,
      reached,
      this.identity,
    );
    const [next, ...following] = found ? generations.slice(1) : generations;
    if (next === undefined) return;
    const isLost = !found && this.offset > 0;
    await this.leave(torn, next, following);
    if (!found) {
      this.skipRepeats();
      if (isLost)
        this.options.onFault(
          new Error(
            `${this.options.path} was rotated away while it was read: what came after it may be lost`,
          ),
        );
    }
  }

  /** Goes on to the next file; what has no newline in this one will have none. */
  private async leave(torn: Buffer, next: Generation, following: Generation[]): Promise<void> {
    const descriptor = await openGeneration(next, this.options.onFault);
    this.malformed(torn, 0, torn.length);
    this.begin(descriptor, 0);
    this.following = following;
  }

  private skipRepeats(): void {
    this.resumed = { ...this.options.position };
    this.repeats = 0;
  }

  private async open(): Promise<void> {
    const { path, position, fromEnd } = this.options;
    await this.asynchronously(async () => {
      if (fromEnd) {
        const descriptor = openSync(path, 'r');
        Object.assign(position, endPosition(descriptor));
        this.resume(position);
        this.begin(descriptor, position.offset);
        return;
      }
      this.resume(position);
      const { generations, offset, isPositionFound: found } = await this.remainder();
      if (!found) {
        this.skipRepeats();
        this.line.count = 0;
      }
      const [first, ...following] = generations;
      this.begin(await this.first(first), offset);
      this.release();
      this.following = following;
    });
  }

  /** There was no file: it comes, has another name by now, or the container has gone. */
  private openAgain(): boolean {
    const now = performance.now();
    if (now - this.lastLook < OPEN_EVERY_MS) return false;
    this.lastLook = now;
    if (this.isRunning || this.isRace) void this.open();
    else this.close();
    return false;
  }

  /** Takes the last line that was handed over as the one before the next. */
  private resume({ seconds, nanos, count }: LogPosition): void {
    Object.assign(this.line, { seconds, nanos, count });
  }

  /** What there is to read at first; nothing but what is held, where the files are gone already. */
  private async remainder(): Promise<UnreadFiles> {
    const { path, position } = this.options;
    try {
      return await findUnreadFiles(path, position);
    } catch (error) {
      // Files that are only renamed are there still, and what is held is the last of them.
      if (this.held === undefined || error instanceof RenamedError) throw error;
      return { generations: [], offset: 0, isPositionFound: true };
    }
  }

  /** The oldest file, or, where it was removed in the meantime, what is held. */
  private async first(generation: Generation | undefined): Promise<number> {
    try {
      return generation === undefined
        ? openSync(this.options.path, 'r')
        : await openGeneration(generation, this.options.onFault);
    } catch (error) {
      const { held } = this;
      if (held === undefined || error instanceof RenamedError) throw error;
      this.held = undefined;
      return held;
    }
  }

  private release(): void {
    if (this.held !== undefined) closeSync(this.held);
    this.held = undefined;
  }

  private begin(descriptor: number, offset: number): void {
    if (this.descriptor !== -1) closeSync(this.descriptor);
    this.descriptor = descriptor;
    this.identity = fileIdentity(fstatSync(descriptor));
    this.offset = offset;
    this.marked = Math.min(MARK_BYTES, offset);
    readSync(descriptor, this.mark, 0, this.marked, offset - this.marked);
    this.lastLook = performance.now();
  }

  /** No turns while something has to be waited for. */
  private async asynchronously(act: () => Promise<void>): Promise<void> {
    this.busy = true;
    this.isRace = false;
    try {
      await act();
      // However long that took: there may be more now.
      this.wake();
    } catch (error) {
      // Files that were renamed or deleted since they were listed are listed again in the next turn.
      this.following = [];
      this.isRace = error instanceof RenamedError;
      if (this.isRace || (error as NodeJS.ErrnoException).code === 'ENOENT')
        this.lastLook = Number.NEGATIVE_INFINITY;
      else this.options.onFault(error);
    }
    this.busy = false;
  }
}
