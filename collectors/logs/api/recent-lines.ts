/**
 * Remembers the last lines that were emitted of a log that is read through the API. The daemon writes a container's two
 * streams in parallel, each line with the time at which it was read, so a line can follow a newer one. A log that is read
 * again is therefore read from a little earlier, and the lines that were emitted before are skipped.
 */

import type { LogPosition } from '../../records/records.ts';
import { compareTimes } from '../shared/line.ts';
import type { Timestamp } from '../shared/timestamp.ts';

/** How many newer lines may come before an older one. */
const MAX_LINES = 64;

export class RecentLines {
  /** Times of the last lines, in the order of the log. */
  private readonly times: Timestamp[] = [];
  /** All lines that were emitted from this time on are remembered; undefined before anything was read. */
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

  /** The newest time of a line that was emitted. */
  newestTime({ seconds, nanos }: LogPosition): Timestamp {
    return this.times.reduce((newest, time) => (compareTimes(time, newest) > 0 ? time : newest), {
      seconds,
      nanos,
    });
  }

  /**
   * From when to read again what is behind a position, and how many lines from then on were emitted before. Both are the
   * position's own where nothing was read yet, as after a restart of the agent.
   */
  resumePoint({ seconds, nanos, count }: LogPosition): { since: Timestamp; count: number } {
    const time = { seconds, nanos };
    this.since ??= time;
    const { since } = this;
    const known = this.times.filter((time) => compareTimes(time, since) >= 0);
    // More lines than are remembered can have been emitted behind a partial line.
    if (known.length === 0 || compareTimes(time, since) < 0) return { since: time, count };
    return { since, count: known.length };
  }
}

const next = ({ seconds, nanos }: Timestamp): Timestamp =>
  nanos === 999_999_999 ? { seconds: seconds + 1, nanos: 0 } : { seconds, nanos: nanos + 1 };
