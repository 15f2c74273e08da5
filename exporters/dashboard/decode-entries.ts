/** Encoded log records → what is told of them to a person. */
import { stripVTControlCharacters } from 'node:util';
import { decodeRecords, type JsonAnyValue, type JsonLogRecord } from '../otlp/wire/decode.ts';
import type { EventEntry, LogEntry } from './api.ts';

/** Characters of a line that are shown; who wants the rest of a longer one asks for the log itself. */
const MAX_TEXT = 16 * 1024;
/** Of a structured line's fields, and of the value of one. */
const MAX_FIELDS = 64;
const MAX_VALUE = 1024;

/** Attributes that every record has, or that are told in another way. */
const OWN = new Set(['log.iostream', 'log.record.uid']);

interface Pairs {
  readonly key: string;
  readonly value: Value;
}
/** With what a body can be too. */
type Value = JsonAnyValue & { readonly kvlistValue?: { readonly values?: readonly Pairs[] } };

function plainValue(value: Value | undefined): unknown {
  if (value === undefined) return null;
  if (value.kvlistValue !== undefined)
    return Object.fromEntries(
      (value.kvlistValue.values ?? []).map(({ key, value: inner }) => [key, plainValue(inner)]),
    );
  if (value.arrayValue !== undefined) return (value.arrayValue.values ?? []).map(plainValue);
  if (value.bytesValue !== undefined) return Buffer.from(value.bytesValue, 'base64').toString('utf8');
  return value.stringValue ?? value.intValue ?? value.doubleValue ?? value.boolValue ?? null;
}

function textOf(value: Value | undefined): string {
  const found = plainValue(value);
  return typeof found === 'string' ? found : found === null ? '' : JSON.stringify(found);
}

export const millisecondsOf = (unixNano: string | undefined): number =>
  Number(BigInt(unixNano ?? '0') / 1000n) / 1000;

export function toLogEntry(container: string, record: JsonLogRecord): LogEntry {
  const fields: Record<string, string> = {};
  let uid = '';
  let stream: LogEntry['stream'] = 'stdout';
  let count = 0;
  for (const { key, value } of record.attributes ?? []) {
    if (key === 'log.record.uid') uid = value.stringValue ?? '';
    else if (key === 'log.iostream') stream = value.stringValue === 'stderr' ? 'stderr' : 'stdout';
    else if (!OWN.has(key) && count++ < MAX_FIELDS) fields[key] = textOf(value).slice(0, MAX_VALUE);
  }
  const whole = textOf(record.body);
  const text = stripVTControlCharacters(whole.slice(0, MAX_TEXT));
  return {
    uid,
    container,
    time: millisecondsOf(record.timeUnixNano),
    severity: record.severityNumber ?? 0,
    stream,
    text,
    cut: Math.max(0, whole.length - MAX_TEXT),
    fields,
  };
}

/** @param records encoded `log_records` fields */
export const decodeLogEntries = (container: string, records: Buffer): LogEntry[] =>
  decodeRecords(records).map((record) => toLogEntry(container, record));

/** @param record one encoded `log_records` field */
export function toEventEntry(
  sequence: number,
  container: EventEntry['container'],
  record: JsonLogRecord,
): EventEntry {
  const attributes: Record<string, string | readonly string[]> = {};
  for (const { key, value } of record.attributes ?? []) {
    if (OWN.has(key)) continue;
    const found = plainValue(value);
    attributes[key] = Array.isArray(found) ? found.map(String) : textOf(value);
  }
  return {
    sequence,
    time: millisecondsOf(record.timeUnixNano),
    name: record.eventName ?? '',
    severity: record.severityNumber ?? 0,
    body: textOf(record.body),
    container,
    attributes,
  };
}
