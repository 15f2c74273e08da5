/** Positions as they are kept. */
import type { LogPosition } from '../../agent/records.ts';

/** Before the first line. */
export const beginning = (): LogPosition => ({ seconds: 0, nanos: 0, count: 0, offset: -1 });

export const formatPosition = ({ seconds, nanos, count, offset }: LogPosition): string =>
  `${seconds}.${nanos}#${count}${offset === -1 ? '' : `@${offset}`}`;

/** The position in the text that `formatPosition` makes; undefined when it is anything else. */
export function parsePosition(text: string): LogPosition | undefined {
  const match = /^(\d+)\.(\d+)#(\d+)(?:@(\d+))?$/.exec(text);
  if (match === null) return undefined;
  const [, seconds, nanos, count, offset] = match;
  return {
    seconds: Number(seconds),
    nanos: Number(nanos),
    count: Number(count),
    offset: offset === undefined ? -1 : Number(offset),
  };
}
