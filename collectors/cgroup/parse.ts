/**
 * Parses the kernel's number files on bytes: no string, no allocation. A value that is missing or not a
 * number ("max") is NaN, and so is the "no limit" of cgroup v1, LONG_MAX rounded down to a page.
 */

const NEWLINE = 0x0a;
const SPACE = 0x20;
const COMMA = 0x2c;
const DASH = 0x2d;
const ZERO = 0x30;
const EQUALS = 0x3d;
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

/** Whether `word` stands at `start`, followed by `end`. */
function isAt(bytes: Uint8Array, start: number, length: number, word: Uint8Array, end: number): boolean {
  if (start + word.length >= length || bytes[start + word.length] !== end) return false;
  for (let index = 0; index < word.length; index++) if (bytes[start + index] !== word[index]) return false;
  return true;
}

/** The start of the next line. */
function nextLine(bytes: Uint8Array, start: number, length: number): number {
  let index = start;
  while (index < length && bytes[index] !== NEWLINE) index++;
  return index + 1;
}

/** A single-value file. */
export function parseSingle(bytes: Uint8Array, length: number): number {
  return number(bytes, 0, length);
}

/** The n-th value of the first line, from 0 on. */
export function parsePosition(bytes: Uint8Array, length: number, position: number): number {
  let start = 0;
  for (let passed = 0; passed < position; passed++) {
    while (start < length && bytes[start] !== SPACE) start++;
    start++;
  }
  return start < length ? number(bytes, start, length) : Number.NaN;
}

/** The value of `key=` on the line that begins with the word `line`. */
export function parsePair(bytes: Uint8Array, length: number, line: Uint8Array, key: Uint8Array): number {
  for (let start = 0; start < length; start = nextLine(bytes, start, length)) {
    if (!isAt(bytes, start, length, line, SPACE)) continue;
    for (let index = start + line.length; index < length && bytes[index] !== NEWLINE; index++) {
      if (bytes[index] === SPACE && isAt(bytes, index + 1, length, key, EQUALS)) {
        return number(bytes, index + 2 + key.length, length);
      }
    }
    break;
  }
  return Number.NaN;
}

/** 1 where the file begins with `text`, else 0. */
export function parseText(bytes: Uint8Array, length: number, text: Uint8Array): number {
  return isAt(bytes, 0, length, text, NEWLINE) ? 1 : 0;
}

/** How many numbers a list such as `0-3,7` has; NaN for anything else, and for an empty one. */
export function parseList(bytes: Uint8Array, length: number): number {
  let count = 0;
  let first = Number.NaN;
  let begin = 0;
  for (let index = 0; index <= length; index++) {
    const byte = index < length ? bytes[index]! : NEWLINE;
    if (byte === DASH && Number.isNaN(first)) {
      first = number(bytes, begin, index);
      if (Number.isNaN(first)) return Number.NaN;
      begin = index + 1;
    } else if (byte === COMMA || byte === NEWLINE) {
      const last = number(bytes, begin, index);
      count += Number.isNaN(first) ? last * 0 + 1 : last - first + 1;
      first = Number.NaN;
      begin = index + 1;
      if (byte === NEWLINE) break;
    }
  }
  return count > 0 ? count : Number.NaN;
}

/** Where a wanted key's value goes. */
export interface KeySlot {
  readonly key: Uint8Array;
  readonly slot: number;
  readonly scale: number;
}

/**
 * A flat-keyed file, `key value` a line. The kernel prints the keys of a file always in the same order:
 * learnt from the first file that has all the wanted keys, it tells which lines to look at; where a key is
 * not on its line (any more), every line is looked at again.
 */
export class FlatParser {
  private readonly keys: readonly KeySlot[];
  /** The wanted keys by line, where the order is known. */
  private learnt: { readonly line: number; readonly wanted: KeySlot }[] | undefined;

  constructor(keys: readonly KeySlot[]) {
    this.keys = keys;
  }

  /** Writes each wanted key's value × scale into `values`; those of missing keys are left as they are. */
  parse(bytes: Uint8Array, length: number, values: Float64Array): void {
    if (this.learnt === undefined || !this.parseLearnt(bytes, length, values))
      this.search(bytes, length, values);
  }

  private parseLearnt(bytes: Uint8Array, length: number, values: Float64Array): boolean {
    const learnt = this.learnt!;
    let start = 0;
    let line = 0;
    for (const expected of learnt) {
      for (; line < expected.line; line++) start = nextLine(bytes, start, length);
      const { key, slot, scale } = expected.wanted;
      if (!isAt(bytes, start, length, key, SPACE)) return false;
      values[slot] = number(bytes, start + key.length + 1, length) * scale;
    }
    return true;
  }

  private search(bytes: Uint8Array, length: number, values: Float64Array): void {
    const found: { line: number; wanted: KeySlot }[] = [];
    for (let start = 0, line = 0; start < length; start = nextLine(bytes, start, length), line++) {
      for (const wanted of this.keys) {
        if (!isAt(bytes, start, length, wanted.key, SPACE)) continue;
        values[wanted.slot] = number(bytes, start + wanted.key.length + 1, length) * wanted.scale;
        found.push({ line, wanted });
      }
    }
    this.learnt = found.length === this.keys.length ? found : undefined;
  }
}
