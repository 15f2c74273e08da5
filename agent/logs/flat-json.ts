/**
 * Scans the JSON objects that most logging libraries write, flat and without escapes, as bytes: without an object or a
 * string for each. `parseJson` parses all other objects.
 */

import { QUOTE, STOPS } from '../../collectors/logs/shared/json-string.ts';
import { FIELDS } from '../../exporters/otlp/wire/fields.ts';
import { encodeFields } from '../../exporters/otlp/wire/writer.ts';
import { FIELD_ROLES, type FieldRole } from './field-roles.ts';
import { InternTable } from './intern-table.ts';

/** Kinds of values. */
export const TEXT = 0;
export const NUMBER = 1;
export const TRUE = 2;
export const FALSE = 3;
export const NULL = 4;

const SPACE = 0x20;
const COMMA = 0x2c;
const COLON = 0x3a;
const MINUS = 0x2d;
const POINT = 0x2e;
const ZERO = 0x30;
const NINE = 0x39;
const OPEN = 0x7b;
const CLOSE = 0x7d;

/**
 * Digits that a double always holds. A quotient of two such numbers is rounded once, like a number that is parsed as a
 * whole.
 */
const SAFE_DIGITS = 15;
const TENS = Array.from({ length: SAFE_DIGITS + 1 }, (_, power) => 10 ** power);
const ANY_NUMBER = /^-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?$/;
export const MAX_FIELDS = 64;

const WORDS = [
  { bytes: Buffer.from('true'), kind: TRUE },
  { bytes: Buffer.from('false'), kind: FALSE },
  { bytes: Buffer.from('null'), kind: NULL },
];

/** A field's name: one object, however often it occurs. */
export interface FieldName {
  readonly role: FieldRole | undefined;
  /** The `key` field of a KeyValue. */
  readonly field: Buffer;
  /** The scan in which it occurred last. An object must not have it twice. */
  scan: number;
}

const fieldNames = new InternTable<FieldName>((text) => {
  const field = encodeFields((writer) => writer.string(FIELDS.KeyValue.key, text));
  return { role: FIELD_ROLES.get(text), field, scan: 0 };
});

export class FlatJson {
  /** Number of fields: the first `count` items of each column are valid. */
  count = 0;
  readonly names: FieldName[] = [];
  readonly kinds = new Uint8Array(MAX_FIELDS);
  /** Where each text starts and ends, without its quotes. */
  readonly starts = new Uint32Array(MAX_FIELDS);
  readonly ends = new Uint32Array(MAX_FIELDS);
  readonly numbers = new Float64Array(MAX_FIELDS);
  private scans = 0;

  /** @returns whether `bytes[start, end)`, which is UTF-8, is such an object */
  scan(bytes: Buffer, start: number, end: number): boolean {
    this.count = 0;
    const scan = ++this.scans;
    let at = start;
    if (bytes[at++] !== OPEN) return false;
    for (;;) {
      while (bytes[at] === SPACE) at++;
      if (bytes[at++] !== QUOTE) return false;
      const from = at;
      let hash = 0;
      for (let byte = bytes[at]!; STOPS[byte] === 0; byte = bytes[++at]!) {
        hash = (Math.imul(hash, 31) + byte) | 0;
      }
      if (bytes[at] !== QUOTE || at >= end) return false;
      const name = fieldNames.intern(bytes, from, at, hash);
      if (name === undefined || name.scan === scan || this.count === MAX_FIELDS) return false;
      name.scan = scan;
      this.names[this.count] = name;
      at++;
      while (bytes[at] === SPACE) at++;
      if (bytes[at++] !== COLON) return false;
      while (bytes[at] === SPACE) at++;
      at = this.readValue(bytes, at, end);
      if (at === -1) return false;
      this.count++;
      while (bytes[at] === SPACE) at++;
      const next = bytes[at++];
      if (next === COMMA) continue;
      if (next !== CLOSE || at > end) return false;
      while (at < end && bytes[at] === SPACE) at++;
      return at === end;
    }
  }

  /** Reads the value at `from` as the next field's. @returns the place behind it, or -1 */
  private readValue(bytes: Buffer, from: number, end: number): number {
    const { count } = this;
    const first = bytes[from]!;
    if (first === QUOTE) {
      let at = from + 1;
      while (STOPS[bytes[at]!] === 0) at++;
      if (bytes[at] !== QUOTE || at >= end) return -1;
      this.kinds[count] = TEXT;
      this.starts[count] = from + 1;
      this.ends[count] = at;
      return at + 1;
    }
    if (first === MINUS || (first >= ZERO && first <= NINE)) return this.readNumber(bytes, from, end);
    for (const word of WORDS) {
      let same = 0;
      while (same < word.bytes.length && bytes[from + same] === word.bytes[same]) same++;
      if (same !== word.bytes.length || from + same > end) continue;
      this.kinds[count] = word.kind;
      return from + same;
    }
    return -1;
  }

  private readNumber(bytes: Buffer, from: number, end: number): number {
    const isNegative = bytes[from] === MINUS;
    const first = isNegative ? from + 1 : from;
    let digits = 0;
    let point = -1;
    let at = first;
    for (let byte = bytes[at]!; at < end; byte = bytes[++at]!) {
      if (byte >= ZERO && byte <= NINE) digits = digits * 10 + byte - ZERO;
      else if (byte === POINT && point === -1) point = at;
      else break;
    }
    const whole = (point === -1 ? at : point) - first;
    const behind = point === -1 ? 0 : at - point - 1;
    const isSimple =
      whole > 0 &&
      (bytes[first] !== ZERO || whole === 1) &&
      (point === -1 || behind > 0) &&
      whole + behind <= SAFE_DIGITS &&
      !isNumeric(bytes[at]!);
    let value = digits / TENS[behind]!;
    if (isNegative) value = -value;
    if (!isSimple) {
      while (at < end && isNumeric(bytes[at]!)) at++;
      const text = bytes.toString('latin1', from, at);
      if (!ANY_NUMBER.test(text)) return -1;
      value = Number(text);
    }
    this.kinds[this.count] = NUMBER;
    this.numbers[this.count] = value;
    return at;
  }
}

/** Digits, signs, point and exponent. */
const isNumeric = (byte: number): boolean =>
  (byte >= ZERO && byte <= NINE) ||
  byte === POINT ||
  byte === MINUS ||
  byte === 0x2b ||
  (byte | 0x20) === 0x65;
