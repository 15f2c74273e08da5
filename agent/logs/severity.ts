/**
 * Severities as programs spell them, to OpenTelemetry's SeverityNumber.
 * Source: https://opentelemetry.io/docs/specs/otel/logs/data-model/#field-severitynumber and its appendix B.
 */

const BY_NAME = new Map<string, number>(
  Object.entries({
    trace: 1,
    verbose: 1,
    finest: 1,
    finer: 1,
    debug: 5,
    fine: 5,
    config: 5,
    info: 9,
    information: 9,
    informational: 9,
    notice: 10,
    warn: 13,
    warning: 13,
    err: 17,
    error: 17,
    severe: 17,
    crit: 18,
    critical: 18,
    alert: 19,
    fatal: 21,
    emerg: 21,
    emergency: 21,
    panic: 21,
    dpanic: 21,
  }),
);

/** pino and bunyan count in tens. */
const BY_TENS = [1, 1, 5, 9, 13, 17, 21];
/** syslog counts down: emergency is 0, debug is 7 (RFC 5424, table 2). */
const BY_SYSLOG = [21, 19, 18, 17, 13, 10, 9, 5];
const BY_LETTER: Readonly<Record<string, number>> = { T: 1, V: 1, D: 5, I: 9, W: 13, E: 17, F: 21, C: 18 };

/** The short names of the ranges, for what has no spelling of its own. */
export const RANGES = ['TRACE', 'DEBUG', 'INFO', 'WARN', 'ERROR', 'FATAL'] as const;

/** The number that a range begins with. */
export const numberOfRange = (name: string): number =>
  RANGES.indexOf(name.toUpperCase() as (typeof RANGES)[number]) * 4 + 1;

/** The severity that a field's value means; 0 where it means none. */
export function severityOfValue(value: unknown): number {
  if (typeof value === 'number') {
    if (value >= 10 && value <= 60) return BY_TENS[Math.floor(value / 10)]!;
    return Number.isInteger(value) && value >= 0 && value <= 7 ? BY_SYSLOG[value]! : 0;
  }
  if (typeof value !== 'string') return 0;
  if (value.length === 1) return BY_LETTER[value.toUpperCase()] ?? 0;
  if (/^\d+$/.test(value)) return severityOfValue(Number(value));
  return BY_NAME.get(value.toLowerCase()) ?? 0;
}

/** `I1124 05:43:00.582209       1 main.go:12]` */
const KLOG = /^([IWEF])\d{4} \d\d:\d\d:\d\d/;
/** `<34>1 2026-…` and `<34>Nov 24 …` */
const SYSLOG = /^<(\d{1,3})>/;
/** `[error]`, `[ERROR]`, `level=error`, `"level":"error"`, `ERROR`, `ERROR:`: in any case where it is marked. */
const MARKED = /(?:\[|\b(?:level|lvl|severity|loglevel)["']?\s*[=:]\s*["']?)\s*([a-z]{3,13})\b/i;
const WORD =
  /(?:^|[\s|(<:])(TRACE|DEBUG|INFO|NOTICE|WARN|WARNING|ERR|ERROR|SEVERE|CRIT|CRITICAL|ALERT|FATAL|EMERG|PANIC)(?=[\s:|)\]>,-]|$)/;
/** `panic: …`, with which Go programs end. */
const PANIC = /^(?:panic|fatal error): /;

/** The severity that a line of plain text begins with; 0 where it tells none. */
export function severityOfText(head: string): number {
  const klog = KLOG.exec(head)?.[1];
  if (klog !== undefined) return BY_LETTER[klog]!;
  const priority = SYSLOG.exec(head)?.[1];
  if (priority !== undefined && Number(priority) < 192) return BY_SYSLOG[Number(priority) % 8]!;
  if (PANIC.test(head)) return 21;
  const marked = BY_NAME.get(MARKED.exec(head)?.[1]?.toLowerCase() ?? '');
  if (marked !== undefined) return marked;
  return BY_NAME.get(WORD.exec(head)?.[1]?.toLowerCase() ?? '') ?? 0;
}
