/** What happened to each container last, a line each, for whoever wants to understand what happens now. */
import { type EventRecord, isoTime, type Resource } from '../../collectors/records/records.ts';

const MAX_EVENTS = 20;
/** Containers whose events are kept; those of which none came for longest go first. */
const MAX_CONTAINERS = 2000;
/** Of them, how many that are gone: what is to be told of an end can be told after it. */
const MAX_GONE = 100;
/** Health checks would leave room for nothing else. */
const OF_EXEC = /^docker\.container\.exec_/;

export class LastEvents {
  private readonly lines = new Map<string, string[]>();
  private readonly gone: string[] = [];

  add({ attributes }: Resource, { eventName, time, body }: EventRecord): void {
    const id = attributes['container.id'];
    if (typeof id !== 'string' || OF_EXEC.test(eventName)) return;
    const lines = this.lines.get(id) ?? [];
    lines.push(`${isoTime(time)} ${eventName}: ${body}`);
    if (lines.length > MAX_EVENTS) lines.shift();
    this.lines.delete(id);
    this.lines.set(id, lines);
    if (this.lines.size > MAX_CONTAINERS) this.lines.delete(this.lines.keys().next().value!);
    if (eventName !== 'docker.container.destroy') return;
    this.gone.push(id);
    if (this.gone.length > MAX_GONE) this.lines.delete(this.gone.shift()!);
  }

  /** Oldest first. */
  linesOf(id: string): string[] {
    return [...(this.lines.get(id) ?? [])];
  }
}
