/** Joins the lines of a container that belong to one record, such as a stack trace. */
import type { IoStream, LogLine, LogPosition } from '../../collectors/records/records.ts';
import type { LineJoining } from './multiline.ts';
import { PartialRecord } from './partial-record.ts';

export interface LineJoinerOptions {
  readonly joining: LineJoining;
  readonly maxLineBytes: number;
  /** How long a record waits for more lines. */
  readonly multilineMs: number;
  /** How far the lines were read; the reader keeps it up to date. */
  readonly position: LogPosition;
  /** Called with each complete record as one line, which is valid during the call. */
  readonly onRecord: (line: LogLine) => void;
  /** Called when a record is cut that has no cut line. */
  readonly onTruncated: () => void;
  /** Called after records have waited long enough. */
  readonly onExpired: () => void;
}

export class LineJoiner {
  private readonly options: LineJoinerOptions;
  private readonly partialRecords: Record<IoStream, PartialRecord | undefined> = {
    stdout: undefined,
    stderr: undefined,
  };
  private nextOrder = 0;
  private expiryTimer: NodeJS.Timeout | undefined;

  constructor(options: LineJoinerOptions) {
    this.options = options;
  }

  /** Adds a line to a record of several lines, or starts one. */
  addLine(line: LogLine): void {
    const { stream } = line;
    // What is not text is not part of a stack trace.
    if (!line.utf8) {
      this.finishRecord(stream);
      this.options.onRecord(line);
      return;
    }
    const { joining, maxLineBytes, multilineMs, position } = this.options;
    const record = this.partialRecords[stream];
    if (record?.accepts(line, joining, maxLineBytes) === true) record.addLine(line, maxLineBytes);
    else {
      this.finishRecord(stream);
      this.partialRecords[stream] = new PartialRecord(line, { ...position }, this.nextOrder++);
    }
    this.expiryTimer ??= setTimeout(() => this.finishExpired(), multilineMs);
  }

  /**
   * Notes that the lines so far are all there are for now.
   * @returns the position before the oldest record that waits for more lines; undefined where none waits
   */
  checkpoint(): LogPosition | undefined {
    const { stdout, stderr } = this.partialRecords;
    for (const record of [stdout, stderr]) {
      if (record?.hasGrown !== true) continue;
      record.hasGrown = false;
      record.lastLineAt = performance.now();
    }
    const waiting =
      stdout !== undefined && stderr !== undefined
        ? stdout.order < stderr.order
          ? stdout
          : stderr
        : (stdout ?? stderr);
    return waiting?.positionBefore;
  }

  /** Completes the records that wait. */
  finish(): void {
    this.finishRecord('stdout');
    this.finishRecord('stderr');
    clearTimeout(this.expiryTimer);
    this.expiryTimer = undefined;
  }

  /** Completes records that have waited long enough for more lines. */
  private finishExpired(): void {
    this.expiryTimer = undefined;
    const { multilineMs } = this.options;
    const now = performance.now();
    for (const stream of ['stdout', 'stderr'] as const) {
      const record = this.partialRecords[stream];
      if (record === undefined) continue;
      const rest = record.lastLineAt + multilineMs - now;
      if (rest <= 1) this.finishRecord(stream);
      else this.expiryTimer ??= setTimeout(() => this.finishExpired(), rest);
    }
    this.options.onExpired();
  }

  private finishRecord(stream: IoStream): void {
    const record = this.partialRecords[stream];
    if (record === undefined) return;
    this.partialRecords[stream] = undefined;
    // A cut line of the record was counted before.
    if (record.cutBytes > 0 && !record.hasCutLine) this.options.onTruncated();
    try {
      this.options.onRecord(record.toLine());
    } finally {
      record.release();
    }
  }
}
