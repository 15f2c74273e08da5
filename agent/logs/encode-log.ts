/** Encodes log lines as OTLP log records (`logs/v1/logs.proto`). */
import { isUtf8 } from 'node:buffer';
import type { AttributeValue, IoStream, LogLine } from '../../collectors/records/records.ts';
import { BoundedMap } from '../../collectors/shared/bounded-map.ts';
import { writeAnyValue, writeKeyValue } from '../../exporters/otlp/wire/encode-value.ts';
import { FIELDS } from '../../exporters/otlp/wire/fields.ts';
import {
  encodeFields,
  halves,
  splitNanos,
  varintSize,
  type Writer,
} from '../../exporters/otlp/wire/writer.ts';
import type { ParsedLine } from './parse.ts';

export const {
  timeUnixNano: TIME,
  severityNumber: SEVERITY,
  severityText: SEVERITY_TEXT,
  body: BODY,
  attributes: ATTRIBUTE,
  traceId: TRACE,
  spanId: SPAN,
  observedTimeUnixNano: OBSERVED,
} = FIELDS.LogRecord;
export const {
  stringValue: STRING,
  boolValue: BOOL,
  intValue: INT,
  doubleValue: DOUBLE,
  arrayValue: LIST,
  kvlistValue: MAP,
  bytesValue: BYTES,
} = FIELDS.AnyValue;
export const { key: KEY, value: VALUE } = FIELDS.KeyValue;
export const { records: RECORD } = FIELDS.ScopeGroup;
const { values: ITEM } = FIELDS.List;

/** Encoded size of a time: a tag and a fixed64. */
export const TIME_SIZE = 9;
/** Digits of a uid that differ between the lines of a container: seconds, nanoseconds, and ordinal. */
export const UID_DIGITS = 8 + 8 + 8;

/**
 * The encoded attributes `log.iostream` and `log.record.uid` of one stream of a container, without the digits at the end of
 * the uid. The uid is the line's place in the container's log, by the daemon's time. It does not depend on how often
 * the line is read, and by which agent.
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

/** What a record's uid, stream and observed time are made from. */
export type RecordOrigin = Omit<LogLine, 'source' | 'start' | 'end' | 'utf8'>;

/** Appends the attributes that every record has. */
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

/** Appends the attributes that few lines have. */
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
 * Appends a line as a `log_records` field. The body is a string, or bytes where it is not valid UTF-8: receivers refuse a
 * whole request because of an invalid string.
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
  writer.header(RECORD, size);
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

/** Appends any JSON value. */
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
    for (const item of value) jsonValue(writer, ITEM, item);
    writer.closeMessage(list);
  } else {
    const map = writer.openMessage(MAP);
    for (const [key, item] of Object.entries(value)) jsonPair(writer, ITEM, key, item);
    writer.closeMessage(map);
  }
  writer.closeMessage(mark);
}

/** Encodings of keys, which recur. The limit is above what programs use, and bounds what an attacker can fill. */
const MAX_KEYS = 4096;
const keys = new BoundedMap<string, Buffer>(MAX_KEYS);

function keyField(key: string): Buffer {
  let bytes = keys.get(key);
  if (bytes === undefined) {
    bytes = encodeFields((writer) => writer.string(KEY, key));
    keys.set(key, bytes);
  }
  return bytes;
}

function jsonPair(writer: Writer, field: number, key: string, value: unknown): void {
  const mark = writer.openMessage(field);
  writer.raw(keyField(key));
  jsonValue(writer, VALUE, value);
  writer.closeMessage(mark);
}

/**
 * Appends a record of one or more lines as a `log_records` field.
 * @param text the record's text. It is the body, unless a field is the message
 */
export function encodeParsed(
  writer: Writer,
  origin: RecordOrigin,
  prefixes: AttributePrefixes,
  text: string,
  parsed: ParsedLine | undefined,
  fieldsIn: 'attributes' | 'body',
): void {
  const record = writer.openMessage(RECORD);
  if (parsed?.time === undefined) writer.unixNano(TIME, origin.seconds, origin.nanos);
  else writer.unixNano(TIME, parsed.time.seconds, parsed.time.nanos);
  if (parsed !== undefined && parsed.severity !== 0) {
    writer.uint(SEVERITY, parsed.severity);
    if (parsed.severityText !== undefined) writer.string(SEVERITY_TEXT, parsed.severityText);
  }
  const message = parsed?.message ?? text;
  if (parsed !== undefined && fieldsIn === 'body' && parsed.isStructured) {
    const fields =
      parsed.messageName === undefined ? parsed.fields : { [parsed.messageName]: message, ...parsed.fields };
    jsonValue(writer, BODY, fields);
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
