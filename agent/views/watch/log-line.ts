/** A line of a container's log as it is shown to a person. */

import type { IoStream } from '../../../collectors/records/records.ts';
import { numberOfRange, severityRanges } from '../../../config/severity.ts';

export interface DisplayLine {
  /** Name of the container. */
  readonly container: string;
  /** When the daemon took it, since the Unix epoch. */
  readonly seconds: number;
  readonly nanos: number;
  readonly stream: IoStream;
  readonly text: string;
  /** SeverityNumber; 0 where it tells none. */
  readonly severity: number;
}

/** Negative where `a` was written before `b`. */
export const compareTime = (a: DisplayLine, b: DisplayLine): number =>
  a.seconds - b.seconds || a.nanos - b.nanos;

/** As the daemon writes it, with nine fractional digits. */
export const formatTime = ({ seconds, nanos }: Pick<DisplayLine, 'seconds' | 'nanos'>): string =>
  `${new Date(seconds * 1000).toISOString().slice(0, 19)}.${String(nanos).padStart(9, '0')}Z`;

/** `warn` of 13 to 16; undefined of 0. */
export const severityName = (number: number): string | undefined =>
  severityRanges.findLast((name) => numberOfRange(name) <= number)?.toLowerCase();
