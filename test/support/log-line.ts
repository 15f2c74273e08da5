import type { LogLine } from '../../agent/records.ts';

/** A line that says what it is given to say. */
export function logLine(body: Buffer | string, facts: Partial<LogLine> = {}): LogLine {
  const source = Buffer.from(body);
  return {
    seconds: 1_700_000_000,
    nanos: 0,
    count: 1,
    stream: 'stdout',
    source,
    start: 0,
    end: source.length,
    cut: 0,
    utf8: false,
    malformed: false,
    ordinal: 0,
    path: '',
    offset: 0,
    ...facts,
  };
}
