/**
 * One line of the json-file driver's log: `{"log":"text\n","stream":"stdout","time":"2026-…Z"}`, with an
 * `attrs` object where the driver's options ask for one. Bytes are parsed, since every log line passes here.
 * Source: https://docs.docker.com/engine/logging/drivers/json-file/; the escapes are JSON's.
 */

import type { IoStream } from '../../records/records.ts';
import { NEWLINE } from '../../shared/ascii.ts';
import { BACKSLASH, QUOTE, STOPS } from '../shared/json-string.ts';
import { readTimestamp, type Timestamp } from '../shared/timestamp.ts';

const BRACE = 0x7b;
const LETTER_N = 0x6e;
const LETTER_U = 0x75;

/** How every entry starts. */
export const ENTRY_START = Buffer.from('{"log":"');
const STREAM = Buffer.from(',"stream":"std');
const OUT = Buffer.from('out"');
const ERR = Buffer.from('err"');
const TIME = Buffer.from(',"time":"');

/** JSON's one-letter escapes. */
const ESCAPES = new Uint8Array(256);
for (const [letter, byte] of Object.entries({
  '"': 0x22,
  '\\': 0x5c,
  '/': 0x2f,
  b: 0x08,
  f: 0x0c,
  n: 0x0a,
  r: 0x0d,
  t: 0x09,
}))
  ESCAPES[letter.charCodeAt(0)] = byte;

const startsWith = (bytes: Uint8Array, start: number, text: Uint8Array): boolean => {
  for (let index = 0; index < text.length; index++) if (bytes[start + index] !== text[index]) return false;
  return true;
};

/** Unescaped text: one buffer for all entries. Each is emitted before the next is parsed. */
let scratch = Buffer.allocUnsafeSlow(64 * 1024);

/** One parsed entry. Its text is `source[start, end)`, valid until the next entry of any file is parsed. */
export class JsonFileEntry {
  readonly time: Timestamp = { seconds: 0, nanos: 0 };
  stream: IoStream = 'stdout';
  source: Buffer = ENTRY_START;
  start = 0;
  end = 0;
  /** Whether the text ended with a newline, which is left out. If not, it is a piece of a longer line. */
  endsLine = false;

  /**
   * Parses the line `bytes[start, end)`, without its newline.
   * @returns whether it is an entry; if not, the fields have no meaning
   */
  parse(bytes: Buffer, start: number, end: number): boolean {
    if (!startsWith(bytes, start, ENTRY_START)) return false;
    const text = start + ENTRY_START.length;
    // JSON in JSON is full of escapes, and text indented by a tab starts with one: searching for the first is a waste.
    if (bytes[text] === BRACE || bytes[text] === BACKSLASH) {
      const after = this.unescape(bytes, text, end);
      return after !== -1 && this.parseStreamAndTime(bytes, after, end);
    }
    const quote = bytes.indexOf(QUOTE, text);
    if (quote === -1 || quote >= end) return false;
    const backslash = bytes.indexOf(BACKSLASH, text);
    let after: number;
    if (backslash === -1 || backslash > quote) {
      this.setText(bytes, text, quote, false);
      after = quote + 1;
    } else if (backslash === quote - 2 && bytes[backslash + 1] === LETTER_N) {
      this.setText(bytes, text, backslash, true);
      after = quote + 1;
    } else {
      after = this.unescape(bytes, text, end);
      if (after === -1) return false;
    }
    return this.parseStreamAndTime(bytes, after, end);
  }

  private setText(source: Buffer, start: number, end: number, whole: boolean): void {
    this.source = source;
    this.start = start;
    this.end = end;
    this.endsLine = whole;
  }

  /** @returns the place behind the string's closing quote, or -1 */
  private unescape(bytes: Buffer, from: number, end: number): number {
    // Unescaping never makes text longer.
    if (scratch.length < end - from) scratch = Buffer.allocUnsafeSlow((end - from) * 2);
    const into = scratch;
    let out = 0;
    let index = from;
    while (index < end) {
      let byte = bytes[index]!;
      // The newline at the end of the line stops the loop at the latest.
      while (STOPS[byte] === 0) {
        into[out++] = byte;
        byte = bytes[++index]!;
      }
      if (byte === QUOTE) {
        const whole = out > 0 && into[out - 1] === NEWLINE;
        this.setText(into, 0, whole ? out - 1 : out, whole);
        return index + 1;
      }
      if (byte !== BACKSLASH) return -1;
      const letter = bytes[index + 1]!;
      if (letter === LETTER_U) {
        // A pair of surrogates is one character; a lone surrogate becomes U+FFFD.
        const isPair = bytes[index + 6] === BACKSLASH && bytes[index + 7] === LETTER_U;
        const units = [parseHex(bytes, index + 2), isPair ? parseHex(bytes, index + 8) : Number.NaN] as const;
        if (Number.isNaN(units[0])) return -1;
        const joined = units[0] >= 0xd800 && units[0] < 0xdc00 && units[1] >= 0xdc00 && units[1] < 0xe000;
        const text = joined ? String.fromCharCode(...units) : String.fromCharCode(units[0]);
        out += into.write(text, out, 'utf8');
        index += joined ? 12 : 6;
      } else {
        const escaped = ESCAPES[letter]!;
        if (escaped === 0) return -1;
        into[out++] = escaped;
        index += 2;
      }
    }
    return -1;
  }

  /** Parses stream and time, which follow the text. */
  private parseStreamAndTime(bytes: Buffer, from: number, end: number): boolean {
    if (!startsWith(bytes, from, STREAM)) return false;
    const which = from + STREAM.length;
    const isOut = startsWith(bytes, which, OUT);
    if (!isOut && !startsWith(bytes, which, ERR)) return false;
    this.stream = isOut ? 'stdout' : 'stderr';
    let at = which + OUT.length;
    // `attrs` is between them where the driver's options ask for it.
    if (!startsWith(bytes, at, TIME)) at = bytes.lastIndexOf(TIME, end);
    if (at < which) return false;
    const length = readTimestamp(bytes, at + TIME.length, this.time);
    return length > 0 && at + TIME.length + length + 2 === end;
  }
}

function parseHex(bytes: Uint8Array, start: number): number {
  let value = 0;
  for (let index = start; index < start + 4; index++) {
    const byte = bytes[index]!;
    const digit =
      byte >= 0x30 && byte <= 0x39
        ? byte - 0x30
        : (byte | 0x20) >= 0x61 && (byte | 0x20) <= 0x66
          ? (byte | 0x20) - 0x57
          : Number.NaN;
    value = value * 16 + digit;
  }
  return value;
}

/** Reads the time of the entry that ends at `end`, with its newline, into `into`; false where there is none. */
export function readTimeBefore(bytes: Buffer, end: number, into: Timestamp): boolean {
  const at = bytes.lastIndexOf(TIME, end);
  if (at === -1) return false;
  const length = readTimestamp(bytes, at + TIME.length, into);
  return length > 0 && at + TIME.length + length + 3 === end && bytes[end - 1] === NEWLINE;
}
