/** The last events, as they were encoded; those of docker exec apart, of which health checks cause thousands. */
import { decodeRecords } from '../../agent/otlp/decode.ts';
import type { EventEntry } from './api.ts';
import { eventEntry } from './entry.ts';
import type { Question } from './question.ts';

/** Bounds of each of the two, in events and bytes. */
export const EVENTS = 2000;
export const EVENT_BYTES = 2 * 1024 * 1024;
export const EXEC_EVENTS = 500;
export const EXEC_BYTES = 256 * 1024;

const EXEC = /^docker\.container\.exec_/;

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
  private readonly exec = new Ring(EXEC_EVENTS, EXEC_BYTES);
  private sequence = 0;

  /** Bytes that are held. */
  get bytes(): number {
    return this.ring.bytes + this.exec.bytes;
  }

  /** @param record one encoded `log_records` field, to be copied */
  add(container: EventEntry['container'], record: Buffer): EventEntry | undefined {
    const [decoded] = decodeRecords(record);
    if (decoded === undefined) return undefined;
    const sequence = ++this.sequence;
    const ring = EXEC.test(decoded.eventName ?? '') ? this.exec : this.ring;
    // Not from the pool, of which each would keep 8 KiB.
    const copy = Buffer.allocUnsafeSlow(record.length);
    record.copy(copy);
    ring.add({ sequence, container, record: copy });
    return eventEntry(sequence, container, decoded);
  }

  /**
   * Oldest first.
   * @param withExec whether events of docker exec are wanted
   */
  find({ ids, since, until, severity, limit, fits }: Question, withExec: boolean): EventEntry[] {
    const all = withExec
      ? [...this.ring.kept, ...this.exec.kept].sort((a, b) => a.sequence - b.sequence)
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
