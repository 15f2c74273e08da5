/**
 * Maps severities as programs spell them to OpenTelemetry's SeverityNumber.
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

/** The severity of a field's value; 0 where it is not a severity. */
export function severityOfValue(value: unknown): number {
  if (typeof value === 'number') {
    if (!Number.isInteger(value)) return 0;
    if (value >= 10 && value <= 60) return BY_TENS[Math.floor(value / 10)]!;
    return value >= 0 && value <= 7 ? BY_SYSLOG[value]! : 0;
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
/** What precedes a level that is a field's value: `level=error`, `"level":"error"`, `severity: error`. */
const LEVEL_IS = /(?:level|lvl|severity)["']?\s*[=:]\s*["']?$/i;
const LONGEST_KEY = 20;
/** `panic: …`, the last output of a Go program that crashes. */
const PANIC = /^(?:panic|fatal error): /;

const isUpper = (code: number): boolean => code >= 0x41 && code <= 0x5a;
const isLetter = (code: number): boolean => isUpper(code) || (code >= 0x61 && code <= 0x7a);
/** What can precede a word: the line's start, space, `|`, `(`, `<`, `[`, `:`, `=` and quotes. */
const isOpening = (code: number): boolean =>
  code === 0x20 ||
  code === 0x7c ||
  code === 0x28 ||
  code === 0x3c ||
  code === 0x5b ||
  code === 0x3a ||
  code === 0x3d ||
  code === 0x22 ||
  code === 0x27 ||
  code === 0x09;
/** What continues a word: digits and `_`, `.`, `-`, `/`. */
const isWithinWord = (code: number): boolean =>
  (code >= 0x30 && code <= 0x39) || code === 0x5f || code === 0x2e || code === 0x2d || code === 0x2f;

/** Whether a word follows `=` or `:`, directly or after a space or a quote. */
const mayBeValue = (head: string, index: number, before: number): boolean => {
  const sign = before === 0x20 || before === 0x22 || before === 0x27 ? head.charCodeAt(index - 2) : before;
  return sign === 0x3a || sign === 0x3d;
};

/** The severity at the start of a line of plain text; 0 where there is none. */
export function severityOfText(head: string): number {
  const first = head.charCodeAt(0);
  if (first === 0x3c) {
    const priority = Number(SYSLOG.exec(head)?.[1] ?? Number.NaN);
    if (priority < 192) return BY_SYSLOG[priority % 8]!;
  } else if (isUpper(first)) {
    const klog = KLOG.exec(head)?.[1];
    if (klog !== undefined) return BY_LETTER[klog]!;
  } else if (PANIC.test(head)) return 21;
  let before = 0x20;
  for (let index = 0; index < head.length; index++) {
    const code = head.charCodeAt(index);
    if (!isLetter(code) || !isOpening(before)) {
      before = code;
      continue;
    }
    let end = index + 1;
    while (end < head.length && isLetter(head.charCodeAt(end))) end++;
    // A level is a word in capitals, or one that is marked as a level.
    const isMarked =
      (isUpper(code) && isUpper(head.charCodeAt(index + 1))) ||
      before === 0x5b ||
      (mayBeValue(head, index, before) && LEVEL_IS.test(head.slice(Math.max(0, index - LONGEST_KEY), index)));
    if (isMarked && end - index >= 3 && !(end < head.length && isWithinWord(head.charCodeAt(end)))) {
      const severity = BY_NAME.get(head.slice(index, end).toLowerCase());
      if (severity !== undefined) return severity;
    }
    before = head.charCodeAt(end - 1);
    index = end - 1;
  }
  return 0;
}
