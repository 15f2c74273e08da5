/**
 * What was handed over last of a log that is read through the API. The daemon writes a container's two streams
 * side by side, each line with the time at which it was read: one that was overtaken stands behind a newer one.
 * A log that is read again is therefore read from a little earlier on, and what was handed over is passed over.
 */

import type { LogPosition } from '../../records/records.ts';
import { compareTimes } from '../shared/line.ts';
import type { Timestamp } from '../shared/timestamp.ts';

/** How many lines may overtake one. */
const MAX_LINES = 64;

export class RecentLines {
  /** Of the last lines, in the order in which they stand in the log. */
  private readonly times: Timestamp[] = [];
  /** From when on all lines that were handed over are remembered; undefined before anything was read. */
  private since: Timestamp | undefined;

  get isEmpty(): boolean {
    return this.times.length === 0;
  }

  add({ seconds, nanos }: Readonly<Timestamp>): void {
    this.times.push({ seconds, nanos });
    if (this.times.length <= MAX_LINES) return;
    const after = next(this.times.shift()!);
    if (this.since === undefined || compareTimes(after, this.since) > 0) this.since = after;
  }

  /** The newest time of a line that was handed over: behind it, nothing was. */
  newestTime({ seconds, nanos }: LogPosition): Timestamp {
    return this.times.reduce((newest, time) => (compareTimes(time, newest) > 0 ? time : newest), {
      seconds,
      nanos,
    });
  }

  /**
   * From when on to read again what lies behind a position, and how many lines from then on were handed over:
   * the position's own where nothing was read yet, as after a restart of the agent.
   */
  resumePoint({ seconds, nanos, count }: LogPosition): { since: Timestamp; count: number } {
    const own = { seconds, nanos };
    this.since ??= own;
    const { since } = this;
    const known = this.times.filter((time) => compareTimes(time, since) >= 0);
    // Behind a line of which only a part has come, more can have been handed over than is remembered.
    if (known.length === 0 || compareTimes(own, since) < 0) return { since: own, count };
    return { since, count: known.length };
  }
}

const next = ({ seconds, nanos }: Timestamp): Timestamp =>
  nanos === 999_999_999 ? { seconds: seconds + 1, nanos: 0 } : { seconds, nanos: nanos + 1 };
