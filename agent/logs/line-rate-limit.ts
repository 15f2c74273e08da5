/** The limit of a container's lines per second, and the record about the lines above it. */
import { timestampOf } from '../../collectors/logs/shared/timestamp.ts';
import { Severity } from '../../collectors/records/records.ts';
import type { Writer } from '../../exporters/otlp/wire/writer.ts';
import { type AttributePrefixes, encodeParsed, type RecordOrigin } from './encode-log.ts';
import { TokenBucket } from './token-bucket.ts';

/** How often the number of lines that the rate limit withheld is reported. */
const SUMMARY_MS = 10_000;

export class LineRateLimit {
  private readonly linesPerSecond: number;
  private readonly onSummaryDue: () => void;
  private readonly bucket: TokenBucket;
  private withheldCount = 0;
  private summaryTimer: NodeJS.Timeout | undefined;

  /** @param onSummaryDue called a while after a line was withheld, unless a summary was encoded before */
  constructor(linesPerSecond: number, onSummaryDue: () => void) {
    this.linesPerSecond = linesPerSecond;
    this.onSummaryDue = onSummaryDue;
    this.bucket = new TokenBucket(linesPerSecond, performance.now());
  }

  /** Whether the next line is exported. If not, the line counts as withheld. */
  tryConsume(): boolean {
    const isAllowed = this.bucket.tryConsume(performance.now());
    if (!isAllowed) {
      this.withheldCount++;
      this.summaryTimer ??= setTimeout(this.onSummaryDue, SUMMARY_MS).unref();
    }
    return isAllowed;
  }

  get hasWithheld(): boolean {
    return this.withheldCount > 0;
  }

  /** Appends one record about all lines that were withheld since the last summary. */
  encodeSummary(writer: Writer, prefixes: AttributePrefixes): void {
    const text = `${this.withheldCount} lines withheld: more than ${this.linesPerSecond} lines per second`;
    const parsed = {
      message: text,
      messageName: undefined,
      severity: Severity.WARN,
      severityText: 'WARN',
      time: undefined,
      traceId: undefined,
      spanId: undefined,
      isStructured: true,
      fields: { 'portlight.log.withheld': this.withheldCount },
    };
    const origin: RecordOrigin = {
      ...timestampOf(Date.now()),
      count: 1,
      stream: 'stderr',
      cut: 0,
      malformed: false,
      ordinal: 0,
      path: '',
      offset: 0,
    };
    clearTimeout(this.summaryTimer);
    this.summaryTimer = undefined;
    this.withheldCount = 0;
    encodeParsed(writer, origin, prefixes, text, parsed, 'attributes');
  }
}
