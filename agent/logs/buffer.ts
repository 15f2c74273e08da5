/**
 * One container's lines on their way to a batch: what belongs together is joined, read, filtered, redacted and
 * encoded. A line that nothing has to be done to goes from bytes to bytes.
 */

import { stripVTControlCharacters } from 'node:util';
import { timestampOf } from '../../collectors/logs/timestamp.ts';
import type { LogSink, PositionStore } from '../../collectors/records/collector.ts';
import {
  type Container,
  type IoStream,
  type LogLine,
  type LogPosition,
  Severity,
} from '../../collectors/records/records.ts';
import type { LinearPattern } from '../../config/linear-pattern.ts';
import type { ParserName } from '../../config/log-options.ts';
import type { Writer } from '../../exporters/otlp/wire/writer.ts';
import { encodeFlatJson } from './encode-flat-json.ts';
import { encodeLine, encodeParsed, type Origin, type Prefixes, prefixesOf } from './encode-log.ts';
import { Group } from './group.ts';
import type { Joining } from './multiline.ts';
import { HEAD, mayBeStructured, type Parsed, parse } from './parse.ts';
import { TokenBucket } from './rate.ts';
import { redactValues } from './redact.ts';
import { severityOfText } from './severity.ts';
import type { Treatment } from './treatment.ts';
import { trim } from './trim.ts';
import { borrow, giveBack } from './writers.ts';

/** A container's batch is handed on at this size without waiting. */
const BATCH_BYTES = 256 * 1024;
const BRACE = 0x7b;
/** How often it is told how many lines a rate limit withheld. */
const SUMMARY_MS = 10_000;

/** Where finished batches go, and what a buffer needs of it. */
export interface Batches {
  /** `records` are encoded `log_records` fields; resolves when they need their source no longer. */
  emitLines(container: Container, records: Buffer, count: number): Promise<void>;
  /** Calls the buffer's `flush` soon. */
  linger(buffer: LogBuffer): void;
  waitForCapacity(signal: AbortSignal): Promise<void> | undefined;
  countDropped(
    container: Container,
    reason: 'filter' | 'rate_limit' | 'truncated' | 'unreadable',
    count: number,
  ): void;
  reportError(collector: string, error: unknown, container?: Container): void;
}

/** What is not UTF-8 stays as it is, byte for character, for what rules find in it. */
const encodingOf = ({ utf8 }: LogLine) => (utf8 ? 'utf8' : 'latin1');

const textOf = (line: LogLine): string => line.source.toString(encodingOf(line), line.start, line.end);

/** A line without colours and what else steers a terminal. */
function stripped(line: LogLine): LogLine {
  const source = Buffer.from(stripVTControlCharacters(textOf(line)), encodingOf(line));
  return { ...line, source, start: 0, end: source.length };
}

export interface LogBufferOptions {
  readonly container: Container;
  /** How far the lines were read; the reader keeps it up to date. */
  readonly position: LogPosition;
  /** Where it is saved once exporters have taken charge of the lines. */
  readonly positions: PositionStore;
  readonly treatment: Treatment;
  readonly batches: Batches;
}

export class LogBuffer implements LogSink {
  readonly maxLineBytes: number;
  readonly wantsFileOffset: boolean;
  private readonly container: Container;
  private readonly position: LogPosition;
  private readonly positions: PositionStore;
  private readonly treatment: Treatment;
  private readonly batches: Batches;
  /** While there are lines in it. */
  private borrowed: Writer | undefined;
  private readonly prefixes: Prefixes;
  private readonly groups: Record<IoStream, Group | undefined> = { stdout: undefined, stderr: undefined };
  private readonly bucket: TokenBucket | undefined;
  /** Whether records need to be looked at as text. */
  private readonly asText: boolean;
  private count = 0;
  /** What the lines so far cover, to be kept with their batch. */
  private reached: LogPosition | undefined;
  private underWay = 0;
  /** How many batches there have been, and up to which of them the position that was saved goes. */
  private flushed = 0;
  private saved = 0;
  private order = 0;
  private withheld = 0;
  private summary: NodeJS.Timeout | undefined;
  private timer: NodeJS.Timeout | undefined;

  constructor({ container, position, positions, treatment, batches }: LogBufferOptions) {
    this.container = container;
    this.position = position;
    this.positions = positions;
    this.treatment = treatment;
    this.maxLineBytes = treatment.maxLine;
    this.wantsFileOffset = treatment.wantsPlace;
    this.batches = batches;
    this.prefixes = prefixesOf(container.id);
    const { parser, redact, keep, drop, minSeverity, rateLimit } = treatment;
    this.bucket = rateLimit === 0 ? undefined : new TokenBucket(rateLimit, performance.now());
    this.asText =
      (parser !== 'none' && parser !== 'auto') ||
      redact !== undefined ||
      keep.length > 0 ||
      drop.length > 0 ||
      minSeverity > 0;
  }

  private get writer(): Writer {
    this.borrowed ??= borrow();
    return this.borrowed;
  }

  addLine(line: LogLine): void {
    if (line.cut > 0) {
      this.batches.countDropped(this.container, 'truncated', 1);
      trim(line);
    }
    const position = this.borrowed?.position ?? 0;
    const { count } = this;
    try {
      const { stripAnsi, joining } = this.treatment;
      const clean = stripAnsi ? stripped(line) : line;
      if (joining === undefined) this.whole(clean);
      else this.join(clean, joining);
    } catch (error) {
      // Whatever is in a line, it must not keep the next from being read.
      if (this.borrowed !== undefined) this.borrowed.position = position;
      this.count = count;
      this.batches.countDropped(this.container, 'unreadable', 1);
      this.batches.reportError('logs', error, this.container);
    }
  }

  checkpoint(): void {
    const { stdout, stderr } = this.groups;
    for (const group of [stdout, stderr]) {
      if (group?.hasGrown !== true) continue;
      group.hasGrown = false;
      group.at = performance.now();
    }
    const waiting =
      stdout !== undefined && stderr !== undefined
        ? stdout.order < stderr.order
          ? stdout
          : stderr
        : (stdout ?? stderr);
    this.reached = { ...(waiting?.before ?? this.position) };
    if ((this.borrowed?.position ?? 0) >= BATCH_BYTES) this.flush();
    else this.batches.linger(this);
  }

  waitForCapacity(signal: AbortSignal): Promise<void> | undefined {
    return this.batches.waitForCapacity(signal);
  }

  finishRecord(): void {
    this.finish('stdout');
    this.finish('stderr');
    this.sumUp();
    clearTimeout(this.timer);
    this.timer = undefined;
    this.checkpoint();
    this.flush();
  }

  flush(): void {
    const { reached, count } = this;
    this.reached = undefined;
    if (count === 0) {
      if (reached === undefined) return;
      // Lines that none is left of are done when those before are.
      if (this.underWay === 0) this.positions.save(this.container, reached);
      else this.reached = reached;
      return;
    }
    const { writer } = this;
    const records = writer.bytes();
    const number = ++this.flushed;
    this.count = 0;
    this.underWay++;
    void this.batches.emitLines(this.container, records, count).then(() => {
      this.underWay--;
      // One that is on the disk and being sent is let go of after those behind it.
      if (reached !== undefined && number > this.saved) {
        this.saved = number;
        this.positions.save(this.container, reached);
      }
      if (this.underWay === 0 && this.count === 0) this.flush();
    });
    giveBack(writer);
    this.borrowed = undefined;
  }

  private whole(line: LogLine): void {
    if (this.asText) this.text(line);
    else if (this.isAllowed()) this.bytes(line);
  }

  /** A line that nothing has to be done to but to read it, where it is in a format that is read. */
  private bytes(line: LogLine): void {
    const { source, start, end } = line;
    this.count++;
    if (this.treatment.parser === 'none' || line.malformed || !line.utf8) {
      encodeLine(this.writer, line, this.prefixes);
      return;
    }
    if (
      source[start] === BRACE &&
      this.treatment.fieldsIn === 'attributes' &&
      encodeFlatJson(this.writer, line, this.prefixes)
    )
      return;
    const head = source.toString('latin1', start, Math.min(end, start + HEAD));
    if (mayBeStructured(head)) {
      const text = source.toString('utf8', start, end);
      const { fieldsIn } = this.treatment;
      encodeParsed(this.writer, line, this.prefixes, text, parse('auto', text), fieldsIn);
    } else encodeLine(this.writer, line, this.prefixes, severityOfText(head));
  }

  private text(line: LogLine): void {
    const { redact } = this.treatment;
    const text = textOf(line);
    this.record(line, redact === undefined ? text : redact(text), line.utf8);
  }

  /** A line that may be a part of a record. */
  private join(line: LogLine, joining: Joining): void {
    const { stream } = line;
    // What is not text belongs to no stack trace.
    if (!line.utf8) {
      this.finish(stream);
      this.whole(line);
      return;
    }
    const { maxLine, multilineMs } = this.treatment;
    const group = this.groups[stream];
    if (group?.takes(line, joining, maxLine) === true) group.add(line, maxLine);
    else {
      this.finish(stream);
      this.groups[stream] = new Group(line, { ...this.position }, this.order++);
    }
    this.timer ??= setTimeout(() => this.expire(), multilineMs);
  }

  /** Records that have waited long enough are whole. */
  private expire(): void {
    this.timer = undefined;
    const { multilineMs } = this.treatment;
    const now = performance.now();
    for (const stream of ['stdout', 'stderr'] as const) {
      const group = this.groups[stream];
      if (group === undefined) continue;
      const rest = group.at + multilineMs - now;
      if (rest <= 1) this.finish(stream);
      else this.timer ??= setTimeout(() => this.expire(), rest);
    }
    this.checkpoint();
  }

  private finish(stream: IoStream): void {
    const group = this.groups[stream];
    if (group === undefined) return;
    this.groups[stream] = undefined;
    // That a line of it was cut is counted already.
    if (group.leftOut > 0 && !group.hasCutLine) this.batches.countDropped(this.container, 'truncated', 1);
    try {
      this.whole(group.asLine());
    } finally {
      group.release();
    }
  }

  private record(origin: Origin, text: string, utf8: boolean): void {
    const { keep, drop, minSeverity, parser, fieldsIn } = this.treatment;
    const fits = (rule: LinearPattern) => rule.test(text);
    if ((keep.length > 0 && !keep.some(fits)) || drop.some(fits)) {
      this.batches.countDropped(this.container, 'filter', 1);
      return;
    }
    const parsed = this.parsed(origin.malformed || !utf8 ? 'none' : parser, text);
    if (parsed !== undefined && parsed.severity > 0 && parsed.severity < minSeverity) {
      this.batches.countDropped(this.container, 'filter', 1);
      return;
    }
    if (!this.isAllowed()) return;
    this.count++;
    if (utf8) encodeParsed(this.writer, origin, this.prefixes, text, parsed, fieldsIn);
    else {
      const source = Buffer.from(text, 'latin1');
      encodeLine(this.writer, { ...origin, source, start: 0, end: source.length, utf8 }, this.prefixes);
    }
  }

  /** What is in a record; what was escaped in it is redacted once it is not. */
  private parsed(parser: ParserName, text: string): Parsed | undefined {
    const parsed = parse(parser, text);
    const { redact } = this.treatment;
    if (parsed === undefined || redact === undefined || !parsed.isStructured) return parsed;
    return {
      ...parsed,
      message: parsed.message === undefined ? undefined : redact(parsed.message),
      fields: redactValues(parsed.fields, redact) as Parsed['fields'],
    };
  }

  private isAllowed(): boolean {
    if (this.bucket === undefined) return true;
    const now = performance.now();
    const allowed = this.bucket.take(now);
    if (!allowed) {
      this.withheld++;
      this.batches.countDropped(this.container, 'rate_limit', 1);
      this.summary ??= setTimeout(() => {
        this.sumUp();
        this.checkpoint();
      }, SUMMARY_MS).unref();
    }
    return allowed;
  }

  /** One record for all that a rate limit withheld. */
  private sumUp(): void {
    clearTimeout(this.summary);
    this.summary = undefined;
    if (this.withheld === 0) return;
    const text = `${this.withheld} lines were withheld: more than ${this.treatment.rateLimit} a second`;
    const parsed = {
      message: text,
      messageName: undefined,
      severity: Severity.WARN,
      severityText: 'WARN',
      time: undefined,
      traceId: undefined,
      spanId: undefined,
      isStructured: true,
      fields: { 'portlight.log.withheld': this.withheld },
    };
    const origin: Origin = {
      ...timestampOf(Date.now()),
      count: 1,
      stream: 'stderr',
      cut: 0,
      malformed: false,
      ordinal: 0,
      path: '',
      offset: 0,
    };
    this.withheld = 0;
    this.count++;
    encodeParsed(this.writer, origin, this.prefixes, text, parsed, 'attributes');
  }
}
