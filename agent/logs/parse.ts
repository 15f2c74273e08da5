/** Parses lines in formats that many programs write: JSON objects, logfmt, and plain text with a level. */
import type { Timestamp } from '../../collectors/logs/shared/timestamp.ts';
import type { ParserName } from '../../config/log-options.ts';
import { FIELD_ROLES } from './field-roles.ts';
import { severityOfText, severityOfValue } from './severity.ts';

/** The content of a line. */
export interface ParsedLine {
  /** The message, where it is a field; undefined where the whole line is the message. */
  readonly message: string | undefined;
  /** Name of the message's field. */
  readonly messageName: string | undefined;
  /** SeverityNumber; 0 where the line has none. */
  readonly severity: number;
  /** The severity as the line spells it. */
  readonly severityText: string | undefined;
  /** When the program wrote the line, since the Unix epoch. */
  readonly time: Timestamp | undefined;
  /** Hexadecimal digits, 32. */
  readonly traceId: string | undefined;
  /** Hexadecimal digits, 16. */
  readonly spanId: string | undefined;
  /** Whether the line consists of fields, and is not text with a level. */
  readonly isStructured: boolean;
  /** The other fields. */
  readonly fields: Readonly<Record<string, unknown>>;
}

const BRACE = 0x7b;
const NO_FIELDS = {};
const ISO = /^(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d:\d\d)(?:[.,](\d{1,9})\d*)?\s*(Z|[+-]\d\d:?\d\d)?$/;
/** `00-<trace id>-<span id>-<flags>`: https://www.w3.org/TR/trace-context/ */
const TRACEPARENT = /^[\da-f]{2}-([\da-f]{32})-([\da-f]{16})-[\da-f]{2}$/;

/** The last time that 64 bits of nanoseconds express, in milliseconds. */
const MOST_MS = 2 ** 64 / 1e6;

/** Parses a time as programs write it. The size of a number shows whether it is in s, ms, µs or ns. */
export function parseTime(value: unknown): Timestamp | undefined {
  if (typeof value === 'number') {
    if (!(value > 1e8 && value < 1.8e19)) return undefined;
    const perSecond = value < 1e11 ? 1 : value < 1e14 ? 1e3 : value < 1e17 ? 1e6 : 1e9;
    const seconds = Math.floor(value / perSecond);
    const rest = value - seconds * perSecond;
    // A double resolves a current time to a microsecond at best.
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

/** Assigns roles to the fields of a record by their names. */
function assignRoles(record: Readonly<Record<string, unknown>>): ParsedLine {
  let message: string | undefined;
  let messageName: string | undefined;
  let severity = 0;
  let severityText: string | undefined;
  let time: Timestamp | undefined;
  let traceId: string | undefined;
  let spanId: string | undefined;
  // Without a prototype, `__proto__` is an ordinary field.
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

/** Nesting above which a record stays text: encoding it would exhaust the stack. */
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

/** Parses a JSON object; undefined for anything else, and for one that is nested too deeply. */
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

/** Parses a line that consists of `key=value` pairs; undefined for anything else. */
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

/** Enough of a line to recognise its format and level. */
export const FORMAT_HEAD_CHARACTERS = 160;
/** How logfmt starts. */
const LOOKS_LIKE_LOGFMT = /^[\w.@-]+=(?:"|\S*\s+[\w.@-]+=)/;

/** Whether a line with this start may be JSON or logfmt. */
export const mayBeStructured = (head: string): boolean =>
  head.charCodeAt(0) === BRACE || LOOKS_LIKE_LOGFMT.test(head);

/** Parses a line with the named parser; undefined where it is not in the format. */
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
