/**
 * Collects one container's lines into batches: joins, redacts, filters, parses and encodes them. A line that needs none of
 * it is copied from bytes to bytes.
 */

import { stripVTControlCharacters } from 'node:util';
import type { LogSink, PositionStore } from '../../collectors/records/collector.ts';
import type { Container, LogLine, LogPosition } from '../../collectors/records/records.ts';
import type { LinearPattern } from '../../config/linear-pattern.ts';
import type { ParserName } from '../../config/log-options.ts';
import type { Writer } from '../../exporters/otlp/wire/writer.ts';
import { trimPartialCharacter } from './cut-line.ts';
import { encodeFlatJson } from './encode-flat-json.ts';
import {
  type AttributePrefixes,
  attributePrefixes,
  encodeLine,
  encodeParsed,
  type RecordOrigin,
} from './encode-log.ts';
import { LineJoiner } from './line-joiner.ts';
import { LineRateLimit } from './line-rate-limit.ts';
import type { LogProcessing } from './log-processing.ts';
import { FORMAT_HEAD_CHARACTERS, mayBeStructured, type ParsedLine, parseLine } from './parse.ts';
import { redactValues } from './redact.ts';
import { severityOfText } from './severity.ts';
import { borrowWriter, returnWriter } from './writer-pool.ts';

/** A container's batch of this size is exported without waiting for more. */
const BATCH_BYTES = 256 * 1024;
const BRACE = 0x7b;

/** Where finished batches go. */
export interface LogBatchSink {
  /**
   * Exports encoded `log_records` fields. Resolves when exporters no longer need the source of the records; never rejects.
   */
  emitLogRecords(container: Container, records: Buffer, count: number): Promise<void>;
  /** Calls the buffer's `flush` soon. */
  flushSoon(buffer: LogBuffer): void;
  waitForCapacity(signal: AbortSignal): Promise<void> | undefined;
  countDropped(
    container: Container,
    reason: 'filter' | 'rate_limit' | 'truncated' | 'unreadable',
    count: number,
  ): void;
  reportError(collector: string, error: unknown, container?: Container): void;
}

/** What is not UTF-8 becomes one character per byte, so that rules can still match it. */
const lineEncoding = ({ utf8 }: LogLine) => (utf8 ? 'utf8' : 'latin1');

const lineText = (line: LogLine): string => line.source.toString(lineEncoding(line), line.start, line.end);

/** A copy of the line without colours and other terminal control sequences. */
function stripControlSequences(line: LogLine): LogLine {
  const source = Buffer.from(stripVTControlCharacters(lineText(line)), lineEncoding(line));
  return { ...line, source, start: 0, end: source.length };
}

export interface LogBufferOptions {
  readonly container: Container;
  /** How far the lines were read; the reader keeps it up to date. */
  readonly position: LogPosition;
  /** Where the position is saved once the exporters have acknowledged the lines. */
  readonly positions: PositionStore;
  readonly processing: LogProcessing;
  readonly batches: LogBatchSink;
}

export class LogBuffer implements LogSink {
  readonly maxLineBytes: number;
  readonly wantsFileOffset: boolean;
  private readonly container: Container;
  private readonly position: LogPosition;
  private readonly positions: PositionStore;
  private readonly processing: LogProcessing;
  private readonly batches: LogBatchSink;
  /** Borrowed while the batch has lines. */
  private borrowedWriter: Writer | undefined;
  private readonly prefixes: AttributePrefixes;
  private readonly joiner: LineJoiner | undefined;
  private readonly rateLimit: LineRateLimit | undefined;
  /** Whether records have to be decoded as text. */
  private readonly needsText: boolean;
  private count = 0;
  /** The position that the lines so far cover. It is saved after their batch. */
  private unsavedPosition: LogPosition | undefined;
  private batchesInFlight = 0;
  /** Number of the last batch, and of the batch up to which the position is saved. */
  private lastBatch = 0;
  private lastSavedBatch = 0;

  constructor({ container, position, positions, processing, batches }: LogBufferOptions) {
    this.container = container;
    this.position = position;
    this.positions = positions;
    this.processing = processing;
    this.maxLineBytes = processing.maxLineBytes;
    this.wantsFileOffset = processing.wantsFileOffset;
    this.batches = batches;
    this.prefixes = attributePrefixes(container.id);
    const { parser, redact, keep, drop, minSeverity, linesPerSecond, lineJoining } = processing;
    if (lineJoining !== undefined)
      this.joiner = new LineJoiner({
        joining: lineJoining,
        maxLineBytes: processing.maxLineBytes,
        multilineMs: processing.multilineMs,
        position,
        onRecord: (line) => this.encodeWhole(line),
        onTruncated: () => batches.countDropped(container, 'truncated', 1),
        onExpired: () => this.checkpoint(),
      });
    if (linesPerSecond !== 0)
      this.rateLimit = new LineRateLimit(linesPerSecond, () => {
        this.emitWithheldSummary();
        this.checkpoint();
      });
    this.needsText =
      (parser !== 'none' && parser !== 'auto') ||
      redact !== undefined ||
      keep.length > 0 ||
      drop.length > 0 ||
      minSeverity > 0;
  }

  private get writer(): Writer {
    this.borrowedWriter ??= borrowWriter();
    return this.borrowedWriter;
  }

  addLine(line: LogLine): void {
    if (line.cut > 0) {
      this.batches.countDropped(this.container, 'truncated', 1);
      trimPartialCharacter(line);
    }
    const position = this.borrowedWriter?.position ?? 0;
    const { count } = this;
    try {
      const clean = this.processing.stripAnsi ? stripControlSequences(line) : line;
      if (this.joiner === undefined) this.encodeWhole(clean);
      else this.joiner.addLine(clean);
    } catch (error) {
      // No content of a line may stop the lines after it.
      if (this.borrowedWriter !== undefined) this.borrowedWriter.position = position;
      this.count = count;
      this.batches.countDropped(this.container, 'unreadable', 1);
      this.batches.reportError('logs', error, this.container);
    }
  }

  checkpoint(): void {
    this.unsavedPosition = { ...(this.joiner?.checkpoint() ?? this.position) };
    if ((this.borrowedWriter?.position ?? 0) >= BATCH_BYTES) this.flush();
    else this.batches.flushSoon(this);
  }

  waitForCapacity(signal: AbortSignal): Promise<void> | undefined {
    return this.batches.waitForCapacity(signal);
  }

  finishRecord(): void {
    this.joiner?.finish();
    this.emitWithheldSummary();
    this.checkpoint();
    this.flush();
  }

  flush(): void {
    const { unsavedPosition: position, count } = this;
    this.unsavedPosition = undefined;
    if (count === 0) {
      if (position === undefined) return;
      // All lines were dropped: they are done when the batches before them are.
      if (this.batchesInFlight === 0) this.positions.save(this.container, position);
      else this.unsavedPosition = position;
      return;
    }
    const { writer } = this;
    const records = writer.bytes();
    const number = ++this.lastBatch;
    this.count = 0;
    this.batchesInFlight++;
    void this.batches.emitLogRecords(this.container, records, count).then(() => {
      this.batchesInFlight--;
      // A spool keeps batches on disk in order, but may acknowledge one that is being sent after later ones. The later
      // position covers it, and the position must not move back.
      if (position !== undefined && number > this.lastSavedBatch) {
        this.lastSavedBatch = number;
        this.positions.save(this.container, position);
      }
      if (this.batchesInFlight === 0 && this.count === 0) this.flush();
    });
    returnWriter(writer);
    this.borrowedWriter = undefined;
  }

  private encodeWhole(line: LogLine): void {
    if (this.needsText) this.encodeText(line);
    else if (this.isAllowed()) this.encodeBytes(line);
  }

  /** Encodes a line from its bytes; parses it if it is in a known format. */
  private encodeBytes(line: LogLine): void {
    const { source, start, end } = line;
    this.count++;
    if (this.processing.parser === 'none' || line.malformed || !line.utf8) {
      encodeLine(this.writer, line, this.prefixes);
      return;
    }
    if (
      source[start] === BRACE &&
      this.processing.fieldsTarget === 'attributes' &&
      encodeFlatJson(this.writer, line, this.prefixes)
    )
      return;
    const head = source.toString('latin1', start, Math.min(end, start + FORMAT_HEAD_CHARACTERS));
    if (mayBeStructured(head)) {
      const text = source.toString('utf8', start, end);
      const { fieldsTarget } = this.processing;
      encodeParsed(this.writer, line, this.prefixes, text, parseLine('auto', text), fieldsTarget);
    } else encodeLine(this.writer, line, this.prefixes, severityOfText(head));
  }

  private encodeText(line: LogLine): void {
    const { redact } = this.processing;
    const text = lineText(line);
    this.filterAndEncode(line, redact === undefined ? text : redact(text), line.utf8);
  }

  private filterAndEncode(origin: RecordOrigin, text: string, utf8: boolean): void {
    const { keep, drop, minSeverity, parser, fieldsTarget } = this.processing;
    const matches = (pattern: LinearPattern) => pattern.test(text);
    if ((keep.length > 0 && !keep.some(matches)) || drop.some(matches)) {
      this.batches.countDropped(this.container, 'filter', 1);
      return;
    }
    const parsed = this.parseAndRedact(origin.malformed || !utf8 ? 'none' : parser, text);
    if (parsed !== undefined && parsed.severity > 0 && parsed.severity < minSeverity) {
      this.batches.countDropped(this.container, 'filter', 1);
      return;
    }
    if (!this.isAllowed()) return;
    this.count++;
    if (utf8) encodeParsed(this.writer, origin, this.prefixes, text, parsed, fieldsTarget);
    else {
      const source = Buffer.from(text, 'latin1');
      encodeLine(this.writer, { ...origin, source, start: 0, end: source.length, utf8 }, this.prefixes);
    }
  }

  /** Parses a record. Redacts its fields again, because secrets can be escaped in the text. */
  private parseAndRedact(parser: ParserName, text: string): ParsedLine | undefined {
    const parsed = parseLine(parser, text);
    const { redact } = this.processing;
    if (parsed === undefined || redact === undefined || !parsed.isStructured) return parsed;
    return {
      ...parsed,
      message: parsed.message === undefined ? undefined : redact(parsed.message),
      fields: redactValues(parsed.fields, redact) as ParsedLine['fields'],
    };
  }

  private isAllowed(): boolean {
    if (this.rateLimit === undefined || this.rateLimit.tryConsume()) return true;
    this.batches.countDropped(this.container, 'rate_limit', 1);
    return false;
  }

  private emitWithheldSummary(): void {
    if (this.rateLimit?.hasWithheld !== true) return;
    this.count++;
    this.rateLimit.encodeSummary(this.writer, this.prefixes);
  }
}
