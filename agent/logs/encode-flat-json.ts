/** Encodes log lines that are flat JSON objects as OTLP log records, from bytes to bytes. */

import { readTimestamp, type Timestamp } from '../../collectors/logs/shared/timestamp.ts';
import type { LogLine } from '../../collectors/records/records.ts';
import { varintSize, type Writer } from '../../exporters/otlp/wire/writer.ts';
import {
  ATTRIBUTE,
  type AttributePrefixes,
  BODY,
  BOOL,
  DOUBLE,
  encodeCommon,
  encodedMarks,
  INT,
  OBSERVED,
  RECORD,
  SEVERITY,
  SEVERITY_TEXT,
  SPAN,
  STRING,
  TIME,
  TIME_SIZE,
  TRACE,
  UID_DIGITS,
  VALUE,
} from './encode-log.ts';
import { FALSE, FlatJson, MAX_FIELDS, NULL, NUMBER, TEXT, TRUE } from './flat-json.ts';
import { InternTable } from './intern-table.ts';
import { parseTime } from './parse.ts';
import { severityOfValue } from './severity.ts';

const parsed = new FlatJson();
const parsedTime: Timestamp = { seconds: 0, nanos: 0 };

/** Values of hexadecimal digits; -1 for any other byte. */
const HEX_VALUES = new Int8Array(256).fill(-1);
for (let value = 0; value < 16; value++) {
  const digit = value.toString(16);
  HEX_VALUES[digit.charCodeAt(0)] = value;
  HEX_VALUES[digit.toUpperCase().charCodeAt(0)] = value;
}
const id = Buffer.alloc(16);

/** Decodes the hexadecimal digits of an id of `size` bytes into `id`; false where they are not an id, or all zero. */
function readId(source: Buffer, start: number, end: number, size: number): boolean {
  if (end - start !== size * 2) return false;
  let any = 0;
  for (let index = 0; index < size; index++) {
    const high = HEX_VALUES[source[start + index * 2]!]!;
    const low = HEX_VALUES[source[start + index * 2 + 1]!]!;
    if (high < 0 || low < 0) return false;
    id[index] = high * 16 + low;
    any |= high | low;
  }
  return any !== 0;
}

/** Reads a field's time into `parsedTime`; false where it is not a time. */
function readTime(source: Buffer, index: number): boolean {
  const start = parsed.starts[index]!;
  const end = parsed.ends[index]!;
  const kind = parsed.kinds[index];
  if (
    kind === TEXT &&
    end > start &&
    readTimestamp(source, start, parsedTime) === end - start &&
    parsedTime.seconds > 0
  )
    return true;
  const value =
    kind === NUMBER
      ? parsed.numbers[index]
      : kind === TEXT
        ? source.toString('latin1', start, end)
        : undefined;
  const time = parseTime(value);
  if (time === undefined) return false;
  parsedTime.seconds = time.seconds;
  parsedTime.nanos = time.nanos;
  return true;
}

/** Severities of levels that are words. */
const levels = new InternTable<number>(severityOfValue);

function readSeverity(source: Buffer, index: number): number {
  if (parsed.kinds[index] === NUMBER) return severityOfValue(parsed.numbers[index]);
  if (parsed.kinds[index] !== TEXT) return 0;
  const start = parsed.starts[index]!;
  const end = parsed.ends[index]!;
  const hash = (end - start) * 256 + source[start]!;
  return levels.intern(source, start, end, hash) ?? severityOfValue(source.toString('utf8', start, end));
}

/** Encoded sizes of the fields' pairs, 0 for what does not become an attribute, and of their values. */
const sizes = new Uint32Array(MAX_FIELDS);
const values = new Uint32Array(MAX_FIELDS);

/** Encoded size of an AnyValue's content, with its tag. */
function encodedSize(index: number): number {
  switch (parsed.kinds[index]) {
    case TEXT: {
      const length = parsed.ends[index]! - parsed.starts[index]!;
      return 1 + varintSize(length) + length;
    }
    case NUMBER: {
      const value = parsed.numbers[index]!;
      return !Number.isSafeInteger(value) ? 9 : value < 0 ? 11 : 1 + varintSize(value);
    }
    case NULL:
      return 0;
    default:
      return 2;
  }
}

function encodeValue(writer: Writer, source: Buffer, index: number): void {
  switch (parsed.kinds[index]) {
    case TEXT:
      writer.roomyHeader(STRING, parsed.ends[index]! - parsed.starts[index]!);
      writer.copy(source, parsed.starts[index]!, parsed.ends[index]!);
      break;
    case NUMBER: {
      const value = parsed.numbers[index]!;
      if (Number.isSafeInteger(value)) writer.int(INT, value);
      else writer.double(DOUBLE, value);
      break;
    }
    case TRUE:
      writer.uint(BOOL, 1);
      break;
    case FALSE:
      writer.uint(BOOL, 0);
      break;
  }
}

/**
 * Appends a line that is a flat JSON object as a `log_records` field. Same result as `encodeParsed` of what `parseJson`
 * returns, without strings and objects.
 * @returns false, with nothing appended, for any other line
 */
export function encodeFlatJson(writer: Writer, line: LogLine, prefixes: AttributePrefixes): boolean {
  const { source, start, end, seconds, nanos } = line;
  if (!parsed.scan(source, start, end)) return false;
  let message = -1;
  let level = -1;
  let severity = 0;
  let time = -1;
  let trace = -1;
  let span = -1;
  for (let index = 0; index < parsed.count; index++) {
    const { role } = parsed.names[index]!;
    if (role === undefined) continue;
    const isText = parsed.kinds[index] === TEXT;
    const from = parsed.starts[index]!;
    const to = parsed.ends[index]!;
    if (role === 'message') {
      if (message === -1 && isText) message = index;
    } else if (role === 'level') {
      if (level !== -1) continue;
      severity = readSeverity(source, index);
      if (severity !== 0) level = index;
    } else if (role === 'time') {
      if (time === -1 && readTime(source, index)) time = index;
    } else if (role === 'trace') {
      if (trace === -1 && isText && readId(source, from, to, 16)) trace = index;
    } else if (role === 'span') {
      if (span === -1 && isText && readId(source, from, to, 8)) span = index;
    } else return false;
  }
  const from = message === -1 ? start : parsed.starts[message]!;
  const to = message === -1 ? end : parsed.ends[message]!;
  const body = 1 + varintSize(to - from) + to - from;
  const prefix = prefixes[line.stream];
  let size = 2 * TIME_SIZE + 1 + varintSize(body) + body + prefix.length + UID_DIGITS;
  for (let index = 0; index < parsed.count; index++) {
    if (index === message || index === level || index === time || index === trace || index === span) {
      sizes[index] = 0;
      continue;
    }
    const value = encodedSize(index);
    const pair = parsed.names[index]!.field.length + 1 + varintSize(value) + value;
    values[index] = value;
    sizes[index] = pair;
    size += 1 + varintSize(pair) + pair;
  }
  const levelText = level === -1 || parsed.kinds[level] === TEXT ? undefined : String(parsed.numbers[level]);
  if (level !== -1) {
    const length = levelText?.length ?? parsed.ends[level]! - parsed.starts[level]!;
    size += 2 + 1 + varintSize(length) + length;
  }
  if (trace !== -1) size += 2 + 16;
  if (span !== -1) size += 2 + 8;
  const extra = encodedMarks(line);
  writer.header(RECORD, size + (extra?.length ?? 0));
  if (time === -1) writer.unixNano(TIME, seconds, nanos);
  else writer.unixNano(TIME, parsedTime.seconds, parsedTime.nanos);
  if (level !== -1) {
    writer.uint(SEVERITY, severity);
    if (levelText !== undefined) writer.string(SEVERITY_TEXT, levelText);
    else writer.slice(SEVERITY_TEXT, source, parsed.starts[level]!, parsed.ends[level]!);
  }
  writer.roomyHeader(BODY, body);
  writer.roomyHeader(STRING, to - from);
  writer.copy(source, from, to);
  for (let index = 0; index < parsed.count; index++) {
    if (sizes[index] === 0) continue;
    const { field } = parsed.names[index]!;
    writer.roomyHeader(ATTRIBUTE, sizes[index]!);
    writer.copy(field, 0, field.length);
    writer.roomyHeader(VALUE, values[index]!);
    encodeValue(writer, source, index);
  }
  encodeCommon(writer, prefixes, line);
  if (extra !== undefined) writer.raw(extra);
  if (trace !== -1 && readId(source, parsed.starts[trace]!, parsed.ends[trace]!, 16))
    writer.slice(TRACE, id, 0, 16);
  if (span !== -1 && readId(source, parsed.starts[span]!, parsed.ends[span]!, 8))
    writer.slice(SPAN, id, 0, 8);
  writer.unixNano(OBSERVED, seconds, nanos);
  return true;
}
