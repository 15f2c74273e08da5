/**
 * The last lines of each container's log, still encoded. A batch is copied after the previous one; lines are decoded
 * only when they are queried.
 */

import { TimeSlice } from '../../collectors/shared/time-slice.ts';
import { FIELDS } from '../otlp/wire/fields.ts';
import { ProtobufReader } from '../otlp/wire/reader.ts';
import { splitRecords } from '../otlp/wire/split.ts';
import type { LogEntry, Logs } from './api.ts';
import { BufferPool, bufferSizeFor } from './buffer-pool.ts';
import { decodeLogEntries } from './decode-entries.ts';
import type { RecordFilter } from './record-filter.ts';

/** Limits in bytes: for one container, and for all containers together. */
export const MAX_CONTAINER_LOG_BYTES = 2 * 1024 * 1024;
export const MAX_LOG_BYTES = 12 * 1024 * 1024;
/** The unit of eviction. */
interface LogChunk {
  readonly buffer: Buffer;
  /** Bytes in use; 0 once the segment is evicted. */
  length: number;
  /** When records were added last, ms since the epoch; no line in the segment is newer. */
  lastAddedAt: number;
}

interface ContainerLog {
  readonly segments: LogChunk[];
  bytes: number;
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
  private readonly logs = new Map<string, ContainerLog>();
  private readonly pool = new BufferPool();
  private totalBytes = 0;
  private readonly onDropped: (records: number) => void;

  /** @param onDropped called with the number of records that are too large to be log */
  constructor(onDropped: (records: number) => void) {
    this.onDropped = onDropped;
  }

  /** Bytes in use. */
  get bytes(): number {
    return this.totalBytes;
  }

  /**
   * @param records encoded `log_records` fields; copied
   * @param now ms since the epoch
   */
  add(id: string, records: Buffer, now: number): void {
    if (records.length > MAX_CONTAINER_LOG_BYTES) {
      this.addNewest(id, records, now);
      return;
    }
    let log = this.logs.get(id);
    if (log === undefined) {
      log = { segments: [], bytes: 0 };
      this.logs.set(id, log);
    }
    let segment = log.segments.at(-1);
    if (segment === undefined || segment.length + records.length > segment.buffer.length) {
      const size = bufferSizeFor(records.length);
      while (log.bytes + size > MAX_CONTAINER_LOG_BYTES) this.evictOldestSegment(log);
      while (this.totalBytes + size > MAX_LOG_BYTES) this.evictOldestSegment(this.largestLog());
      segment = { buffer: this.pool.acquire(size), length: 0, lastAddedAt: now };
      log.segments.push(segment);
      log.bytes += size;
      this.totalBytes += size;
    }
    records.copy(segment.buffer, segment.length);
    segment.length += records.length;
    segment.lastAddedAt = now;
  }

  /** Removes a container's lines. */
  remove(id: string): void {
    const log = this.logs.get(id);
    while (log !== undefined && log.segments.length > 0) this.evictOldestSegment(log);
    this.logs.delete(id);
  }

  /** Finds the newest matching lines. Yields to the event loop between segments: a search reads megabytes. */
  async find({ ids, since, until, severity, limit, matches }: RecordFilter): Promise<Logs> {
    const logs = [...this.logs].filter(([id]) => ids === undefined || ids.has(id));
    const segments = logs
      .flatMap(([id, { segments: all }]) => all.map((segment, index) => ({ id, segment, index })))
      .filter(({ segment }) => segment.lastAddedAt >= since)
      .sort((a, b) => b.segment.lastAddedAt - a.segment.lastAddedAt || b.index - a.index);
    const oldest = logs
      .flatMap(
        ([
          ,
          {
            segments: [first],
          },
        ]) => (first === undefined ? [] : (firstTime(first.buffer) ?? [])),
      )
      .reduce((least, time) => Math.min(least, time), Number.POSITIVE_INFINITY);
    let found: LogEntry[] = [];
    let hasMore = false;
    const slice = new TimeSlice();
    for (const { id, segment } of segments) {
      // The limit is reached, and all remaining segments are older.
      if (found.length >= limit && segment.lastAddedAt < found[0]!.time) {
        hasMore = true;
        break;
      }
      const records = segment.buffer.subarray(0, segment.length);
      for (const entry of decodeLogEntries(id, records)) {
        const { time } = entry;
        if (time >= since && time <= until && entry.severity >= severity && matches(entry.text))
          found.push(entry);
      }
      // Lines with the same time keep the order of their uids.
      found.sort((a, b) => a.time - b.time || (a.uid < b.uid ? -1 : 1));
      if (found.length > limit) {
        hasMore = true;
        found = found.slice(-limit);
      }
      if (slice.isOver) await slice.yieldToEventLoop();
    }
    return { lines: found, hasMore, oldest: Number.isFinite(oldest) ? oldest : null };
  }

  /** Adds the newest records of a batch that is larger than a container's limit. */
  private addNewest(id: string, records: Buffer, now: number): void {
    const each = splitRecords(records);
    let from = each.length;
    for (let bytes = 0; from > 0 && bytes + each[from - 1]!.length <= MAX_CONTAINER_LOG_BYTES; )
      bytes += each[--from]!.length;
    if (from > 0) this.onDropped(from);
    if (from < each.length) this.add(id, Buffer.concat(each.slice(from)), now);
  }

  private evictOldestSegment(log: ContainerLog): void {
    const { buffer } = log.segments[0]!;
    log.segments[0]!.length = 0;
    log.segments.shift();
    log.bytes -= buffer.length;
    this.totalBytes -= buffer.length;
    this.pool.release(buffer);
  }

  private largestLog(): ContainerLog {
    let largest: ContainerLog | undefined;
    for (const log of this.logs.values())
      if (largest === undefined || log.bytes > largest.bytes) largest = log;
    return largest!;
  }
}
