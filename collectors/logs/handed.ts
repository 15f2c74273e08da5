/**
 * What was handed over last of a log that is read through the API. The daemon writes a container's two streams
 * side by side, each line with the time at which it was read: one that was overtaken stands behind a newer one.
 * A log that is read again is therefore read from a little earlier on, and what was handed over is passed over.
 */
import type { Timestamp } from '../../agent/logs/timestamp.ts';
import type { LogPosition } from '../../agent/records.ts';
import { compareTimes } from './line.ts';

/** How many lines may overtake one. */
const REMEMBERED = 64;

export class Handed {
  /** Of the last lines, in the order in which they stand in the log. */
  private readonly times: Timestamp[] = [];
  /** The newest of those that are forgotten. */
  private forgotten: Timestamp = { seconds: -1, nanos: 0 };

  get isEmpty(): boolean {
    return this.times.length === 0;
  }

  add({ seconds, nanos }: Readonly<Timestamp>): void {
    this.times.push({ seconds, nanos });
    if (this.times.length <= REMEMBERED) return;
    const oldest = this.times.shift()!;
    if (compareTimes(oldest, this.forgotten) > 0) this.forgotten = oldest;
  }

  /** The newest time of a line that was handed over: behind it, nothing was. */
  newest(position: LogPosition): Timestamp {
    return this.times.reduce((newest, time) => (compareTimes(time, newest) > 0 ? time : newest), {
      seconds: position.seconds,
      nanos: position.nanos,
    });
  }

  /**
   * From when on to read again what lies behind a position, and how many lines from then on were handed over:
   * the position's own where none is remembered, as after a restart of the agent.
   */
  resume(position: LogPosition): { since: Timestamp; count: number } {
    const isKnown = (time: Timestamp) => compareTimes(time, this.forgotten) > 0;
    const own = { seconds: position.seconds, nanos: position.nanos };
    const known = this.times.filter(isKnown);
    if (known.length === 0 || !isKnown(own)) return { since: own, count: position.count };
    const since = known.reduce((first, time) => (compareTimes(time, first) < 0 ? time : first), own);
    return { since, count: known.length };
  }
}
