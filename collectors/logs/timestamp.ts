/** The daemon's time stamp before each log line: RFC 3339 in UTC with nine fractional digits, `Z` at its end. */
export const TIMESTAMP_LENGTH = 30;

export interface Timestamp {
  /** Since the Unix epoch. */
  seconds: number;
  nanos: number;
}

const ZERO = 0x30;

function digits(bytes: Uint8Array, start: number, count: number): number {
  let value = 0;
  for (let index = start; index < start + count; index++) {
    const digit = bytes[index]! - ZERO;
    if (!(digit >= 0 && digit <= 9)) return Number.NaN;
    value = value * 10 + digit;
  }
  return value;
}

/** Days from 1970-01-01 to a date of the Gregorian calendar, with years that begin in March. */
function days(year: number, month: number, day: number): number {
  const shifted = month <= 2 ? year - 1 : year;
  const era = Math.floor(shifted / 400);
  const yearOfEra = shifted - era * 400;
  const dayOfYear = Math.floor((153 * (month > 2 ? month - 3 : month + 9) + 2) / 5) + day - 1;
  const dayOfEra = yearOfEra * 365 + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100) + dayOfYear;
  return era * 146_097 + dayOfEra - 719_468;
}

/** Reads the time stamp at `start` into `into`; false when there is none. */
export function readTimestamp(bytes: Uint8Array, start: number, into: Timestamp): boolean {
  if (start + TIMESTAMP_LENGTH > bytes.length || bytes[start + TIMESTAMP_LENGTH - 1] !== 0x5a) return false;
  const day = days(digits(bytes, start, 4), digits(bytes, start + 5, 2), digits(bytes, start + 8, 2));
  const seconds =
    day * 86_400 +
    digits(bytes, start + 11, 2) * 3600 +
    digits(bytes, start + 14, 2) * 60 +
    digits(bytes, start + 17, 2);
  const nanos = digits(bytes, start + 20, 9);
  if (Number.isNaN(seconds) || Number.isNaN(nanos)) return false;
  into.seconds = seconds;
  into.nanos = nanos;
  return true;
}
