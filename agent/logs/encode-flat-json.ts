/** Log lines that are flat JSON objects → OTLP protobuf, from bytes to bytes. */

import { readTimestamp, type Timestamp } from '../../collectors/logs/shared/timestamp.ts';
import type { LogLine } from '../../collectors/records/records.ts';
import { varintSize, type Writer } from '../../exporters/otlp/wire/writer.ts';
import {
  ATTRIBUTE,
  type AttributePrefixes,
  BODY,
  encodeCommon,
  encodedMarks,
  OBSERVED,
  SEVERITY,
  SEVERITY_TEXT,
  SPAN,
  STRING,
  TIME,
  TIME_SIZE,
  TRACE,
  UID_DIGITS,
} from './encode-log.ts';
import { FALSE, FlatJson, MAX_FIELDS, NULL, NUMBER, TEXT, TRUE } from './flat-json.ts';
import { InternTable } from './intern-table.ts';
import { parseTime } from './parse.ts';
import { severityOfValue } from './severity.ts';

const flat = new FlatJson();
const when: Timestamp = { seconds: 0, nanos: 0 };

/** Values of the hexadecimal digits; -1 for what is none. */
const HEX_VALUES = new Int8Array(256).fill(-1);
for (let value = 0; value < 16; value++) {
  const digit = value.toString(16);
  HEX_VALUES[digit.charCodeAt(0)] = value;
  HEX_VALUES[digit.toUpperCase().charCodeAt(0)] = value;
}
const id = Buffer.alloc(16);

/** Decodes the hexadecimal digits of an id of `size` bytes into `id`; false where they are none, or all zero. */
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

/** The time that a field tells, into `when`; false where it tells none. */
function readTime(source: Buffer, index: number): boolean {
  const start = flat.starts[index]!;
  const end = flat.ends[index]!;
  const kind = flat.kinds[index];
  if (kind === TEXT && end > start && readTimestamp(source, start, when) === end - start && when.seconds > 0)
    return true;
  const value =
    kind === NUMBER ? flat.numbers[index] : kind === TEXT ? source.toString('latin1', start, end) : undefined;
  const time = parseTime(value);
  if (time === undefined) return false;
  when.seconds = time.seconds;
  when.nanos = time.nanos;
  return true;
}

/** The severities of levels in words. */
const levels = new InternTable<number>(severityOfValue);

function readSeverity(source: Buffer, index: number): number {
  if (flat.kinds[index] === NUMBER) return severityOfValue(flat.numbers[index]);
  if (flat.kinds[index] !== TEXT) return 0;
  const start = flat.starts[index]!;
  const end = flat.ends[index]!;
  const hash = (end - start) * 256 + source[start]!;
  return levels.intern(source, start, end, hash) ?? severityOfValue(source.toString('utf8', start, end));
}

/** Encoded sizes of the fields' pairs, 0 for what is no attribute, and of their values. */
const sizes = new Uint32Array(MAX_FIELDS);
const values = new Uint32Array(MAX_FIELDS);

/** Encoded size of an AnyValue's content, tag included. */
function encodedSize(index: number): number {
  switch (flat.kinds[index]) {
    case TEXT: {
      const length = flat.ends[index]! - flat.starts[index]!;
      return 1 + varintSize(length) + length;
    }
    case NUMBER: {
      const value = flat.numbers[index]!;
      return !Number.isSafeInteger(value) ? 9 : value < 0 ? 11 : 1 + varintSize(value);
    }
    case NULL:
      return 0;
    default:
      return 2;
  }
}

function encodeValue(writer: Writer, source: Buffer, index: number): void {
  switch (flat.kinds[index]) {
    case TEXT:
      writer.roomyHeader(STRING, flat.ends[index]! - flat.starts[index]!);
      writer.copy(source, flat.starts[index]!, flat.ends[index]!);
      break;
    case NUMBER: {
      const value = flat.numbers[index]!;
      if (Number.isSafeInteger(value)) writer.int(3, value);
      else writer.double(4, value);
      break;
    }
    case TRUE:
      writer.uint(2, 1);
      break;
    case FALSE:
      writer.uint(2, 0);
      break;
  }
}

/**
 * Appends a line that is a flat JSON object as a `log_records` field, as `encodeParsed` does with what
 * `parseJson` finds in it, but from bytes to bytes.
 * @returns false, with nothing appended, where the line is anything else
 */
export function encodeFlatJson(writer: Writer, line: LogLine, prefixes: AttributePrefixes): boolean {
  const { source, start, end, seconds, nanos } = line;
  if (!flat.scan(source, start, end)) return false;
  let message = -1;
  let level = -1;
  let severity = 0;
  let time = -1;
  let trace = -1;
  let span = -1;
  for (let index = 0; index < flat.count; index++) {
    const { role } = flat.names[index]!;
    if (role === undefined) continue;
    const isText = flat.kinds[index] === TEXT;
    const from = flat.starts[index]!;
    const to = flat.ends[index]!;
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
  const from = message === -1 ? start : flat.starts[message]!;
  const to = message === -1 ? end : flat.ends[message]!;
  const body = 1 + varintSize(to - from) + to - from;
  const prefix = prefixes[line.stream];
  let size = 2 * TIME_SIZE + 1 + varintSize(body) + body + prefix.length + UID_DIGITS;
  for (let index = 0; index < flat.count; index++) {
    if (index === message || index === level || index === time || index === trace || index === span) {
      sizes[index] = 0;
      continue;
    }
    const value = encodedSize(index);
    const pair = flat.names[index]!.field.length + 1 + varintSize(value) + value;
    values[index] = value;
    sizes[index] = pair;
    size += 1 + varintSize(pair) + pair;
  }
  const levelText = level === -1 || flat.kinds[level] === TEXT ? undefined : String(flat.numbers[level]);
  if (level !== -1) {
    const length = levelText?.length ?? flat.ends[level]! - flat.starts[level]!;
    size += 2 + 1 + varintSize(length) + length;
  }
  if (trace !== -1) size += 2 + 16;
  if (span !== -1) size += 2 + 8;
  const extra = encodedMarks(line);
  writer.header(2, size + (extra?.length ?? 0));
  if (time === -1) writer.unixNano(TIME, seconds, nanos);
  else writer.unixNano(TIME, when.seconds, when.nanos);
  if (level !== -1) {
    writer.uint(SEVERITY, severity);
    if (levelText !== undefined) writer.string(SEVERITY_TEXT, levelText);
    else writer.slice(SEVERITY_TEXT, source, flat.starts[level]!, flat.ends[level]!);
  }
  writer.roomyHeader(BODY, body);
  writer.roomyHeader(STRING, to - from);
  writer.copy(source, from, to);
  for (let index = 0; index < flat.count; index++) {
    if (sizes[index] === 0) continue;
    const { field } = flat.names[index]!;
    writer.roomyHeader(ATTRIBUTE, sizes[index]!);
    writer.copy(field, 0, field.length);
    writer.roomyHeader(2, values[index]!);
    encodeValue(writer, source, index);
  }
  encodeCommon(writer, prefixes, line);
  if (extra !== undefined) writer.raw(extra);
  if (trace !== -1 && readId(source, flat.starts[trace]!, flat.ends[trace]!, 16))
    writer.slice(TRACE, id, 0, 16);
  if (span !== -1 && readId(source, flat.starts[span]!, flat.ends[span]!, 8)) writer.slice(SPAN, id, 0, 8);
  writer.unixNano(OBSERVED, seconds, nanos);
  return true;
}
