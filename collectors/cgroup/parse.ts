/**
 * Parses the kernel's number files on bytes: no string, no allocation. A value that is missing or not a
 * number ("max") is NaN, and so is the "no limit" of cgroup v1, LONG_MAX rounded down to a page.
 */

const NEWLINE = 0x0a;
const SPACE = 0x20;
const ZERO = 0x30;
/** Above any real amount of memory or number of processes, below every "no limit" of cgroup v1. */
const NO_LIMIT = 2 ** 62;

/** The unsigned decimal number that begins at `start`. */
function number(bytes: Uint8Array, start: number, end: number): number {
  let value = 0;
  let index = start;
  for (; index < end; index++) {
    const digit = bytes[index]! - ZERO;
    if (digit < 0 || digit > 9) break;
    value = value * 10 + digit;
  }
  return index === start || value >= NO_LIMIT ? Number.NaN : value;
}

/** A single-value file. */
export function parseSingle(bytes: Uint8Array, length: number): number {
  return number(bytes, 0, length);
}

/** Where a wanted key's value goes. */
export interface KeySlot {
  readonly key: Uint8Array;
  readonly slot: number;
  readonly scale: number;
}

function startsWith(bytes: Uint8Array, start: number, end: number, key: Uint8Array): boolean {
  if (start + key.length >= end || bytes[start + key.length] !== SPACE) return false;
  for (let index = 0; index < key.length; index++) if (bytes[start + index] !== key[index]) return false;
  return true;
}

/**
 * A flat-keyed file: writes each wanted key's value × scale into `values`. `keys` are taken in the
 * kernel's order when they are listed so, which makes one pass; any other order costs a look at each key.
 */
export function parseFlat(
  bytes: Uint8Array,
  length: number,
  keys: readonly KeySlot[],
  values: Float64Array,
): void {
  let expected = 0;
  let found = 0;
  for (let start = 0; start < length && found < keys.length; ) {
    for (let tried = 0; tried < keys.length; tried++) {
      const wanted = keys[(expected + tried) % keys.length]!;
      if (!startsWith(bytes, start, length, wanted.key)) continue;
      values[wanted.slot] = number(bytes, start + wanted.key.length + 1, length) * wanted.scale;
      expected = (expected + tried + 1) % keys.length;
      found++;
      break;
    }
    while (start < length && bytes[start] !== NEWLINE) start++;
    start++;
  }
}
