/**
 * A file of the spool: batches one behind the other, given up from its front or from its back. It begins with
 * where its first batch is that was not given up: `PLS1`, that offset and its CRC-32, little-endian.
 */
import {
  closeSync,
  fdatasync,
  ftruncateSync,
  openSync,
  readSync,
  statSync,
  unlinkSync,
  writeSync,
  writevSync,
} from 'node:fs';
import { promisify } from 'node:util';
import { crc32 } from 'node:zlib';
import { endOf, type Frame, frameAt, HEADER_BYTES, headerOf, scan } from './frame.ts';

const MAGIC = Buffer.from('PLS1');
const PREAMBLE_BYTES = 12;

const dataSync = promisify(fdatasync);

/** What was found in a file that is no whole batch. */
export type OnDamage = (bytes: Buffer) => void;

/** A buffer that is used again: what is allocated anew each time lies about by the ten megabytes. */
export class Room {
  private buffer = Buffer.alloc(0);

  of(size: number): Buffer {
    if (this.buffer.length < size) this.buffer = Buffer.allocUnsafeSlow(Math.ceil(size * 1.25));
    return this.buffer.subarray(0, size);
  }

  /** Leaves the buffer to whoever may use it still. */
  renew(): void {
    this.buffer = Buffer.alloc(0);
  }
}

/** Nobody keeps what is looked through. */
const scanned = new Room();

export class Segment {
  readonly path: string;
  /** When something was last added, ms since the epoch. */
  lastTime: number;
  /** How often reading it has failed in a row. */
  failures = 0;
  private readonly begun = performance.now();
  /** Where what is left begins and ends, bytes. */
  private start = PREAMBLE_BYTES;
  private end = PREAMBLE_BYTES;
  /** -1 while nobody needs the file. */
  private descriptor = -1;
  /** How many times it is being written through to the disk. */
  private syncs = 0;
  private isToClose = false;
  /** The batches that are left; undefined until somebody asks, and again when that was long ago. */
  private table: Frame[] | undefined;

  private constructor(path: string, lastTime: number) {
    this.path = path;
    this.lastTime = lastTime;
  }

  /** @throws what opening and writing throw */
  static create(path: string): Segment {
    const segment = new Segment(path, Date.now());
    segment.descriptor = openSync(path, 'wx+', 0o600);
    segment.table = [];
    try {
      segment.keepStart();
    } catch (error) {
      segment.remove();
      throw error;
    }
    return segment;
  }

  /**
   * A file that an earlier process left.
   * @throws what opening and reading throw
   */
  static open(path: string): Segment {
    const { size, mtimeMs } = statSync(path);
    const segment = new Segment(path, mtimeMs);
    segment.end = Math.max(size, PREAMBLE_BYTES);
    const preamble = segment.bytes(0, PREAMBLE_BYTES);
    const isWhole =
      preamble.length === PREAMBLE_BYTES &&
      preamble.compare(MAGIC, 0, 4, 0, 4) === 0 &&
      crc32(preamble.subarray(0, 8)) === preamble.readUInt32LE(8);
    // Without it all of the file is sent again, which receivers can tell.
    if (isWhole) segment.start = Math.min(preamble.readUInt32LE(4), segment.end);
    segment.forget();
    return segment;
  }

  /** Bytes on disk. */
  get size(): number {
    return this.end;
  }

  /** Whether it is larger than `maxBytes`, or was begun more than `maxMs` ago. */
  isFull(maxBytes: number, maxMs: number): boolean {
    return this.end > maxBytes || performance.now() - this.begun > maxMs;
  }

  /** Bytes of what was not given up. */
  get left(): number {
    return this.end - this.start;
  }

  get isEmpty(): boolean {
    return this.start >= this.end;
  }

  /**
   * Adds a batch at the end.
   * @throws what writing throws; the file is as before then
   */
  append(otlp: Buffer, count: number, time: number): Frame {
    const frame = { offset: this.end, bytes: otlp.length, count, time };
    const size = HEADER_BYTES + otlp.length;
    try {
      const written = writevSync(this.file, [headerOf(otlp, count, time), otlp], this.end);
      if (written < size)
        throw Object.assign(new Error('ENOSPC: no space left on device, write'), { code: 'ENOSPC' });
    } catch (error) {
      ftruncateSync(this.file, this.end);
      throw error;
    }
    this.end += size;
    this.lastTime = time;
    this.table?.push(frame);
    return frame;
  }

  /** The batches that are left, in the order they came. @throws what reading throws */
  frames(onDamage: OnDamage): readonly Frame[] {
    if (this.table !== undefined) return this.table;
    const bytes = this.bytes(this.start, this.end, scanned);
    const { frames, damaged } = scan(bytes, this.start);
    this.table = [...frames];
    for (const { from, to } of damaged) onDamage(bytes.subarray(from - this.start, to - this.start));
    if (frames.length === 0) {
      this.start = this.end;
      this.keepStart();
    }
    return this.table;
  }

  /** Closes the file, and forgets where its batches are, until their turn comes. */
  forget(): void {
    this.table = undefined;
    this.close();
  }

  /**
   * The OTLP bytes of batches that stand one behind the other; undefined for one that is damaged by now.
   * @param room where they are then
   * @throws what reading throws
   */
  read(frames: readonly Frame[], room: Room): (Buffer | undefined)[] {
    const from = frames[0]!.offset;
    const all = this.bytes(from, endOf(frames.at(-1)!), room);
    return frames.map((frame) => {
      const at = frame.offset - from;
      return frameAt(all, at, from) === undefined
        ? undefined
        : all.subarray(at + HEADER_BYTES, endOf(frame) - from);
    });
  }

  /** A batch as it stands in the file, with its header, whatever it is. */
  raw({ offset, bytes }: Frame): Buffer {
    return this.bytes(offset, offset + HEADER_BYTES + bytes);
  }

  /** Gives up the first `count` batches. */
  dropFirst(count: number): void {
    const gone = this.table!.splice(0, count);
    this.start = this.table!.length === 0 ? this.end : endOf(gone.at(-1)!);
    this.keepStart();
  }

  /** Gives up the last `count` batches, behind which nothing was added meanwhile. */
  dropLast(count: number): void {
    const [first] = this.table!.splice(-count);
    this.end = first!.offset;
    if (this.table!.length === 0) this.start = this.end;
    ftruncateSync(this.file, this.end);
  }

  /** Resolves when all that was added is on the disk, whatever happens to the machine. */
  async sync(): Promise<void> {
    const { file } = this;
    this.syncs++;
    try {
      await dataSync(file);
    } finally {
      this.syncs--;
      if (this.isToClose) this.close();
    }
  }

  remove(): void {
    this.close();
    unlinkSync(this.path);
  }

  private close(): void {
    // A number that is given to another file must not be used for this one any more.
    this.isToClose = this.syncs > 0;
    if (this.isToClose || this.descriptor === -1) return;
    closeSync(this.descriptor);
    this.descriptor = -1;
  }

  private get file(): number {
    this.isToClose = false;
    if (this.descriptor === -1) this.descriptor = openSync(this.path, 'r+');
    return this.descriptor;
  }

  private keepStart(): void {
    const preamble = Buffer.alloc(PREAMBLE_BYTES);
    MAGIC.copy(preamble);
    preamble.writeUInt32LE(this.start, 4);
    preamble.writeUInt32LE(crc32(preamble.subarray(0, 8)), 8);
    writeSync(this.file, preamble, 0, PREAMBLE_BYTES, 0);
  }

  private bytes(from: number, to: number, room = new Room()): Buffer {
    const bytes = room.of(to - from);
    let length = 0;
    while (length < bytes.length) {
      const read = readSync(this.file, bytes, length, bytes.length - length, from + length);
      if (read === 0) break;
      length += read;
    }
    return bytes.subarray(0, length);
  }
}
