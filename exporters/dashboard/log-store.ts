/**
 * The last lines of each container's log, as they were encoded: a batch is copied behind the one before, and nobody
 * looks into it until somebody asks.
 */

import { TimeSlice } from '../../collectors/shared/time-slice.ts';
import { FIELDS } from '../otlp/wire/fields.ts';
import { ProtobufReader } from '../otlp/wire/reader.ts';
import { splitRecords } from '../otlp/wire/split.ts';
import type { LogEntry, Logs } from './api.ts';
import { decodeLogEntries } from './decode-entries.ts';
import type { RecordFilter } from './record-filter.ts';

/** Bounds, bytes: of one container, and of all of them together. */
export const MAX_CONTAINER_LOG_BYTES = 2 * 1024 * 1024;
export const MAX_LOG_BYTES = 12 * 1024 * 1024;
/** Segments are of powers of two, so that the room of one that is given up serves the next: the least, and the most. */
const LEAST_BYTES = 4096;
const MOST_BYTES = 512 * 1024;
/** Room that waits for its next use. */
const SPARE_BYTES = 1024 * 1024;

/** What is given up at a time. */
interface Segment {
  readonly room: Buffer;
  /** Of what holds; 0 once it is given up. */
  length: number;
  /** When something was added last, ms since the epoch: none of its lines was written later. */
  last: number;
}

interface ContainerLog {
  readonly segments: Segment[];
  bytes: number;
}

const sizeFor = (bytes: number): number =>
  bytes > MOST_BYTES ? bytes : Math.max(LEAST_BYTES, 2 ** Math.ceil(Math.log2(bytes)));

/**
 * Room for segments. What is allocated outside of the heap is freed only when V8 sees a reason to look at the heap: that
 * can be many times what is held.
 */
class BufferPool {
  private readonly spare = new Map<number, Buffer[]>();
  private spareBytes = 0;

  acquire(size: number): Buffer {
    const room = this.spare.get(size)?.pop();
    if (room === undefined) return Buffer.allocUnsafeSlow(size);
    this.spareBytes -= size;
    return room;
  }

  release(room: Buffer): void {
    const size = room.length;
    if (size > MOST_BYTES || this.spareBytes + size > SPARE_BYTES) return;
    this.spareBytes += size;
    const rooms = this.spare.get(size);
    if (rooms === undefined) this.spare.set(size, [room]);
    else rooms.push(room);
  }
}

/** Time of the first record, ms since the epoch; undefined when the bytes do not start with one that has a time. */
function firstTime(records: Buffer): number | undefined {
  const reader = new ProtobufReader(records);
  if (!reader.next()) return undefined;
  const record = reader.nested();
  // The encoders write the time first.
  return record.next() && record.field === FIELDS.LogRecord.timeUnixNano
    ? Number(records.readBigUInt64LE(record.valueStart) / 1000n) / 1000
    : undefined;
}

export class LogStore {
  private readonly kept = new Map<string, ContainerLog>();
  private readonly rooms = new BufferPool();
  private total = 0;
  private readonly onDropped: (records: number) => void;

  /** @param onDropped told of records that are too large to be kept */
  constructor(onDropped: (records: number) => void) {
    this.onDropped = onDropped;
  }

  /** Bytes that are held. */
  get bytes(): number {
    return this.total;
  }

  /**
   * @param records encoded `log_records` fields, to be copied
   * @param now ms since the epoch
   */
  add(id: string, records: Buffer, now: number): void {
    if (records.length > MAX_CONTAINER_LOG_BYTES) {
      this.addNewest(id, records, now);
      return;
    }
    let kept = this.kept.get(id);
    if (kept === undefined) {
      kept = { segments: [], bytes: 0 };
      this.kept.set(id, kept);
    }
    let segment = kept.segments.at(-1);
    if (segment === undefined || segment.length + records.length > segment.room.length) {
      const size = sizeFor(records.length);
      while (kept.bytes + size > MAX_CONTAINER_LOG_BYTES) this.evictOldestSegment(kept);
      while (this.total + size > MAX_LOG_BYTES) this.evictOldestSegment(this.largest());
      segment = { room: this.rooms.acquire(size), length: 0, last: now };
      kept.segments.push(segment);
      kept.bytes += size;
      this.total += size;
    }
    records.copy(segment.room, segment.length);
    segment.length += records.length;
    segment.last = now;
  }

  /** The container is forgotten. */
  remove(id: string): void {
    const kept = this.kept.get(id);
    while (kept !== undefined && kept.segments.length > 0) this.evictOldestSegment(kept);
    this.kept.delete(id);
  }

  /** Lets others have their turn between segments: a search goes through megabytes. */
  async find({ ids, since, until, severity, limit, matches: fits }: RecordFilter): Promise<Logs> {
    const wanted = [...this.kept].filter(([id]) => ids === undefined || ids.has(id));
    const segments = wanted
      .flatMap(([id, { segments: all }]) => all.map((segment, index) => ({ id, segment, index })))
      .filter(({ segment }) => segment.last >= since)
      .sort((a, b) => b.segment.last - a.segment.last || b.index - a.index);
    const oldest = wanted
      .flatMap(
        ([
          ,
          {
            segments: [first],
          },
        ]) => (first === undefined ? [] : (firstTime(first.room) ?? [])),
      )
      .reduce((least, time) => Math.min(least, time), Number.POSITIVE_INFINITY);
    let found: LogEntry[] = [];
    let hasMore = false;
    const slice = new TimeSlice();
    for (const { id, segment } of segments) {
      // All that is left is older than what there is enough of.
      if (found.length >= limit && segment.last < found[0]!.time) {
        hasMore = true;
        break;
      }
      const records = segment.room.subarray(0, segment.length);
      for (const entry of decodeLogEntries(id, records)) {
        const { time } = entry;
        if (time >= since && time <= until && entry.severity >= severity && fits(entry.text))
          found.push(entry);
      }
      // Of lines with one time, those behind are the newer ones: sorting keeps their order.
      found.sort((a, b) => a.time - b.time || (a.uid < b.uid ? -1 : 1));
      if (found.length > limit) {
        hasMore = true;
        found = found.slice(-limit);
      }
      if (slice.isOver) await slice.yieldToEventLoop();
    }
    return { lines: found, hasMore, oldest: Number.isFinite(oldest) ? oldest : null };
  }

  /** The newest of records that are more than a container may have. */
  private addNewest(id: string, records: Buffer, now: number): void {
    const each = splitRecords(records);
    let from = each.length;
    for (let bytes = 0; from > 0 && bytes + each[from - 1]!.length <= MAX_CONTAINER_LOG_BYTES; )
      bytes += each[--from]!.length;
    if (from > 0) this.onDropped(from);
    if (from < each.length) this.add(id, Buffer.concat(each.slice(from)), now);
  }

  private evictOldestSegment(kept: ContainerLog): void {
    const { room } = kept.segments[0]!;
    kept.segments[0]!.length = 0;
    kept.segments.shift();
    kept.bytes -= room.length;
    this.total -= room.length;
    this.rooms.release(room);
  }

  private largest(): ContainerLog {
    let largest: ContainerLog | undefined;
    for (const kept of this.kept.values())
      if (largest === undefined || kept.bytes > largest.bytes) largest = kept;
    return largest!;
  }
}
