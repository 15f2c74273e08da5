/** How far the daemon's events were received and processed, and which of them are repeats. */

import type { DockerEvent } from '../lifecycle/docker-event.ts';
import { type UnixNano, unixNow } from '../records/records.ts';
import { BoundedMap } from '../shared/bounded-map.ts';

/** How far back a request asks: the daemon can send an event after others with a later time. */
const OVERLAP: UnixNano = 1_000_000_000n;
/** How many events are remembered to recognise repeats. The daemon itself keeps 256. */
const REMEMBERED = 4096;

/** Where the time of the last processed event is kept. */
export interface EventPosition {
  load(): UnixNano | undefined;
  save(time: UnixNano): void;
}

interface PendingEvent {
  readonly time: UnixNano;
  isDone: boolean;
}

/** Identifies an event among all that the daemon remembers. */
function keyOf({ timeNano, Type, Action, Actor }: DockerEvent): string {
  const { name = '', container = '', execID = '' } = Actor.Attributes;
  return [timeNano, Type, Action, Actor.ID, name, container, execID].join(' ');
}

export class EventCursor {
  /** Earlier events are reported already, or are before the first agent. */
  private readonly floor: UnixNano;
  private readonly position: EventPosition;
  private readonly seen = new BoundedMap<string, true>(REMEMBERED);
  /** The events from the first that is not processed, in the order of their arrival. They finish in any order. */
  private readonly pending: PendingEvent[] = [];
  /** Time of the last event that is processed with all that arrived before it. */
  private processedTime: UnixNano;
  private savedTime: UnixNano;
  private lastTime: UnixNano;
  /** The last event received. A daemon that does not know it is another process. */
  private landmark: DockerEvent | undefined;

  constructor(position: EventPosition) {
    this.position = position;
    const kept = position.load();
    this.floor = kept === undefined ? unixNow() : kept + 1n;
    this.processedTime = this.floor - 1n;
    this.savedTime = this.floor - 1n;
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
    const pending = { time, isDone: false };
    this.pending.push(pending);
    if (time <= this.savedTime) this.savePosition();
    return () => {
      pending.isDone = true;
      if (this.pending[0]?.isDone === true) this.advance();
    };
  }

  private advance(): void {
    const firstOpen = this.pending.findIndex(({ isDone }) => !isDone);
    const done = this.pending.splice(0, firstOpen === -1 ? this.pending.length : firstOpen);
    for (const { time } of done) {
      // An event that came late does not lower the position. A clock that was set back does.
      const isLate = time <= this.processedTime && this.processedTime - time <= OVERLAP;
      if (!isLate) this.processedTime = time;
    }
    this.savePosition();
  }

  /** The position is below every event that is not processed: one that came late can be older than those before it. */
  private savePosition(): void {
    let time = this.processedTime;
    for (const event of this.pending) if (!event.isDone && event.time <= time) time = event.time - 1n;
    if (time === this.savedTime) return;
    this.savedTime = time;
    this.position.save(time);
  }
}
