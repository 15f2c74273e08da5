/** A log line as it is displayed. */

import type { IoStream } from '../../../collectors/records/records.ts';
import { numberOfRange, severityRanges } from '../../../config/severity.ts';

export interface DisplayLine {
  /** Name of the container. */
  readonly container: string;
  /** The daemon's time stamp, since the Unix epoch. */
  readonly seconds: number;
  readonly nanos: number;
  readonly stream: IoStream;
  readonly text: string;
  /** SeverityNumber; 0 if none was detected. */
  readonly severity: number;
}

/** Negative if `a` was written before `b`. */
export const compareTime = (a: DisplayLine, b: DisplayLine): number =>
  a.seconds - b.seconds || a.nanos - b.nanos;

/** RFC 3339 with nine fractional digits, as the daemon writes it. */
export const formatTime = ({ seconds, nanos }: Pick<DisplayLine, 'seconds' | 'nanos'>): string =>
  `${new Date(seconds * 1000).toISOString().slice(0, 19)}.${String(nanos).padStart(9, '0')}Z`;

/** `warn` for 13 to 16; undefined for 0. */
export const severityName = (number: number): string | undefined =>
  severityRanges.findLast((name) => numberOfRange(name) <= number)?.toLowerCase();
