/** One open log file, read onwards from a place in it. */
import { closeSync, fstatSync, readSync } from 'node:fs';
import { crc32 } from 'node:zlib';
import { fileIdentity, MARK_BYTES } from './generations.ts';

const NOTHING = Buffer.alloc(0);

export class OpenFile {
  /** By which the file is known under any name. */
  readonly identity: string;
  /** When the file was created, seconds since the epoch. */
  readonly birthSeconds: number;
  /** Where the next unread byte is. */
  offset: number;
  /** Whether the last read filled the buffer, so that there may be more. */
  isBufferFull = false;
  private readonly descriptor: number;
  /** The bytes before `offset`. They are read again with each read, to recognise the file. */
  private readonly mark = Buffer.alloc(MARK_BYTES);
  private marked: number;

  /** Takes over the descriptor: `close` closes it. */
  constructor(descriptor: number, offset: number) {
    this.descriptor = descriptor;
    this.offset = offset;
    const status = fstatSync(descriptor);
    this.identity = fileIdentity(status);
    this.birthSeconds = Math.floor(status.birthtimeMs / 1000);
    this.marked = Math.min(MARK_BYTES, offset);
    readSync(descriptor, this.mark, 0, this.marked, offset - this.marked);
  }

  /** The file's size now, bytes. */
  get size(): number {
    return fstatSync(this.descriptor).size;
  }

  /** Checksum of the bytes before `offset`. */
  get check(): number {
    return crc32(this.mark.subarray(0, this.marked));
  }

  /**
   * Reads into the buffer, behind the mark.
   * @returns the unread bytes, valid until the buffer is used again; undefined where the bytes before them are others
   *   than they were: somebody emptied the file
   */
  read(buffer: Buffer): Buffer | undefined {
    const { marked } = this;
    const length = readSync(this.descriptor, buffer, 0, buffer.length, this.offset - marked);
    // A file that was emptied and has grown to the same size again differs in the mark.
    if (length < marked || buffer.compare(this.mark, 0, marked, 0, marked) !== 0) return undefined;
    this.isBufferFull = length === buffer.length;
    return length === marked ? NOTHING : buffer.subarray(marked, length);
  }

  /** Moves past the first `count` of the bytes that were read last into `buffer`. */
  advance(buffer: Buffer, count: number): void {
    const end = this.marked + count;
    this.offset += count;
    this.marked = Math.min(MARK_BYTES, end);
    buffer.copy(this.mark, 0, end - this.marked, end);
  }

  /** Back to the start of a file that was emptied. */
  rewind(): void {
    this.offset = 0;
    this.marked = 0;
  }

  close(): void {
    closeSync(this.descriptor);
  }
}
