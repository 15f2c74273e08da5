/** Positions as they are kept. */
import type { LogPosition } from '../../records/records.ts';

/** Before the first line. */
export const startPosition = (): LogPosition => ({ seconds: 0, nanos: 0, count: 0, offset: -1, check: -1 });

export function formatPosition({ seconds, nanos, count, offset, check }: LogPosition): string {
  const place = offset === -1 ? '' : `@${offset}`;
  return `${seconds}.${nanos}#${count}${place}${check === -1 ? '' : `~${check}`}`;
}

/** The position in the text that `formatPosition` makes; undefined when it is anything else. */
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
