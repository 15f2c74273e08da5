/** The last events of each container, one line each, for the context of its alerts. */
import { isExecEvent } from '../../collectors/records/event-kinds.ts';
import { type EventRecord, isoTime, type Resource } from '../../collectors/records/records.ts';
import { BoundedMap } from '../../collectors/shared/bounded-map.ts';

/** Events kept of each container. */
const MAX_EVENTS = 20;
/** Containers whose events are kept; the one without events for longest leaves first. */
const MAX_CONTAINERS = 2000;
/** Removed containers among them: an alert about a removal can come after it. */
const MAX_REMOVED = 100;

export class LastEvents {
  private readonly lines = new BoundedMap<string, string[]>(MAX_CONTAINERS);
  private readonly removed = new BoundedMap<string, true>(MAX_REMOVED, (id) => this.lines.delete(id));

  add({ attributes }: Resource, { eventName, time, body }: EventRecord): void {
    const id = attributes['container.id'];
    if (typeof id !== 'string' || isExecEvent(eventName)) return;
    const lines = this.lines.get(id) ?? [];
    lines.push(`${isoTime(time)} ${eventName}: ${body}`);
    if (lines.length > MAX_EVENTS) lines.shift();
    this.lines.set(id, lines);
    if (eventName === 'docker.container.destroy') this.removed.set(id, true);
  }

  /** Oldest first. */
  linesOf(id: string): string[] {
    return [...(this.lines.get(id) ?? [])];
  }
}
