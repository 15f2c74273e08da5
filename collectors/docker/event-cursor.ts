/** How far the daemon's events were received and processed, and which of them are repeats. */

import type { DockerEvent } from '../lifecycle/docker-event.ts';
import { type UnixNano, unixNow } from '../records/records.ts';
import { BoundedMap } from '../shared/bounded-map.ts';
import { HighWaterMark } from './high-water-mark.ts';

/** How far back a request asks: the daemon can send an event after others with a later time. */
const OVERLAP: UnixNano = 1_000_000_000n;
/** How many events are remembered to recognise repeats. The daemon itself keeps 256. */
const REMEMBERED = 4096;

/** Where the time of the last processed event is kept. */
export interface EventPosition {
  load(): UnixNano | undefined;
  save(time: UnixNano): void;
}

/** Identifies an event among all that the daemon remembers. */
function keyOf({ timeNano, Type, Action, Actor }: DockerEvent): string {
  const { name = '', container = '', execID = '' } = Actor.Attributes;
  return [timeNano, Type, Action, Actor.ID, name, container, execID].join(' ');
}

export class EventCursor {
  /** Earlier events are reported already, or are before the first agent. */
  private readonly floor: UnixNano;
  private readonly processed: HighWaterMark;
  private readonly seen = new BoundedMap<string, true>(REMEMBERED);
  private lastTime: UnixNano;
  /** The last event received. A daemon that does not know it is another process. */
  private landmark: DockerEvent | undefined;

  constructor(position: EventPosition) {
    this.processed = new HighWaterMark((time) => position.save(time));
    const kept = position.load();
    this.floor = kept === undefined ? unixNow() : kept + 1n;
    // Also an agent that is killed before anything was delivered continues from here.
    if (kept === undefined) position.save(this.floor - 1n);
    this.lastTime = this.floor;
  }

  /** The time from which a new subscription asks. */
  get resumeTime(): UnixNano {
    return this.overlapping(this.lastTime);
  }

  /** The time from which the daemon's memory is read after a reconnect. */
  get landmarkTime(): UnixNano {
    return this.landmark === undefined ? 0n : BigInt(this.landmark.timeNano);
  }

  /** The time from which a request asks that is to include all events since `time`. */
  overlapping(time: UnixNano): UnixNano {
    return time - OVERLAP < this.floor ? this.floor : time - OVERLAP;
  }

  /** Whether the last event received is among these; undefined if none was received. */
  isLandmarkAmong(events: readonly DockerEvent[]): boolean | undefined {
    if (this.landmark === undefined) return undefined;
    const key = keyOf(this.landmark);
    return events.some((event) => keyOf(event) === key);
  }

  setLandmark(event: DockerEvent): void {
    this.landmark = event;
  }

  /**
   * Accepts an event that is no repeat.
   * @returns call it when the event is processed; undefined for a repeat
   */
  accept(event: DockerEvent): (() => void) | undefined {
    const key = keyOf(event);
    if (this.seen.has(key)) return undefined;
    this.seen.set(key, true);
    this.landmark = event;
    const time = BigInt(event.timeNano);
    if (time > this.lastTime) this.lastTime = time;
    return this.processed.track(time);
  }
}
