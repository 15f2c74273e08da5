/**
 * Parses one value out of a cgroup file's bytes. A value that is missing or not a number ("max") is NaN.
 * Source: https://docs.kernel.org/admin-guide/cgroup-v2.html, "Format".
 */
import { NEWLINE, SPACE } from '../shared/ascii.ts';
import { hasWordAt, nextLine, parseNumber } from './bytes.ts';

const COMMA = 0x2c;
const DASH = 0x2d;
const ZERO = 0x30;
const NINE = 0x39;
const EQUALS = 0x3d;

/** A single-value file. */
export function parseSingle(bytes: Uint8Array, length: number): number {
  return parseNumber(bytes, 0, length);
}

/** The n-th value of the first line, counted from 0. */
export function parseNthValue(bytes: Uint8Array, length: number, position: number): number {
  let start = 0;
  for (let passed = 0; passed < position; passed++) {
    while (start < length && bytes[start] !== SPACE && bytes[start] !== NEWLINE) start++;
    if (bytes[start] === NEWLINE) return Number.NaN;
    start++;
  }
  return start < length ? parseNumber(bytes, start, length) : Number.NaN;
}

/** The value of `key=` on the line that begins with the word `line`. */
export function parsePair(bytes: Uint8Array, length: number, line: Uint8Array, key: Uint8Array): number {
  for (let start = 0; start < length; start = nextLine(bytes, start, length)) {
    if (!hasWordAt(bytes, start, length, line, SPACE)) continue;
    for (let index = start + line.length; index < length && bytes[index] !== NEWLINE; index++) {
      if (bytes[index] === SPACE && hasWordAt(bytes, index + 1, length, key, EQUALS)) {
        return parseNumber(bytes, index + 2 + key.length, length);
      }
    }
    break;
  }
  return Number.NaN;
}

/** 1 where the file's first line is `text`, else 0. */
export function parseText(bytes: Uint8Array, length: number, text: Uint8Array): number {
  return hasWordAt(bytes, 0, length, text, NEWLINE) ? 1 : 0;
}

/**
 * How many numbers a list such as `0-3,7` has. NaN for an empty list, and for anything that is not a list.
 */
export function parseList(bytes: Uint8Array, length: number): number {
  let count = 0;
  /** Of a range whose end comes next. */
  let first = Number.NaN;
  let value = Number.NaN;
  for (let index = 0; index <= length; index++) {
    const byte = index < length ? bytes[index]! : NEWLINE;
    if (byte >= ZERO && byte <= NINE) {
      value = (Number.isNaN(value) ? 0 : value * 10) + byte - ZERO;
      if (value > Number.MAX_SAFE_INTEGER) return Number.NaN;
    } else if (Number.isNaN(value)) {
      return Number.NaN;
    } else if (byte === DASH && Number.isNaN(first)) {
      first = value;
      value = Number.NaN;
    } else if (byte === COMMA || byte === NEWLINE) {
      if (value < first) return Number.NaN;
      count += Number.isNaN(first) ? 1 : value - first + 1;
      if (byte === NEWLINE) break;
      first = Number.NaN;
      value = Number.NaN;
    } else {
      return Number.NaN;
    }
  }
  return count;
}
