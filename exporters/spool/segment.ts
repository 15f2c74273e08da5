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
import { decodeFrame, encodeHeader, type Frame, frameEnd, HEADER_BYTES, scanFrames } from './frame.ts';
import { ReusableBuffer } from './reusable-buffer.ts';

const MAGIC = Buffer.from('PLS1');
const PREAMBLE_BYTES = 12;

const dataSync = promisify(fdatasync);

/** Reports bytes of a file that are not an intact batch. */
export type OnDamage = (bytes: Buffer) => void;

/** Shared by all scans: nothing keeps the bytes that are scanned. */
const scanBuffer = new ReusableBuffer();

/**
 * A file of the spool: batches one after the other, which are removed from its start or from its end. The
 * file starts with a preamble: `PLS1`, the offset of the first batch that was not removed, and the CRC-32 of
 * both, little-endian. docs/internals/on-disk-format.md describes the format.
 */
export class Segment {
  readonly path: string;
  /** When the newest batch was added, ms since the epoch. */
  lastAddedAt: number;
  /** How often reading the segment has failed in a row. */
  readFailures = 0;
  private readonly createdAt = performance.now();
  /** Where the remaining batches start and end, bytes. */
  private start = PREAMBLE_BYTES;
  private end = PREAMBLE_BYTES;
  /** -1 while the file is closed. */
  private descriptor = -1;
  /** Number of syncs that are running. */
  private runningSyncs = 0;
  private closesAfterSync = false;
  /** The remaining batches; undefined while they are not loaded. */
  private frames: Frame[] | undefined;

  private constructor(path: string, lastTime: number) {
    this.path = path;
    this.lastAddedAt = lastTime;
  }

  /** Creates a file. @throws what opening and writing throw */
  static create(path: string): Segment {
    const segment = new Segment(path, Date.now());
    segment.descriptor = openSync(path, 'wx+', 0o600);
    segment.frames = [];
    try {
      segment.writePreamble();
    } catch (error) {
      segment.delete();
      throw error;
    }
    return segment;
  }

  /**
   * Opens a file of an earlier process.
   * @throws what opening and reading throw
   */
  static open(path: string): Segment {
    const { size, mtimeMs } = statSync(path);
    const segment = new Segment(path, mtimeMs);
    segment.end = Math.max(size, PREAMBLE_BYTES);
    const preamble = segment.readBytes(0, PREAMBLE_BYTES);
    const isWhole =
      preamble.length === PREAMBLE_BYTES &&
      preamble.compare(MAGIC, 0, 4, 0, 4) === 0 &&
      crc32(preamble.subarray(0, 8)) === preamble.readUInt32LE(8);
    // Without a valid preamble the whole file is sent again. Receivers recognise the duplicates by their ids.
    if (isWhole) segment.start = Math.min(preamble.readUInt32LE(4), segment.end);
    segment.unload();
    return segment;
  }

  /** Size of the file, bytes. */
  get size(): number {
    return this.end;
  }

  /** Whether the file is larger than `maxBytes`, or was created more than `maxMs` ago. */
  isFull(maxBytes: number, maxMs: number): boolean {
    return this.end > maxBytes || performance.now() - this.createdAt > maxMs;
  }

  /** Bytes of the remaining batches. */
  get waitingBytes(): number {
    return this.end - this.start;
  }

  get isEmpty(): boolean {
    return this.start >= this.end;
  }

  /**
   * Appends a batch.
   * @throws what writing throws; the file is unchanged then
   */
  append(otlp: Buffer, count: number, addedAt: number): Frame {
    const frame = { offset: this.end, bytes: otlp.length, count, addedAt };
    const size = HEADER_BYTES + otlp.length;
    try {
      const written = writevSync(this.file, [encodeHeader(otlp, count, addedAt), otlp], this.end);
      if (written < size)
        throw Object.assign(new Error('ENOSPC: no space left on device, write'), { code: 'ENOSPC' });
    } catch (error) {
      ftruncateSync(this.file, this.end);
      throw error;
    }
    this.end += size;
    this.lastAddedAt = addedAt;
    this.frames?.push(frame);
    return frame;
  }

  /** The remaining batches, the oldest first. @throws what reading throws */
  readFrames(onDamage: OnDamage): readonly Frame[] {
    if (this.frames !== undefined) return this.frames;
    const bytes = this.readBytes(this.start, this.end, scanBuffer);
    const { frames, damaged } = scanFrames(bytes, this.start);
    this.frames = [...frames];
    for (const { from, to } of damaged) onDamage(bytes.subarray(from - this.start, to - this.start));
    if (frames.length === 0) {
      this.start = this.end;
      this.writePreamble();
    }
    return this.frames;
  }

  /** Closes the file and drops the list of its batches, until they are needed again. */
  unload(): void {
    this.frames = undefined;
    this.close();
  }

  /**
   * The OTLP bytes of adjacent batches; undefined for a batch that was damaged meanwhile.
   * @param buffer that the bytes are read into
   * @throws what reading throws
   */
  readBatches(frames: readonly Frame[], buffer: ReusableBuffer): (Buffer | undefined)[] {
    const from = frames[0]!.offset;
    const all = this.readBytes(from, frameEnd(frames.at(-1)!), buffer);
    return frames.map((frame) => {
      const at = frame.offset - from;
      return decodeFrame(all, at, from) === undefined
        ? undefined
        : all.subarray(at + HEADER_BYTES, frameEnd(frame) - from);
    });
  }

  /** A batch with its header, unchecked. */
  readRaw({ offset, bytes }: Frame): Buffer {
    return this.readBytes(offset, offset + HEADER_BYTES + bytes);
  }

  /** Removes the first `count` batches. */
  dropFirst(count: number): void {
    const gone = this.frames!.splice(0, count);
    this.start = this.frames!.length === 0 ? this.end : frameEnd(gone.at(-1)!);
    this.writePreamble();
  }

  /** Removes the last `count` batches. No batch may have been appended after them meanwhile. */
  dropLast(count: number): void {
    const [first] = this.frames!.splice(-count);
    this.end = first!.offset;
    if (this.frames!.length === 0) this.start = this.end;
    ftruncateSync(this.file, this.end);
  }

  /** Resolves when all batches survive a power loss. */
  async sync(): Promise<void> {
    const { file } = this;
    this.runningSyncs++;
    try {
      await dataSync(file);
    } finally {
      this.runningSyncs--;
      if (this.closesAfterSync) this.close();
    }
  }

  delete(): void {
    this.close();
    unlinkSync(this.path);
  }

  private close(): void {
    // The kernel reuses the number of a closed descriptor: it must not be closed while a sync uses it.
    this.closesAfterSync = this.runningSyncs > 0;
    if (this.closesAfterSync || this.descriptor === -1) return;
    closeSync(this.descriptor);
    this.descriptor = -1;
  }

  private get file(): number {
    this.closesAfterSync = false;
    if (this.descriptor === -1) this.descriptor = openSync(this.path, 'r+');
    return this.descriptor;
  }

  private writePreamble(): void {
    const preamble = Buffer.alloc(PREAMBLE_BYTES);
    MAGIC.copy(preamble);
    preamble.writeUInt32LE(this.start, 4);
    preamble.writeUInt32LE(crc32(preamble.subarray(0, 8)), 8);
    writeSync(this.file, preamble, 0, PREAMBLE_BYTES, 0);
  }

  private readBytes(from: number, to: number, buffer = new ReusableBuffer()): Buffer {
    const bytes = buffer.reserve(to - from);
    let length = 0;
    while (length < bytes.length) {
      const read = readSync(this.file, bytes, length, bytes.length - length, from + length);
      if (read === 0) break;
      length += read;
    }
    return bytes.subarray(0, length);
  }
}
