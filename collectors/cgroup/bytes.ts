/** Searches and reads bytes in place: no string and no allocation on the hot path. */

import { NEWLINE } from '../shared/ascii.ts';

const ZERO = 0x30;
/** Above any real amount of memory or number of processes, below every "no limit" of cgroup v1. */
const NO_LIMIT = 2 ** 62;

/**
 * The unsigned decimal number that begins at `start`. NaN where there is no digit ("max"), and for the "no
 * limit" of cgroup v1, which is LONG_MAX rounded down to a page.
 */
export function parseNumber(bytes: Uint8Array, start: number, end: number): number {
  let value = 0;
  let index = start;
  for (; index < end; index++) {
    const digit = bytes[index]! - ZERO;
    if (digit < 0 || digit > 9) break;
    value = value * 10 + digit;
  }
  return index === start || value >= NO_LIMIT ? Number.NaN : value;
}

/** Whether `word`, followed by the byte `terminator`, begins at `start`. */
export function hasWordAt(
  bytes: Uint8Array,
  start: number,
  length: number,
  word: Uint8Array,
  terminator: number,
): boolean {
  if (start + word.length >= length || bytes[start + word.length] !== terminator) return false;
  for (let index = 0; index < word.length; index++) if (bytes[start + index] !== word[index]) return false;
  return true;
}

/** The start of the line after the one that `start` is in. */
export function nextLine(bytes: Uint8Array, start: number, length: number): number {
  let index = start;
  while (index < length && bytes[index] !== NEWLINE) index++;
  return index + 1;
}
