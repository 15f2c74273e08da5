import type { Timestamp } from '../../collectors/logs/shared/timestamp.ts';
import type { ParserName } from '../../config/log-options.ts';
/** What a line says in a format that many programs write: JSON objects, logfmt, or a level in plain text. */
import { FIELD_ROLES } from './field-roles.ts';
import { severityOfText, severityOfValue } from './severity.ts';

/** What was found in a line. */
export interface ParsedLine {
  /** The message, where it is a field; else the whole line is. */
  readonly message: string | undefined;
  /** The name of its field. */
  readonly messageName: string | undefined;
  /** SeverityNumber; 0 where none is told. */
  readonly severity: number;
  /** As it was spelt. */
  readonly severityText: string | undefined;
  /** When the program wrote it, since the Unix epoch. */
  readonly time: Timestamp | undefined;
  /** Hexadecimal digits, 32. */
  readonly traceId: string | undefined;
  /** Hexadecimal digits, 16. */
  readonly spanId: string | undefined;
  /** Whether the line was fields, and not text with a level. */
  readonly isStructured: boolean;
  /** The other fields. */
  readonly fields: Readonly<Record<string, unknown>>;
}

const BRACE = 0x7b;
const NO_FIELDS = {};
const ISO = /^(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d:\d\d)(?:[.,](\d{1,9})\d*)?\s*(Z|[+-]\d\d:?\d\d)?$/;
/** `00-<trace id>-<span id>-<flags>`: https://www.w3.org/TR/trace-context/ */
const TRACEPARENT = /^[\da-f]{2}-([\da-f]{32})-([\da-f]{16})-[\da-f]{2}$/;

/** What 64 bits hold of nanoseconds, in milliseconds. */
const MOST_MS = 2 ** 64 / 1e6;

/** A time as programs write it; a number is in seconds, or in the thousandth parts that its size tells of. */
export function parseTime(value: unknown): Timestamp | undefined {
  if (typeof value === 'number') {
    if (!(value > 1e8 && value < 1.8e19)) return undefined;
    const perSecond = value < 1e11 ? 1 : value < 1e14 ? 1e3 : value < 1e17 ? 1e6 : 1e9;
    const seconds = Math.floor(value / perSecond);
    const rest = value - seconds * perSecond;
    // No double tells less than a microsecond of a time of today.
    return { seconds, nanos: Math.floor((rest * 1e6) / perSecond + 1e-3) * 1000 };
  }
  if (typeof value !== 'string') return undefined;
  const match = ISO.exec(value);
  if (match === null) return undefined;
  const [, date, time, fraction = '', zone = 'Z'] = match;
  const milliseconds = Date.parse(`${date}T${time}${zone}`);
  if (!(milliseconds >= 0 && milliseconds < MOST_MS)) return undefined;
  return { seconds: milliseconds / 1000, nanos: Number(fraction.padEnd(9, '0')) };
}

const isHexId = (value: unknown, digits: number): value is string =>
  typeof value === 'string' && value.length === digits && /^[\da-f]+$/i.test(value) && !/^0+$/.test(value);

/** Sorts the fields of a record by what they say. */
function assignRoles(record: Readonly<Record<string, unknown>>): ParsedLine {
  let message: string | undefined;
  let messageName: string | undefined;
  let severity = 0;
  let severityText: string | undefined;
  let time: Timestamp | undefined;
  let traceId: string | undefined;
  let spanId: string | undefined;
  // Without a prototype, `__proto__` is a field as any other.
  const fields: Record<string, unknown> = Object.create(null);
  for (const key in record) {
    const value = record[key];
    switch (FIELD_ROLES.get(key)) {
      case 'message':
        if (message === undefined && typeof value === 'string') {
          message = value;
          messageName = key;
          continue;
        }
        break;
      case 'level': {
        const known = severity === 0 ? severityOfValue(value) : 0;
        if (known !== 0) {
          severity = known;
          severityText = String(value);
          continue;
        }
        break;
      }
      case 'time': {
        const known = time === undefined ? parseTime(value) : undefined;
        if (known !== undefined) {
          time = known;
          continue;
        }
        break;
      }
      case 'trace':
        if (traceId === undefined && isHexId(value, 32)) {
          traceId = value;
          continue;
        }
        break;
      case 'span':
        if (spanId === undefined && isHexId(value, 16)) {
          spanId = value;
          continue;
        }
        break;
      case 'parent': {
        const match = typeof value === 'string' ? TRACEPARENT.exec(value) : null;
        if (match !== null && traceId === undefined && !/^0+$/.test(match[1]!)) {
          traceId = match[1];
          spanId = match[2];
          continue;
        }
        break;
      }
    }
    fields[key] = value;
  }
  return {
    message,
    messageName,
    severity,
    severityText,
    time,
    traceId,
    spanId,
    isStructured: true,
    fields,
  };
}

/** Objects in objects beyond which nobody reads a record, and encoding it would exhaust the stack. */
const MAX_DEPTH = 64;

function isTooDeep(text: string): boolean {
  let depth = 0;
  let inString = false;
  for (let index = 0; index < text.length; index++) {
    const code = text.charCodeAt(index);
    if (code === 0x5c) index++;
    else if (code === 0x22) inString = !inString;
    else if (!inString && (code === 0x5b || code === 0x7b)) {
      if (++depth > MAX_DEPTH) return true;
    } else if (!inString && (code === 0x5d || code === 0x7d)) depth--;
  }
  return false;
}

/** A JSON object; undefined for anything else, and for one that is nested beyond all measure. */
export function parseJson(text: string): ParsedLine | undefined {
  if (isTooDeep(text)) return undefined;
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (value === null || typeof value !== 'object' || Array.isArray(value)) return undefined;
  return assignRoles(value as Record<string, unknown>);
}

/** `key=value`, `key="quoted value"`, `key`: https://pkg.go.dev/github.com/kr/logfmt */
const PAIR = /([^\s="]+)=(?:"((?:[^"\\]|\\.)*)"|([^\s"]*))(?=\s|$)\s*/y;

/** A line of `key=value` pairs and nothing else; undefined for anything else. */
export function parseLogfmt(text: string): ParsedLine | undefined {
  const record: Record<string, unknown> = Object.create(null);
  const trimmed = text.trimEnd();
  PAIR.lastIndex = 0;
  let end = 0;
  while (end < trimmed.length) {
    const match = PAIR.exec(trimmed);
    if (match === null) return undefined;
    const [, key = '', quoted, bare = ''] = match;
    record[key] =
      quoted === undefined
        ? bare
        : quoted.replaceAll(/\\(.)/g, (_, escaped) => (escaped === 'n' ? '\n' : escaped));
    end = PAIR.lastIndex;
  }
  return end === 0 ? undefined : assignRoles(record);
}

/** Enough of a line to tell its format and level by. */
export const FORMAT_HEAD_CHARACTERS = 160;
/** What a program that writes logfmt begins with. */
const LOOKS_LIKE_LOGFMT = /^[\w.@-]+=(?:"|\S*\s+[\w.@-]+=)/;

/** Whether a line that begins so may be JSON or logfmt. */
export const mayBeStructured = (head: string): boolean =>
  head.charCodeAt(0) === BRACE || LOOKS_LIKE_LOGFMT.test(head);

/** What a line says, read by the named parser. */
export function parseLine(parser: ParserName, text: string): ParsedLine | undefined {
  switch (parser) {
    case 'none':
      return undefined;
    case 'json':
      return parseJson(text);
    case 'logfmt':
      return parseLogfmt(text);
    case 'auto': {
      const found =
        text.charCodeAt(0) === BRACE
          ? parseJson(text)
          : LOOKS_LIKE_LOGFMT.test(text)
            ? parseLogfmt(text)
            : undefined;
      if (found !== undefined) return found;
      const severity = severityOfText(text.slice(0, FORMAT_HEAD_CHARACTERS));
      return severity === 0
        ? undefined
        : {
            message: undefined,
            messageName: undefined,
            severity,
            severityText: undefined,
            time: undefined,
            traceId: undefined,
            spanId: undefined,
            isStructured: false,
            fields: NO_FIELDS,
          };
    }
  }
}
