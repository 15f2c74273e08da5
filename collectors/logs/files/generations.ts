/**
 * The files of one container's log. The json-file driver renames a full file to `….1` (and that to `….2`),
 * compresses older ones where it is told to, and begins a new one.
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
import { timeBefore } from './entry.ts';

/**
 * What a file that is renamed keeps. The number of an inode is given again as soon as it is free, the time of
 * its birth (where the file system has that) is not.
 */
export const fileIdentity = ({ ino, birthtimeMs }: Stats): string => `${ino}-${birthtimeMs}`;

export interface Generation {
  readonly path: string;
  readonly isCompressed: boolean;
  readonly identity: string;
  /** When it was last written to, seconds since the epoch. */
  readonly writtenSeconds: number;
}

/** Names have moved on by one file since they were listed, or the file has been compressed. */
export class RenamedError extends Error {
  override readonly name = 'Renamed';
}

/** What is to be read: files, the oldest first and the current one last, from an offset in the first. */
export interface UnreadFiles {
  readonly generations: readonly Generation[];
  readonly offset: number;
  /** Whether the position was found; else lines up to its time may come once more. */
  readonly isPositionFound: boolean;
}

/** How often files can be renamed while they are listed before that is given up for now. */
const MAX_LISTINGS = 100;

/**
 * The files that exist, the oldest first.
 * @throws {RenamedError} when they are renamed all the time
 */
function listGenerations(path: string): Generation[] {
  let last = listed(path);
  for (let listing = 0; listing < MAX_LISTINGS; listing++) {
    // A file that was renamed during the one listing is where it is in the next.
    const next = listed(path);
    const isSame = next.length === last.length && next.every((file, index) => isEqual(file, last[index]!));
    if (isSame) return next;
    last = next;
  }
  throw new RenamedError(`${path} is renamed faster than it can be listed`);
}

const isEqual = (one: Generation, other: Generation): boolean =>
  one.path === other.path && one.identity === other.identity;

function listed(path: string): Generation[] {
  const base = basename(path);
  const names = readdirSync(dirname(path));
  const aged = names.flatMap((name) => {
    const [, age, gzip] = name.startsWith(base)
      ? (/^\.(\d+)(\.gz)?$/.exec(name.slice(base.length)) ?? [])
      : [];
    return age === undefined ? [] : { name, age: Number(age), isCompressed: gzip !== undefined };
  });
  // While a file is being compressed there are both.
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
    // What vanishes in between has been deleted, or is on the list under its next name.
    const status = statSync(file.path, { throwIfNoEntry: false });
    return status === undefined
      ? []
      : { ...file, identity: fileIdentity(status), writtenSeconds: status.mtimeMs / 1000 };
  });
}

/**
 * Opens a file that is not compressed.
 * @throws {RenamedError} when its name is another's now or nobody's, and whatever else openSync throws
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
 * Opens a file for reading. A compressed one is unpacked into a file that has no name any more, and goes
 * with its descriptor.
 * @param onDamage told when a compressed file cannot be unpacked to its end
 * @throws {RenamedError} when its name is another's now or nobody's, and whatever else opening throws
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
    // Of a damaged file there is what could be unpacked.
    if (String((error as NodeJS.ErrnoException).code).startsWith('Z_')) onDamage(error);
    else {
      closeSync(descriptor);
      throw error;
    }
  }
  return descriptor;
}

/** By how many bytes before a place a file is recognised: they hold the time stamp of the entry before. */
export const MARK_BYTES = 64;

const tail = Buffer.allocUnsafe(MARK_BYTES);
const time: Timestamp = { seconds: 0, nanos: 0 };

/** Whether what ends at the position's offset in this file is what the position names. */
function containsPosition(descriptor: number, { seconds, nanos, offset, check }: LogPosition): boolean {
  const length = Math.min(offset, tail.length);
  if (length <= 0 || readSync(descriptor, tail, 0, length, offset - length) < length) return false;
  if (check !== -1) return crc32(tail.subarray(0, length)) === check;
  return (
    timeBefore(tail.subarray(0, length), length, time) && time.seconds === seconds && time.nanos === nanos
  );
}

/**
 * What is left to be read behind a position.
 * @param identity of the file that the position is in, where that is known
 * @throws {RenamedError} when the files are renamed meanwhile
 */
export async function findUnreadFiles(
  path: string,
  position: LogPosition,
  identity?: string,
): Promise<UnreadFiles> {
  const all = listGenerations(path);
  const own = all.findIndex((file) => file.identity === identity);
  if (own !== -1) return { generations: all.slice(own), offset: position.offset, isPositionFound: true };
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
  // A file that was last written before that time has nothing behind it.
  const newer = all.filter(({ writtenSeconds: written }) => written >= position.seconds);
  return { generations: newer, offset: 0, isPositionFound: position.seconds === 0 };
}

/** The position behind the last whole line of a file. */
export function endPosition(descriptor: number): LogPosition {
  const { size } = fstatSync(descriptor);
  const last = Buffer.allocUnsafe(Math.min(size, MAX_ENTRY_BYTES));
  const length = readSync(descriptor, last, 0, last.length, size - last.length);
  const end = last.lastIndexOf(0x0a, length - 1) + 1;
  if (!timeBefore(last, end, time)) return { ...startPosition(), offset: size - length + end };
  return { ...time, count: 1, offset: size - length + end, check: -1 };
}

/** The driver writes 16 KiB of text at a time, of which every byte can be escaped with six. */
const MAX_ENTRY_BYTES = 128 * 1024;
