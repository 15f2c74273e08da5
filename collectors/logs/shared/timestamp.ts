/** The daemon's time stamps: RFC 3339 in UTC, with nine fractional digits in the API, and as many as needed in files. */

/** Length of a time stamp in the API. */
export const TIMESTAMP_LENGTH = 30;

export interface Timestamp {
  /** Since the Unix epoch. */
  seconds: number;
  nanos: number;
}

/** Converts milliseconds since the epoch. */
export const timestampOf = (milliseconds: number): Timestamp => ({
  seconds: Math.floor(milliseconds / 1000),
  nanos: (milliseconds % 1000) * 1_000_000,
});

const ZERO = 0x30;
const POINT = 0x2e;
const Z = 0x5a;
/** `2026-11-24T05:43:00` */
const WHOLE_SECONDS = 19;

function digits(bytes: Uint8Array, start: number, count: number): number {
  let value = 0;
  for (let index = start; index < start + count; index++) {
    const digit = bytes[index]! - ZERO;
    if (!(digit >= 0 && digit <= 9)) return Number.NaN;
    value = value * 10 + digit;
  }
  return value;
}

/** Days from 1970-01-01 to a date of the Gregorian calendar. Counts years that begin in March. */
function days(year: number, month: number, day: number): number {
  const shifted = month <= 2 ? year - 1 : year;
  const era = Math.floor(shifted / 400);
  const yearOfEra = shifted - era * 400;
  const dayOfYear = Math.floor((153 * (month > 2 ? month - 3 : month + 9) + 2) / 5) + day - 1;
  const dayOfEra = yearOfEra * 365 + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100) + dayOfYear;
  return era * 146_097 + dayOfEra - 719_468;
}

/** The last whole second that 64 bits of nanoseconds hold. */
const LAST_SECOND = 18_446_744_072;

/** Factor from fractional digits to nanoseconds, by the number of digits. */
const FRACTIONS = Array.from({ length: 10 }, (_, count) => 10 ** (9 - count));

/** The whole seconds that were read last. Most lines have the same second as the line before. */
const last = { text: new Uint8Array(WHOLE_SECONDS), seconds: 0 };

/** The whole seconds of the time stamp at `start`; NaN where there is none. */
function wholeSeconds(bytes: Uint8Array, start: number): number {
  let same = WHOLE_SECONDS;
  while (same > 0 && bytes[start + same - 1] === last.text[same - 1]) same--;
  if (same === 0) return last.seconds;
  const month = digits(bytes, start + 5, 2);
  const day = digits(bytes, start + 8, 2);
  const hour = digits(bytes, start + 11, 2);
  const minute = digits(bytes, start + 14, 2);
  const second = digits(bytes, start + 17, 2);
  if (!(month >= 1 && month <= 12 && day >= 1 && day <= 31 && hour <= 24 && minute <= 59 && second <= 60))
    return Number.NaN;
  const seconds = days(digits(bytes, start, 4), month, day) * 86_400 + hour * 3600 + minute * 60 + second;
  if (Number.isNaN(seconds)) return seconds;
  for (let index = 0; index < WHOLE_SECONDS; index++) last.text[index] = bytes[start + index]!;
  last.seconds = seconds;
  return seconds;
}

/**
 * Reads the time stamp at `start` into `into`. A time before 1970 or after 2554, which OTLP cannot express, becomes
 * the nearest that it can.
 * @returns the length of the time stamp; 0 where there is none
 */
export function readTimestamp(bytes: Uint8Array, start: number, into: Timestamp): number {
  const seconds = wholeSeconds(bytes, start);
  let end = start + WHOLE_SECONDS;
  let nanos = 0;
  if (bytes[end] === POINT) {
    const first = ++end;
    for (let digit = bytes[end]! - ZERO; digit >= 0 && digit <= 9; digit = bytes[++end]! - ZERO) {
      nanos = nanos * 10 + digit;
    }
    if (end === first || end - first > 9) return 0;
    nanos *= FRACTIONS[end - first]!;
  }
  if (Number.isNaN(seconds) || bytes[end] !== Z) return 0;
  into.seconds = Math.min(Math.max(0, seconds), LAST_SECOND);
  into.nanos = seconds < 0 || seconds > LAST_SECOND ? 0 : nanos;
  return end + 1 - start;
}
