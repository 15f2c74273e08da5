import type { UnixNano } from '../records/records.ts';

/**
 * The Engine API's RFC 3339 time with up to nine fractional digits; its zero value (year 1), which stands
 * for "never", is 0n.
 */
export function parseTime(text: string): UnixNano {
  const match = /^(.{19})(?:\.(\d{1,9}))?(Z|[+-]\d\d:\d\d)$/.exec(text);
  if (match === null || text.startsWith('0001-')) return 0n;
  const [, date, fraction = '', zone] = match;
  const milliseconds = Date.parse(`${date}${zone}`);
  return Number.isNaN(milliseconds)
    ? 0n
    : BigInt(milliseconds) * 1_000_000n + BigInt(fraction.padEnd(9, '0'));
}

/** The form in which the Engine API takes `since`: seconds, a point, nine digits. */
export function formatSince(time: UnixNano): string {
  return `${time / 1_000_000_000n}.${String(time % 1_000_000_000n).padStart(9, '0')}`;
}
