/**
 * The last events, still encoded. Routine events are kept separately, so that they do not evict the others: those of
 * docker exec, of which health checks cause thousands, and the inventory that the agent finds at start.
 */
import { isRoutineEvent } from '../../collectors/records/event-kinds.ts';
import { decodeRecords, type JsonLogRecord } from '../otlp/wire/decode.ts';
import type { EventEntry } from './api.ts';
import { toEventEntry } from './decode-entries.ts';
import type { RecordFilter } from './record-filter.ts';

/** Limits of both rings, in events and bytes. */
export const MAX_STORED_EVENTS = 2000;
export const MAX_EVENT_BYTES = 2 * 1024 * 1024;
export const MAX_ROUTINE_EVENTS = 500;
export const MAX_ROUTINE_BYTES = 256 * 1024;

const isRoutine = ({ eventName = '', attributes = [] }: JsonLogRecord): boolean =>
  isRoutineEvent(
    eventName,
    attributes.find(({ key }) => key === 'portlight.inventory.change')?.value.stringValue,
  );

interface StoredEvent {
  readonly sequence: number;
  readonly container: EventEntry['container'];
  readonly record: Buffer;
}

class EventRing {
  readonly events: StoredEvent[] = [];
  bytes = 0;
  private readonly maxEvents: number;
  private readonly maxBytes: number;

  constructor(maxEvents: number, maxBytes: number) {
    this.maxEvents = maxEvents;
    this.maxBytes = maxBytes;
  }

  add(event: StoredEvent): void {
    this.events.push(event);
    this.bytes += event.record.length;
    let from = 0;
    while (
      this.events.length - from > this.maxEvents ||
      (this.bytes > this.maxBytes && from < this.events.length)
    )
      this.bytes -= this.events[from++]!.record.length;
    if (from > 0) this.events.splice(0, from);
  }
}

export class EventStore {
  private readonly events = new EventRing(MAX_STORED_EVENTS, MAX_EVENT_BYTES);
  private readonly routine = new EventRing(MAX_ROUTINE_EVENTS, MAX_ROUTINE_BYTES);
  private sequence = 0;

  /** Bytes in use. */
  get bytes(): number {
    return this.events.bytes + this.routine.bytes;
  }

  /** @param record one encoded `log_records` field; copied */
  add(container: EventEntry['container'], record: Buffer): EventEntry | undefined {
    const [decoded] = decodeRecords(record);
    if (decoded === undefined) return undefined;
    const sequence = ++this.sequence;
    const ring = isRoutine(decoded) ? this.routine : this.events;
    // Not from Node's buffer pool: a small event would keep 8 KiB of it alive.
    const copy = Buffer.allocUnsafeSlow(record.length);
    record.copy(copy);
    ring.add({ sequence, container, record: copy });
    return toEventEntry(sequence, container, decoded);
  }

  /**
   * Oldest first.
   * @param includeRoutine whether routine events are wanted
   */
  find({ ids, since, until, severity, limit, matches }: RecordFilter, includeRoutine: boolean): EventEntry[] {
    const all = includeRoutine
      ? [...this.events.events, ...this.routine.events].sort((a, b) => a.sequence - b.sequence)
      : this.events.events;
    const found: EventEntry[] = [];
    for (let index = all.length - 1; index >= 0 && found.length < limit; index--) {
      const { sequence, container, record } = all[index]!;
      if (ids !== undefined && (container === null || !ids.has(container.id))) continue;
      const entry = toEventEntry(sequence, container, decodeRecords(record)[0]!);
      const { time } = entry;
      if (time < since || time > until || entry.severity < severity) continue;
      if (matches(`${entry.name} ${entry.body}`)) found.push(entry);
    }
    return found.reverse();
  }
}
