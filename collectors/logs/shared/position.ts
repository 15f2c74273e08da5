/** Log positions as text, as the position store keeps them. */
import type { LogPosition } from '../../records/records.ts';

/** Before the first line. */
export const startPosition = (): LogPosition => ({ seconds: 0, nanos: 0, count: 0, offset: -1, check: -1 });

export function formatPosition({ seconds, nanos, count, offset, check }: LogPosition): string {
  const offsetText = offset === -1 ? '' : `@${offset}`;
  return `${seconds}.${nanos}#${count}${offsetText}${check === -1 ? '' : `~${check}`}`;
}

/** Parses what `formatPosition` returns; undefined for any other text. */
export function parsePosition(text: string): LogPosition | undefined {
  const match = /^(\d+)\.(\d+)#(\d+)(?:@(\d+))?(?:~(\d+))?$/.exec(text);
  if (match === null) return undefined;
  const [, seconds, nanos, count, offset, check] = match;
  return {
    seconds: Number(seconds),
    nanos: Number(nanos),
    count: Number(count),
    offset: offset === undefined ? -1 : Number(offset),
    check: check === undefined ? -1 : Number(check),
  };
}
