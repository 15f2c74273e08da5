/** Log records → OTLP protobuf (`logs/v1/logs.proto`). */
import { isUtf8 } from 'node:buffer';
import type { AttributeValue, IoStream, LogLine } from '../../collectors/records/records.ts';
import { writeAnyValue, writeKeyValue } from '../../exporters/otlp/wire/encode-value.ts';
import {
  encodeFields,
  halves,
  splitNanos,
  varintSize,
  type Writer,
} from '../../exporters/otlp/wire/writer.ts';
import type { ParsedLine } from './parse.ts';

/** Fields of LogRecord. */
export const TIME = 1;
export const SEVERITY = 2;
export const SEVERITY_TEXT = 3;
export const BODY = 5;
export const ATTRIBUTE = 6;
export const TRACE = 9;
export const SPAN = 10;
export const OBSERVED = 11;
/** Fields of AnyValue. */
export const STRING = 1;
const LIST = 5;
const MAP = 6;
const BYTES = 7;

/** A tag and a fixed64. */
export const TIME_SIZE = 9;
/** Digits of a uid's part that differs between the lines of a container: seconds, nanoseconds, and ordinal. */
export const UID_DIGITS = 8 + 8 + 8;

/**
 * What all records of one stream of a container have in common: the attributes `log.iostream` and
 * `log.record.uid`, but for the digits at the latter's end. The uid is the line's place in the container's
 * log, by the daemon's time: the same whoever reads it, and how often.
 */
export type AttributePrefixes = Readonly<Record<IoStream, Buffer>>;

export function attributePrefixes(containerId: string): AttributePrefixes {
  const uid = `${containerId.slice(0, 12)}-${'0'.repeat(UID_DIGITS)}`;
  const prefix = (stream: IoStream) => {
    const whole = encodeFields((writer) => {
      writeKeyValue(writer, ATTRIBUTE, 'log.iostream', stream);
      writeKeyValue(writer, ATTRIBUTE, 'log.record.uid', uid);
    });
    return whole.subarray(0, whole.length - UID_DIGITS);
  };
  return { stdout: prefix('stdout'), stderr: prefix('stderr') };
}

/** Where a record's uid, stream and observed time come from. */
export type RecordOrigin = Omit<LogLine, 'source' | 'start' | 'end' | 'utf8'>;

/** The attributes that every record has. */
export function encodeCommon(
  writer: Writer,
  prefixes: AttributePrefixes,
  { seconds, nanos, ordinal, stream }: RecordOrigin,
): void {
  const prefix = prefixes[stream];
  writer.reserve(prefix.length + UID_DIGITS);
  writer.copy(prefix, 0, prefix.length);
  writer.hex(seconds);
  writer.hex(nanos);
  writer.hex(ordinal);
}

/** Attributes that few lines have. */
function encodeMarks(writer: Writer, { cut, malformed, path, offset }: RecordOrigin): void {
  if (path !== '') {
    writeKeyValue(writer, ATTRIBUTE, 'log.file.path', path);
    writeKeyValue(writer, ATTRIBUTE, 'log.file.offset', offset);
  }
  if (cut > 0) writeKeyValue(writer, ATTRIBUTE, 'portlight.log.truncated_bytes', cut);
  if (malformed) writeKeyValue(writer, ATTRIBUTE, 'portlight.log.malformed', true);
}

export const encodedMarks = (origin: RecordOrigin): Buffer | undefined =>
  origin.cut > 0 || origin.malformed || origin.path !== ''
    ? encodeFields((writer) => encodeMarks(writer, origin))
    : undefined;

/**
 * Appends a line as a `log_records` field; its body is a string, or bytes where it is not valid UTF-8, which
 * receivers refuse in a string together with the whole request.
 */
export function encodeLine(writer: Writer, line: LogLine, prefixes: AttributePrefixes, severity = 0): void {
  const { seconds, nanos, source, start, end, utf8 } = line;
  const length = end - start;
  const value = 1 + varintSize(length) + length;
  const extra = encodedMarks(line);
  const size =
    2 * TIME_SIZE +
    (severity === 0 ? 0 : 2) +
    (1 + varintSize(value) + value) +
    (prefixes[line.stream].length + UID_DIGITS) +
    (extra?.length ?? 0);
  writer.header(2, size);
  splitNanos(seconds, nanos);
  const { low, high } = halves;
  writer.fixedNanos(TIME, low, high);
  if (severity !== 0) writer.uint(SEVERITY, severity);
  writer.header(BODY, value);
  const isText = utf8 || isUtf8(source.subarray(start, end));
  writer.slice(isText ? STRING : BYTES, source, start, end);
  encodeCommon(writer, prefixes, line);
  if (extra !== undefined) writer.raw(extra);
  writer.fixedNanos(OBSERVED, low, high);
}

/** Whatever JSON can hold. */
function jsonValue(writer: Writer, field: number, value: unknown): void {
  if (value === null || value === undefined) {
    writer.header(field, 0);
    return;
  }
  if (typeof value !== 'object') {
    writeAnyValue(writer, field, value as AttributeValue);
    return;
  }
  const mark = writer.openMessage(field);
  if (Array.isArray(value)) {
    const list = writer.openMessage(LIST);
    for (const item of value) jsonValue(writer, 1, item);
    writer.closeMessage(list);
  } else {
    const map = writer.openMessage(MAP);
    for (const [key, item] of Object.entries(value)) jsonPair(writer, 1, key, item);
    writer.closeMessage(map);
  }
  writer.closeMessage(mark);
}

/** Keys recur: their encoding is kept, for as many as programs have, not as attackers make up. */
const keys = new Map<string, Buffer>();
const MAX_KEYS = 4096;

function keyField(key: string): Buffer {
  let bytes = keys.get(key);
  if (bytes === undefined) {
    bytes = encodeFields((writer) => writer.string(1, key));
    if (keys.size < MAX_KEYS) keys.set(key, bytes);
  }
  return bytes;
}

function jsonPair(writer: Writer, field: number, key: string, value: unknown): void {
  const mark = writer.openMessage(field);
  writer.raw(keyField(key));
  jsonValue(writer, 2, value);
  writer.closeMessage(mark);
}

/**
 * Appends a record that was made from one or more lines as a `log_records` field.
 * @param text the record's text; the body, unless a field is the message
 */
export function encodeParsed(
  writer: Writer,
  origin: RecordOrigin,
  prefixes: AttributePrefixes,
  text: string,
  parsed: ParsedLine | undefined,
  fieldsIn: 'attributes' | 'body',
): void {
  const record = writer.openMessage(2);
  if (parsed?.time === undefined) writer.unixNano(TIME, origin.seconds, origin.nanos);
  else writer.unixNano(TIME, parsed.time.seconds, parsed.time.nanos);
  if (parsed !== undefined && parsed.severity !== 0) {
    writer.uint(SEVERITY, parsed.severity);
    if (parsed.severityText !== undefined) writer.string(SEVERITY_TEXT, parsed.severityText);
  }
  const message = parsed?.message ?? text;
  if (parsed !== undefined && fieldsIn === 'body' && parsed.isStructured) {
    const own =
      parsed.messageName === undefined ? parsed.fields : { [parsed.messageName]: message, ...parsed.fields };
    jsonValue(writer, BODY, own);
  } else {
    writeAnyValue(writer, BODY, message);
    if (parsed !== undefined) {
      for (const key in parsed.fields) jsonPair(writer, ATTRIBUTE, key, parsed.fields[key]);
    }
  }
  encodeCommon(writer, prefixes, origin);
  encodeMarks(writer, origin);
  if (parsed?.traceId !== undefined) {
    const trace = Buffer.from(parsed.traceId, 'hex');
    writer.slice(TRACE, trace, 0, trace.length);
  }
  if (parsed?.spanId !== undefined) {
    const span = Buffer.from(parsed.spanId, 'hex');
    writer.slice(SPAN, span, 0, span.length);
  }
  writer.unixNano(OBSERVED, origin.seconds, origin.nanos);
  writer.closeMessage(record);
}
