/**
 * Follows one container's log files from a position on, through rotation, truncation and removal. A state machine:
 * docs/internals/log-position.md has its states as a table.
 */
import { statSync } from 'node:fs';
import type { LogSink } from '../../records/collector.ts';
import type { LogPosition } from '../../records/records.ts';
import { NEWLINE } from '../../shared/ascii.ts';
import type { Follower } from '../shared/follower.ts';
import { FileWatch } from './file-watch.ts';
import { fileIdentity, type Generation, RenamedError } from './generations.ts';
import { LineDecoder } from './line-decoder.ts';
import { LogOpener, type OpenedLog } from './log-opener.ts';
import { OpenFile } from './open-file.ts';

/** A file that cannot be opened is tried again after this time. */
const REOPEN_MS = 1000;
/** A log is quiet when nothing was written to it for so long. */
const QUIET_AFTER_MS = 5000;

/**
 * - `opening`: looks for the file that the position is in, and opens it.
 * - `missing`: there is no file, or it cannot be opened. `readPiece` tries again while the container runs.
 * - `reading`: a file is open, and `readPiece` reads it.
 * - `switching`: the open file was read to its end, and the next is being opened.
 * - `closed`: nothing is open. Final.
 */
export type TailState = 'opening' | 'missing' | 'reading' | 'switching' | 'closed';

const TRANSITIONS: Readonly<Record<TailState, readonly TailState[]>> = {
  opening: ['reading', 'missing', 'closed'],
  missing: ['opening', 'closed'],
  reading: ['switching', 'closed'],
  switching: ['reading', 'closed'],
  closed: [],
};

export interface FileTailOptions {
  readonly path: string;
  readonly sink: LogSink;
  /** Where to resume; kept up to date. */
  readonly position: LogPosition;
  /** Whether to start at the end, where the position is new. */
  readonly fromEnd: boolean;
  /** A descriptor of the current file, where it was opened early; the tail closes it. */
  readonly earlyDescriptor?: number | undefined;
  /** Whether lines end in CR LF, as a terminal's do. */
  readonly tty: boolean;
  /** Bytes of a file above which the driver rotates it; 0 where it does not. */
  readonly maxFileBytes: number;
  /** How often the name of a file that nothing is written to is checked. */
  readonly nameCheckMs: number;
  /** Called with what went wrong; reading continues. */
  readonly onError: (error: unknown) => void;
  /** Called when bytes were gone before they were read. */
  readonly onTruncated: () => void;
}

export class FileTail implements Follower {
  /** Resolves when the log has ended and all of it was emitted. */
  readonly finished: Promise<void>;
  /** Resolves when the first file is open, and the position is that of the first line to be read. */
  readonly opened: Promise<void>;
  /** Called when there may be something to read; `byKernel` where the kernel reported it. */
  onReadable: (byKernel: boolean) => void = () => {};
  private readonly options: FileTailOptions;
  private readonly decoder: LineDecoder;
  private readonly fileWatch: FileWatch;
  private readonly opener: LogOpener;
  private resolveFinished!: () => void;
  private currentState: TailState = 'opening';
  /** In the states `reading` and `switching`. */
  private file: OpenFile | undefined;
  /** Files to be read after the one that is open, the oldest first. */
  private following: readonly Generation[] = [];
  private isRunning = true;
  private isRemoved = false;
  /** Whether the file could not be opened because it was renamed meanwhile: then there is one to be found. */
  private wasRenamed = false;
  /** Whether the file's name is checked the next time that its end is reached, however short the last check is ago. */
  private isNameCheckDue = false;
  private lastDataAt = performance.now();
  /** When the name was checked last, or the file was looked for. */
  private lastCheckAt = performance.now();

  constructor(options: FileTailOptions) {
    this.options = options;
    this.decoder = new LineDecoder(options);
    this.fileWatch = new FileWatch(options.path, (byKernel) => this.wake(byKernel));
    this.opener = new LogOpener(options);
    this.finished = new Promise((resolve) => {
      this.resolveFinished = resolve;
    });
    this.opened = this.open();
  }

  get state(): TailState {
    return this.currentState;
  }

  /** Whether something is under way before `readPiece` can do anything. */
  get isWaiting(): boolean {
    return this.currentState === 'opening' || this.currentState === 'switching';
  }

  /** Whether nothing was written for a while, at `now` by performance.now(). */
  isQuiet(now: number): boolean {
    return now - this.lastDataAt > QUIET_AFTER_MS;
  }

  /** Whether the kernel reports when a quiet file is written to again, so that it need not be polled. */
  get isWatched(): boolean {
    return this.fileWatch.isActive;
  }

  /** Whether the kernel reports the writes of every process; known once the file is watched. */
  get isLocal(): boolean {
    return this.fileWatch.isLocal;
  }

  /** Lets the kernel report when something is written. Where it cannot, the file is polled as before. */
  watch(): void {
    if (this.isWatched || this.currentState !== 'reading') return;
    // What was renamed right before is found by the next read.
    if (this.fileWatch.start()) this.isNameCheckDue = true;
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
    this.enter('closed');
    this.file?.close();
    this.file = undefined;
    this.fileWatch.close();
    this.opener.close();
    this.resolveFinished();
  }

  /**
   * Emits the lines that are there, a buffer's length at most.
   * @returns whether there may be more right away
   */
  readPiece(buffer: Buffer): boolean {
    if (this.currentState === 'reading') return this.read(this.file!, buffer);
    if (this.currentState === 'missing') this.reopen();
    return false;
  }

  /** The one place where the state changes. @returns false where the tail was closed meanwhile */
  private enter(next: TailState): boolean {
    const { currentState } = this;
    if (currentState === 'closed') return false;
    if (!TRANSITIONS[currentState].includes(next))
      throw new Error(`${this.options.path}: a tail that is ${currentState} cannot become ${next}`);
    this.currentState = next;
    return true;
  }

  private wake(byKernel = false): void {
    this.lastDataAt = performance.now();
    this.isNameCheckDue = true;
    this.fileWatch.close();
    this.onReadable(byKernel);
  }

  private read(file: OpenFile, buffer: Buffer): boolean {
    const bytes = file.read(buffer);
    if (bytes === undefined) return this.restart(file);
    if (bytes.length === 0) return this.reachEnd(file, bytes);
    const end = bytes.lastIndexOf(NEWLINE) + 1;
    if (end > 0) {
      this.decoder.decode(bytes.subarray(0, end), file.offset);
      this.advance(file, buffer, end);
      this.isNameCheckDue = true;
      this.lastDataAt = performance.now();
      return file.isBufferFull || this.following.length > 0;
    }
    // No entry is as long as the buffer: these bytes are not an entry.
    if (file.isBufferFull) {
      this.decoder.emitTorn(bytes, file.offset);
      this.advance(file, buffer, bytes.length);
      return true;
    }
    return this.reachEnd(file, bytes);
  }

  private advance(file: OpenFile, buffer: Buffer, count: number): void {
    const { position, sink } = this.options;
    file.advance(buffer, count);
    if (position.offset === file.offset) position.check = file.check;
    sink.checkpoint();
  }

  /** The file was emptied: its content now is new. */
  private restart(file: OpenFile): boolean {
    this.options.onTruncated();
    this.decoder.discardPieces();
    file.rewind();
    return true;
  }

  /** @param rest what follows the last newline */
  private reachEnd(file: OpenFile, rest: Buffer): boolean {
    if (this.following.length > 0) {
      void this.switchFile(file, Buffer.from(rest));
      return false;
    }
    const { maxFileBytes, nameCheckMs } = this.options;
    const now = performance.now();
    // A file that is smaller than the driver's limit is not rotated.
    const mayBeRotated = file.offset >= maxFileBytes && maxFileBytes > 0;
    if (!this.isNameCheckDue && !mayBeRotated && this.isRunning && now - this.lastCheckAt < nameCheckMs)
      return false;
    this.isNameCheckDue = false;
    this.lastCheckAt = now;
    return this.checkName(file, rest);
  }

  /** Another file may have the name by now; or the container has ended, and this was the last of its log. */
  private checkName(file: OpenFile, rest: Buffer): boolean {
    const named = statSync(this.options.path, { throwIfNoEntry: false });
    if (named !== undefined && fileIdentity(named) !== file.identity) {
      // The daemon closed the file before it renamed it: nothing more comes, but what came last may be unread.
      if (file.size > file.offset + rest.length) return true;
      void this.switchFile(file, Buffer.from(rest));
      return false;
    }
    if (!this.isRunning) this.finish(file, rest);
    return false;
  }

  private finish(file: OpenFile, rest: Buffer): void {
    const { sink } = this.options;
    if (this.isRemoved) this.decoder.emitTorn(rest, file.offset);
    this.decoder.finish(file.offset + (this.isRemoved ? rest.length : 0));
    sink.checkpoint();
    sink.finishRecord();
    this.close();
  }

  /**
   * Leaves a file that was read to its end for the next.
   * @param torn what follows its last newline: there will be none
   */
  private async switchFile(file: OpenFile, torn: Buffer): Promise<void> {
    this.enter('switching');
    const { path, onError } = this.options;
    try {
      const reached = this.decoder.positionAt(file.offset, file.check);
      const next = await this.opener.openNext(this.following, reached, file.identity);
      if (next === undefined) {
        if (this.enter('reading')) this.wake();
        return;
      }
      if (this.currentState !== 'closed') {
        this.decoder.emitTorn(torn, file.offset);
        if (!next.isPositionFound) this.decoder.skipCovered();
      }
      const isLost = !next.isPositionFound && file.offset > 0;
      this.startReading(next);
      if (isLost)
        onError(new Error(`${path} was rotated away while it was read: what came after it may be lost`));
    } catch (error) {
      // The next read of the end lists files again that were renamed or deleted since they were listed.
      this.following = [];
      if (isListedAgain(error)) this.lastCheckAt = Number.NEGATIVE_INFINITY;
      else onError(error);
      this.enter('reading');
    }
  }

  /** There was no file: it is created later, has another name by now, or the container is gone. */
  private reopen(): void {
    const now = performance.now();
    if (now - this.lastCheckAt < REOPEN_MS) return;
    this.lastCheckAt = now;
    if (this.isRunning || this.wasRenamed) {
      this.enter('opening');
      void this.open();
    } else this.close();
  }

  private async open(): Promise<void> {
    this.wasRenamed = false;
    try {
      // At the end nothing is awaited: the position is that of the file's end before the constructor returns.
      const opened = this.options.fromEnd ? this.opener.openAtEnd() : await this.opener.openAtPosition();
      this.resumeAt(opened);
      this.startReading(opened);
      this.opener.close();
    } catch (error) {
      this.wasRenamed = error instanceof RenamedError;
      if (isListedAgain(error)) this.lastCheckAt = Number.NEGATIVE_INFINITY;
      else this.options.onError(error);
      this.enter('missing');
    }
  }

  private resumeAt({ isPositionFound }: OpenedLog): void {
    const { position } = this.options;
    this.decoder.resumeFrom(isPositionFound ? position : { ...position, count: 0 });
    if (!isPositionFound) this.decoder.skipCovered();
  }

  private startReading({ descriptor, offset, following }: OpenedLog): void {
    const file = new OpenFile(descriptor, offset);
    if (!this.enter('reading')) {
      file.close();
      return;
    }
    this.file?.close();
    this.file = file;
    this.following = following;
    this.decoder.startFile(file.birthSeconds);
    this.lastCheckAt = performance.now();
    // However long the opening took: there may be more now.
    this.wake();
  }
}

/** Whether files were renamed or deleted since they were listed: listing them again is enough. */
const isListedAgain = (error: unknown): boolean =>
  error instanceof RenamedError || (error as NodeJS.ErrnoException).code === 'ENOENT';
