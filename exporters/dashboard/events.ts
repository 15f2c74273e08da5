/**
 * The last events, as they were encoded. Apart are those of docker exec, of which health checks cause thousands, and what
 * the agent found when it began.
 */
import { decodeRecords, type JsonLogRecord } from '../otlp/wire/decode.ts';
import type { EventEntry } from './api.ts';
import { eventEntry } from './entry.ts';
import type { Question } from './question.ts';

/** Bounds of each of the two, in events and bytes. */
export const EVENTS = 2000;
export const EVENT_BYTES = 2 * 1024 * 1024;
export const QUIET_EVENTS = 500;
export const QUIET_BYTES = 256 * 1024;

const EXEC = /^docker\.container\.exec_/;

const isQuiet = ({ eventName = '', attributes = [] }: JsonLogRecord): boolean =>
  EXEC.test(eventName) ||
  attributes.some(({ key, value }) => key === 'portlight.inventory.change' && value.stringValue === 'found');

interface Kept {
  readonly sequence: number;
  readonly container: EventEntry['container'];
  readonly record: Buffer;
}

class Ring {
  readonly kept: Kept[] = [];
  bytes = 0;
  private readonly most: number;
  private readonly mostBytes: number;

  constructor(most: number, mostBytes: number) {
    this.most = most;
    this.mostBytes = mostBytes;
  }

  add(kept: Kept): void {
    this.kept.push(kept);
    this.bytes += kept.record.length;
    let from = 0;
    while (this.kept.length - from > this.most || (this.bytes > this.mostBytes && from < this.kept.length))
      this.bytes -= this.kept[from++]!.record.length;
    if (from > 0) this.kept.splice(0, from);
  }
}

export class EventStore {
  private readonly ring = new Ring(EVENTS, EVENT_BYTES);
  private readonly quiet = new Ring(QUIET_EVENTS, QUIET_BYTES);
  private sequence = 0;

  /** Bytes that are held. */
  get bytes(): number {
    return this.ring.bytes + this.quiet.bytes;
  }

  /** @param record one encoded `log_records` field, to be copied */
  add(container: EventEntry['container'], record: Buffer): EventEntry | undefined {
    const [decoded] = decodeRecords(record);
    if (decoded === undefined) return undefined;
    const sequence = ++this.sequence;
    const ring = isQuiet(decoded) ? this.quiet : this.ring;
    // Not from the pool, of which each would keep 8 KiB.
    const copy = Buffer.allocUnsafeSlow(record.length);
    record.copy(copy);
    ring.add({ sequence, container, record: copy });
    return eventEntry(sequence, container, decoded);
  }

  /**
   * Oldest first.
   * @param withQuiet whether those that stand apart are wanted
   */
  find({ ids, since, until, severity, limit, fits }: Question, withQuiet: boolean): EventEntry[] {
    const all = withQuiet
      ? [...this.ring.kept, ...this.quiet.kept].sort((a, b) => a.sequence - b.sequence)
      : this.ring.kept;
    const found: EventEntry[] = [];
    for (let index = all.length - 1; index >= 0 && found.length < limit; index--) {
      const { sequence, container, record } = all[index]!;
      if (ids !== undefined && (container === null || !ids.has(container.id))) continue;
      const entry = eventEntry(sequence, container, decodeRecords(record)[0]!);
      const { time } = entry;
      if (time < since || time > until || entry.severity < severity) continue;
      if (fits(`${entry.name} ${entry.body}`)) found.push(entry);
    }
    return found.reverse();
  }
}
