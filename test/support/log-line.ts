import { emptyLineAfter } from '../../collectors/logs/shared/line.ts';
import type { LogLine } from '../../collectors/records/records.ts';

/** A log line with the given body. */
export function logLine(body: Buffer | string, facts: Partial<LogLine> = {}): LogLine {
  const source = Buffer.from(body);
  const line = emptyLineAfter({ seconds: 1_700_000_000, nanos: 0, count: 1 });
  return { ...line, source, end: source.length, ...facts };
}
