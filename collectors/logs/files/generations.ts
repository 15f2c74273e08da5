/**
 * The files of one container's log. The json-file driver renames a full file to `….1` (and that to `….2`), compresses
 * older files if it is configured to, and creates a new file.
 */
import { randomUUID } from 'node:crypto';
import {
  closeSync,
  createReadStream,
  createWriteStream,
  fstatSync,
  openSync,
  readdirSync,
  readSync,
  type Stats,
  statSync,
  unlinkSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { crc32, createGunzip } from 'node:zlib';
import type { LogPosition } from '../../records/records.ts';
import { startPosition } from '../shared/position.ts';
import type { Timestamp } from '../shared/timestamp.ts';
import { readTimeBefore } from './entry.ts';

/**
 * What a file keeps when it is renamed. The number of an inode is reused as soon as it is free; its birth time, where the
 * file system has one, is not.
 */
export const fileIdentity = ({ ino, birthtimeMs }: Stats): string => `${ino}-${birthtimeMs}`;

export interface Generation {
  readonly path: string;
  readonly isCompressed: boolean;
  readonly identity: string;
  /** Time of the last write, seconds since the epoch. */
  readonly writtenSeconds: number;
}

/** The files were renamed since they were listed, or the file was compressed. */
export class RenamedError extends Error {
  override readonly name = 'Renamed';
}

/** What is left to read: files, the oldest first and the current one last, from an offset in the first. */
export interface UnreadFiles {
  readonly generations: readonly Generation[];
  readonly offset: number;
  /** Whether the position was found. If not, lines up to its time may come again. */
  readonly isPositionFound: boolean;
}

/** How often files may be renamed while they are listed before the attempt is given up. */
const MAX_LISTING_ATTEMPTS = 100;

/**
 * Lists the files that exist, the oldest first.
 * @throws {RenamedError} when they are renamed all the time
 */
function listGenerations(path: string): Generation[] {
  let last = readListing(path);
  for (let listing = 0; listing < MAX_LISTING_ATTEMPTS; listing++) {
    // A file that was renamed during one listing shows its place in the next.
    const next = readListing(path);
    const isSame = next.length === last.length && next.every((file, index) => isEqual(file, last[index]!));
    if (isSame) return next;
    last = next;
  }
  throw new RenamedError(`${path} is renamed faster than it can be listed`);
}

const isEqual = (one: Generation, other: Generation): boolean =>
  one.path === other.path && one.identity === other.identity;

function readListing(path: string): Generation[] {
  const base = basename(path);
  const names = readdirSync(dirname(path));
  const aged = names.flatMap((name) => {
    const [, age, gzip] = name.startsWith(base)
      ? (/^\.(\d+)(\.gz)?$/.exec(name.slice(base.length)) ?? [])
      : [];
    return age === undefined ? [] : { name, age: Number(age), isCompressed: gzip !== undefined };
  });
  // While the driver compresses a file, both exist.
  const whole = aged.filter(
    ({ age, isCompressed }) =>
      !isCompressed || !aged.some((other) => other.age === age && !other.isCompressed),
  );
  const current = [{ path, isCompressed: false }];
  return [
    ...whole
      .sort((one, other) => other.age - one.age)
      .map(({ name, isCompressed }) => ({ path: join(dirname(path), name), isCompressed })),
    ...current,
  ].flatMap((file) => {
    // A file that vanishes in between was deleted, or is listed under its next name.
    const status = statSync(file.path, { throwIfNoEntry: false });
    return status === undefined
      ? []
      : { ...file, identity: fileIdentity(status), writtenSeconds: status.mtimeMs / 1000 };
  });
}

/**
 * Opens a file that is not compressed.
 * @throws {RenamedError} when another file has its name now, or none; whatever else openSync throws
 */
function openPlain({ path, identity }: Generation): number {
  let descriptor: number | undefined;
  try {
    descriptor = openSync(path, 'r');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  }
  if (descriptor !== undefined && fileIdentity(fstatSync(descriptor)) === identity) return descriptor;
  if (descriptor !== undefined) closeSync(descriptor);
  throw new RenamedError(`${path} was renamed`);
}

/**
 * Opens a file for reading. A compressed file is unpacked into a file without a name, which disappears when its
 * descriptor is closed.
 * @param onDamage called when a compressed file cannot be unpacked to its end
 * @throws {RenamedError} when another file has its name now, or none; whatever else opening throws
 */
export async function openGeneration(file: Generation, onDamage: (error: unknown) => void): Promise<number> {
  if (!file.isCompressed) return openPlain(file);
  const unpacked = join(tmpdir(), `portlight-${randomUUID()}.log`);
  const packed = openPlain(file);
  const target = openSync(unpacked, 'wx', 0o600);
  const descriptor = openSync(unpacked, 'r');
  unlinkSync(unpacked);
  try {
    await pipeline(
      createReadStream('', { fd: packed }),
      createGunzip(),
      createWriteStream('', { fd: target }),
    );
  } catch (error) {
    // What could be unpacked of a damaged file is read.
    if (String((error as NodeJS.ErrnoException).code).startsWith('Z_')) onDamage(error);
    else {
      closeSync(descriptor);
      throw error;
    }
  }
  return descriptor;
}

/** Bytes before a position by which a file is recognised. They contain the time stamp of the entry before it. */
export const MARK_BYTES = 64;

const tail = Buffer.allocUnsafe(MARK_BYTES);
const time: Timestamp = { seconds: 0, nanos: 0 };

/** Whether the bytes before the position's offset in this file are those that the position names. */
function containsPosition(descriptor: number, { seconds, nanos, offset, check }: LogPosition): boolean {
  const length = Math.min(offset, tail.length);
  if (length <= 0 || readSync(descriptor, tail, 0, length, offset - length) < length) return false;
  if (check !== -1) return crc32(tail.subarray(0, length)) === check;
  return (
    readTimeBefore(tail.subarray(0, length), length, time) && time.seconds === seconds && time.nanos === nanos
  );
}

/**
 * Finds what is left to read behind a position.
 * @param identity of the file that the position is in, where that is known
 * @throws {RenamedError} when the files are renamed meanwhile
 */
export async function findUnreadFiles(
  path: string,
  position: LogPosition,
  identity?: string,
): Promise<UnreadFiles> {
  const all = listGenerations(path);
  const known = all.findIndex((file) => file.identity === identity);
  if (known !== -1) return { generations: all.slice(known), offset: position.offset, isPositionFound: true };
  if (position.offset > 0) {
    for (let index = all.length - 1; index >= 0; index--) {
      const descriptor = await openGeneration(all[index]!, () => {});
      try {
        if (containsPosition(descriptor, position))
          return { generations: all.slice(index), offset: position.offset, isPositionFound: true };
      } finally {
        closeSync(descriptor);
      }
    }
  }
  // A file that was last written before the position's time has nothing behind it.
  const newer = all.filter(({ writtenSeconds: written }) => written >= position.seconds);
  return { generations: newer, offset: 0, isPositionFound: position.seconds === 0 };
}

/** The position behind the last whole line of a file. */
export function endPosition(descriptor: number): LogPosition {
  const { size } = fstatSync(descriptor);
  const last = Buffer.allocUnsafe(Math.min(size, MAX_ENTRY_BYTES));
  const length = readSync(descriptor, last, 0, last.length, size - last.length);
  const end = last.lastIndexOf(0x0a, length - 1) + 1;
  if (!readTimeBefore(last, end, time)) return { ...startPosition(), offset: size - length + end };
  return { ...time, count: 1, offset: size - length + end, check: -1 };
}

/** The driver writes 16 KiB of text at a time. An escape takes up to six bytes for one. */
const MAX_ENTRY_BYTES = 128 * 1024;
