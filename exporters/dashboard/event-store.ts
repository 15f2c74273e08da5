/**
 * The last events, as they were encoded. Apart are those of docker exec, of which health checks cause thousands, and what
 * the agent found when it began.
 */
import { decodeRecords, type JsonLogRecord } from '../otlp/wire/decode.ts';
import type { EventEntry } from './api.ts';
import { toEventEntry } from './decode-entries.ts';
import type { RecordFilter } from './record-filter.ts';

/** Bounds of each of the two, in events and bytes. */
export const MAX_EVENTS = 2000;
export const MAX_EVENT_BYTES = 2 * 1024 * 1024;
export const MAX_ROUTINE_EVENTS = 500;
export const MAX_ROUTINE_BYTES = 256 * 1024;

const EXEC = /^docker\.container\.exec_/;

const isRoutine = ({ eventName = '', attributes = [] }: JsonLogRecord): boolean =>
  EXEC.test(eventName) ||
  attributes.some(({ key, value }) => key === 'portlight.inventory.change' && value.stringValue === 'found');

interface StoredEvent {
  readonly sequence: number;
  readonly container: EventEntry['container'];
  readonly record: Buffer;
}

class Ring {
  readonly kept: StoredEvent[] = [];
  bytes = 0;
  private readonly most: number;
  private readonly mostBytes: number;

  constructor(most: number, mostBytes: number) {
    this.most = most;
    this.mostBytes = mostBytes;
  }

  add(kept: StoredEvent): void {
    this.kept.push(kept);
    this.bytes += kept.record.length;
    let from = 0;
    while (this.kept.length - from > this.most || (this.bytes > this.mostBytes && from < this.kept.length))
      this.bytes -= this.kept[from++]!.record.length;
    if (from > 0) this.kept.splice(0, from);
  }
}

export class EventStore {
  private readonly events = new Ring(MAX_EVENTS, MAX_EVENT_BYTES);
  private readonly routine = new Ring(MAX_ROUTINE_EVENTS, MAX_ROUTINE_BYTES);
  private sequence = 0;

  /** Bytes that are held. */
  get bytes(): number {
    return this.events.bytes + this.routine.bytes;
  }

  /** @param record one encoded `log_records` field, to be copied */
  add(container: EventEntry['container'], record: Buffer): EventEntry | undefined {
    const [decoded] = decodeRecords(record);
    if (decoded === undefined) return undefined;
    const sequence = ++this.sequence;
    const ring = isRoutine(decoded) ? this.routine : this.events;
    // Not from the pool, of which each would keep 8 KiB.
    const copy = Buffer.allocUnsafeSlow(record.length);
    record.copy(copy);
    ring.add({ sequence, container, record: copy });
    return toEventEntry(sequence, container, decoded);
  }

  /**
   * Oldest first.
   * @param withQuiet whether those that stand apart are wanted
   */
  find(
    { ids, since, until, severity, limit, matches: fits }: RecordFilter,
    withQuiet: boolean,
  ): EventEntry[] {
    const all = withQuiet
      ? [...this.events.kept, ...this.routine.kept].sort((a, b) => a.sequence - b.sequence)
      : this.events.kept;
    const found: EventEntry[] = [];
    for (let index = all.length - 1; index >= 0 && found.length < limit; index--) {
      const { sequence, container, record } = all[index]!;
      if (ids !== undefined && (container === null || !ids.has(container.id))) continue;
      const entry = toEventEntry(sequence, container, decodeRecords(record)[0]!);
      const { time } = entry;
      if (time < since || time > until || entry.severity < severity) continue;
      if (fits(`${entry.name} ${entry.body}`)) found.push(entry);
    }
    return found.reverse();
  }
}
