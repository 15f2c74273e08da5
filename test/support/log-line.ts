import { lineAfter } from '../../collectors/logs/line.ts';
import type { LogLine } from '../../collectors/records/records.ts';

/** A line that says what it is given to say. */
export function logLine(body: Buffer | string, facts: Partial<LogLine> = {}): LogLine {
  const source = Buffer.from(body);
  const line = lineAfter({ seconds: 1_700_000_000, nanos: 0, count: 1 });
  return { ...line, source, end: source.length, ...facts };
}
