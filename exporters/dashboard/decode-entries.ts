/** Decoding of log records into the API's log and event entries. */
import { stripVTControlCharacters } from 'node:util';
import { decodeRecords, type JsonAnyValue, type JsonLogRecord } from '../otlp/wire/decode.ts';
import type { EventEntry, LogEntry } from './api.ts';

/** Maximum length of a line; `portlight logs` has the rest. */
const MAX_TEXT_LENGTH = 16 * 1024;
/** Maximum number of a structured line's fields, and length of a value. */
const MAX_FIELDS = 64;
const MAX_VALUE_LENGTH = 1024;

/** Attributes with a property of their own in the entry, or without interest. */
const HIDDEN_ATTRIBUTES = new Set(['log.iostream', 'log.record.uid']);

interface KeyValue {
  readonly key: string;
  readonly value: AnyValue;
}
/** A body can also be a map. */
type AnyValue = JsonAnyValue & { readonly kvlistValue?: { readonly values?: readonly KeyValue[] } };

function plainValue(value: AnyValue | undefined): unknown {
  if (value === undefined) return null;
  if (value.kvlistValue !== undefined)
    return Object.fromEntries(
      (value.kvlistValue.values ?? []).map(({ key, value: inner }) => [key, plainValue(inner)]),
    );
  if (value.arrayValue !== undefined) return (value.arrayValue.values ?? []).map(plainValue);
  if (value.bytesValue !== undefined) return Buffer.from(value.bytesValue, 'base64').toString('utf8');
  return value.stringValue ?? value.intValue ?? value.doubleValue ?? value.boolValue ?? null;
}

function formatValue(value: AnyValue | undefined): string {
  const plain = plainValue(value);
  return typeof plain === 'string' ? plain : plain === null ? '' : JSON.stringify(plain);
}

/** With a resolution of a microsecond. */
const millisecondsOf = (unixNano: string | undefined): number =>
  Number(BigInt(unixNano ?? '0') / 1000n) / 1000;

function toLogEntry(container: string, record: JsonLogRecord): LogEntry {
  const fields: Record<string, string> = {};
  let uid = '';
  let stream: LogEntry['stream'] = 'stdout';
  let count = 0;
  for (const { key, value } of record.attributes ?? []) {
    if (key === 'log.record.uid') uid = value.stringValue ?? '';
    else if (key === 'log.iostream') stream = value.stringValue === 'stderr' ? 'stderr' : 'stdout';
    else if (!HIDDEN_ATTRIBUTES.has(key) && count++ < MAX_FIELDS)
      fields[key] = formatValue(value).slice(0, MAX_VALUE_LENGTH);
  }
  const body = formatValue(record.body);
  return {
    uid,
    container,
    time: millisecondsOf(record.timeUnixNano),
    severity: record.severityNumber ?? 0,
    stream,
    text: stripVTControlCharacters(body.slice(0, MAX_TEXT_LENGTH)),
    cut: Math.max(0, body.length - MAX_TEXT_LENGTH),
    fields,
  };
}

/** @param records encoded `log_records` fields */
export const decodeLogEntries = (container: string, records: Buffer): LogEntry[] =>
  decodeRecords(records).map((record) => toLogEntry(container, record));

export function toEventEntry(
  sequence: number,
  container: EventEntry['container'],
  record: JsonLogRecord,
): EventEntry {
  const attributes: Record<string, string | readonly string[]> = {};
  for (const { key, value } of record.attributes ?? []) {
    if (HIDDEN_ATTRIBUTES.has(key)) continue;
    const plain = plainValue(value);
    attributes[key] = Array.isArray(plain) ? plain.map(String) : formatValue(value);
  }
  return {
    sequence,
    time: millisecondsOf(record.timeUnixNano),
    name: record.eventName ?? '',
    severity: record.severityNumber ?? 0,
    body: formatValue(record.body),
    container,
    attributes,
  };
}
