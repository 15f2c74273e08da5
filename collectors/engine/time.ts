import type { UnixNano } from '../records/records.ts';

/**
 * Parses the Engine API's RFC 3339 time, with up to nine fractional digits. Its zero value (year 1) means
 * "never", and is 0n here, as is anything that is not a time.
 */
export function parseEngineTime(text: string): UnixNano {
  const match = /^(.{19})(?:\.(\d{1,9}))?(Z|[+-]\d\d:\d\d)$/.exec(text);
  if (match === null || text.startsWith('0001-')) return 0n;
  const [, date, fraction = '', zone] = match;
  const milliseconds = Date.parse(`${date}${zone}`);
  return Number.isNaN(milliseconds)
    ? 0n
    : BigInt(milliseconds) * 1_000_000n + BigInt(fraction.padEnd(9, '0'));
}

/** The format of the Engine API's `since`: seconds, a point, nine digits. */
export function formatSince(time: UnixNano): string {
  return `${time / 1_000_000_000n}.${String(time % 1_000_000_000n).padStart(9, '0')}`;
}
