/**
 * OTLP protobuf → the objects of OTLP/JSON. The HTTP/JSON transport, the console and the dashboard use it to
 * look into an encoded batch.
 * Source: https://opentelemetry.io/docs/specs/otlp/#json-protobuf-encoding (64-bit integers are strings,
 * enums are numbers, trace and span ids are hexadecimal).
 */
import { FIELDS } from './fields.ts';
import { ProtobufReader, WIRE_TYPE } from './reader.ts';

/** How a scalar is encoded, and what becomes of it in JSON. */
const SCALARS = {
  bool: WIRE_TYPE.varint,
  uint: WIRE_TYPE.varint,
  int64: WIRE_TYPE.varint,
  fixed64: WIRE_TYPE.fixed64,
  sfixed64: WIRE_TYPE.fixed64,
  double: WIRE_TYPE.fixed64,
  fixed32: WIRE_TYPE.fixed32,
  string: WIRE_TYPE.lengthDelimited,
  bytes: WIRE_TYPE.lengthDelimited,
  hex: WIRE_TYPE.lengthDelimited,
} as const;

type Scalar = keyof typeof SCALARS;
type FieldType = Scalar | MessageFields;

interface MessageField {
  readonly name: string;
  readonly type: FieldType;
  readonly wireType: number;
  readonly isRepeated: boolean;
}

/** The fields of a message by their number; a field that is not in it is skipped. */
type MessageFields = Map<number, MessageField>;

/** The type of each field of a message; in brackets, that of a repeated one. */
type FieldTypes<Names extends string> = Readonly<Record<Names, FieldType | readonly [FieldType]>>;

const field = (name: string, types: FieldType | readonly [FieldType]): MessageField => {
  const isRepeated = Array.isArray(types);
  const type = (isRepeated ? types[0] : types) as FieldType;
  const wireType = typeof type === 'string' ? SCALARS[type] : WIRE_TYPE.lengthDelimited;
  return { name, type, wireType, isRepeated };
};

/** A message from its numbers, as the table has them, and the types of its fields. */
const message = <Names extends string>(
  numbers: Readonly<Record<Names, number>>,
  types: FieldTypes<Names>,
): MessageFields =>
  new Map((Object.keys(numbers) as Names[]).map((name) => [numbers[name], field(name, types[name])]));

// An AnyValue can hold lists of its own kind: the two that hold them are added once it exists.
const AnyValue: MessageFields = message(FIELDS.AnyValue, {
  stringValue: 'string',
  boolValue: 'bool',
  intValue: 'int64',
  doubleValue: 'double',
  arrayValue: 'bytes',
  kvlistValue: 'bytes',
  bytesValue: 'bytes',
});
const KeyValue = message(FIELDS.KeyValue, { key: 'string', value: AnyValue });
AnyValue.set(FIELDS.AnyValue.arrayValue, field('arrayValue', message(FIELDS.List, { values: [AnyValue] })));
AnyValue.set(FIELDS.AnyValue.kvlistValue, field('kvlistValue', message(FIELDS.List, { values: [KeyValue] })));

const Resource = message(FIELDS.Resource, { attributes: [KeyValue] });
const InstrumentationScope = message(FIELDS.InstrumentationScope, {
  name: 'string',
  version: 'string',
  attributes: [KeyValue],
});

/** The three signals' requests differ in the names of three fields and in what a record is. */
function requestOf(resources: string, scopes: string, records: string, record: MessageFields): MessageFields {
  const { Request, ResourceGroup, ScopeGroup } = FIELDS;
  const scopeGroup: MessageFields = new Map([
    [ScopeGroup.scope, field('scope', InstrumentationScope)],
    [ScopeGroup.records, field(records, [record])],
    [ScopeGroup.schemaUrl, field('schemaUrl', 'string')],
  ]);
  const resourceGroup: MessageFields = new Map([
    [ResourceGroup.resource, field('resource', Resource)],
    [ResourceGroup.scopes, field(scopes, [scopeGroup])],
    [ResourceGroup.schemaUrl, field('schemaUrl', 'string')],
  ]);
  return new Map([[Request.resources, field(resources, [resourceGroup])]]);
}

const LogRecord = message(FIELDS.LogRecord, {
  timeUnixNano: 'fixed64',
  severityNumber: 'uint',
  severityText: 'string',
  body: AnyValue,
  attributes: [KeyValue],
  droppedAttributesCount: 'uint',
  flags: 'fixed32',
  traceId: 'hex',
  spanId: 'hex',
  observedTimeUnixNano: 'fixed64',
  eventName: 'string',
});
const LogsRequest = requestOf('resourceLogs', 'scopeLogs', 'logRecords', LogRecord);
/** The content of a ScopeLogs without its scope. */
const LogRecords: MessageFields = new Map([[FIELDS.ScopeGroup.records, field('logRecords', [LogRecord])]]);

const NumberDataPoint = message(FIELDS.NumberDataPoint, {
  startTimeUnixNano: 'fixed64',
  timeUnixNano: 'fixed64',
  asDouble: 'double',
  asInt: 'sfixed64',
  attributes: [KeyValue],
  flags: 'uint',
});
const Metric = message(FIELDS.Metric, {
  name: 'string',
  description: 'string',
  unit: 'string',
  gauge: message(FIELDS.Gauge, { dataPoints: [NumberDataPoint] }),
  sum: message(FIELDS.Sum, {
    dataPoints: [NumberDataPoint],
    aggregationTemporality: 'uint',
    isMonotonic: 'bool',
  }),
});
const MetricsRequest = requestOf('resourceMetrics', 'scopeMetrics', 'metrics', Metric);

const Span = message(FIELDS.Span, {
  traceId: 'hex',
  spanId: 'hex',
  traceState: 'string',
  parentSpanId: 'hex',
  name: 'string',
  kind: 'uint',
  startTimeUnixNano: 'fixed64',
  endTimeUnixNano: 'fixed64',
  attributes: [KeyValue],
  links: [message(FIELDS.SpanLink, { traceId: 'hex', spanId: 'hex' })],
  status: message(FIELDS.SpanStatus, { message: 'string', code: 'uint' }),
});
const TracesRequest = requestOf('resourceSpans', 'scopeSpans', 'spans', Span);

const ExportResponse = message(FIELDS.Response, {
  partialSuccess: message(FIELDS.PartialSuccess, { rejected: 'int64', errorMessage: 'string' }),
});
const RpcStatus = message(FIELDS.RpcStatus, {
  details: [message(FIELDS.Any, { typeUrl: 'string', value: 'bytes' })],
});
const RetryInfo = message(FIELDS.RetryInfo, {
  retryDelay: message(FIELDS.Duration, { seconds: 'int64', nanos: 'uint' }),
});

function scalarOf(reader: ProtobufReader, buffer: Buffer, type: Scalar): unknown {
  const { valueStart, valueEnd } = reader;
  switch (type) {
    case 'bool':
      return reader.number !== 0;
    case 'uint':
      return reader.number;
    case 'int64':
      return BigInt.asIntN(64, reader.bigint).toString();
    case 'fixed64':
      return buffer.readBigUInt64LE(valueStart).toString();
    case 'sfixed64':
      return buffer.readBigInt64LE(valueStart).toString();
    case 'fixed32':
      return buffer.readUInt32LE(valueStart);
    case 'double': {
      const value = buffer.readDoubleLE(valueStart);
      return Number.isFinite(value) ? value : String(value);
    }
    case 'string':
      return buffer.toString('utf8', valueStart, valueEnd);
    case 'hex':
      return buffer.toString('hex', valueStart, valueEnd);
    case 'bytes':
      return buffer.toString('base64', valueStart, valueEnd);
  }
}

function objectOf(reader: ProtobufReader, buffer: Buffer, fields: MessageFields): Record<string, unknown> {
  const result: Record<string, unknown> = {};
  while (reader.next()) {
    const found = fields.get(reader.field);
    // A field of another wire type is an unknown one, as protobuf has it.
    if (found === undefined || found.wireType !== reader.wireType) continue;
    const { name, type, isRepeated } = found;
    const value =
      typeof type === 'string' ? scalarOf(reader, buffer, type) : objectOf(reader.nested(), buffer, type);
    if (!isRepeated) result[name] = value;
    else if (result[name] === undefined) result[name] = [value];
    else (result[name] as unknown[]).push(value);
  }
  return result;
}

function decode(bytes: Uint8Array, fields: MessageFields): Record<string, unknown> {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return objectOf(new ProtobufReader(buffer), buffer, fields);
}

export interface JsonAnyValue {
  stringValue?: string;
  boolValue?: boolean;
  intValue?: string;
  doubleValue?: number | string;
  bytesValue?: string;
  arrayValue?: { values?: JsonAnyValue[] };
}

export interface JsonLogRecord {
  timeUnixNano?: string;
  observedTimeUnixNano?: string;
  severityNumber?: number;
  severityText?: string;
  eventName?: string;
  body?: JsonAnyValue;
  attributes?: { key: string; value: JsonAnyValue }[];
}

export interface JsonLogsRequest {
  resourceLogs?: { scopeLogs?: { scope?: { name?: string }; logRecords?: JsonLogRecord[] }[] }[];
}

/** @throws {RangeError} when the bytes are not well-formed protobuf */
export const decodeLogs = (bytes: Uint8Array): JsonLogsRequest => decode(bytes, LogsRequest);

/**
 * @param records encoded `log_records` fields
 * @throws {RangeError} when the bytes are not well-formed protobuf
 */
export const decodeRecords = (records: Uint8Array): JsonLogRecord[] =>
  (decode(records, LogRecords) as { logRecords?: JsonLogRecord[] }).logRecords ?? [];

/** @throws {RangeError} when the bytes are not well-formed protobuf */
export const decodeMetrics = (bytes: Uint8Array): Record<string, unknown> => decode(bytes, MetricsRequest);

/** @throws {RangeError} when the bytes are not well-formed protobuf */
export const decodeTraces = (bytes: Uint8Array): Record<string, unknown> => decode(bytes, TracesRequest);

/** What a receiver refused of a request that it accepted otherwise. */
export interface PartialSuccess {
  /** Number of rejected log records, data points or spans. */
  rejected: number;
  message: string;
}

/** @throws {RangeError} when the bytes are not well-formed protobuf */
export function decodeResponse(bytes: Uint8Array): PartialSuccess {
  const { partialSuccess } = decode(bytes, ExportResponse) as {
    partialSuccess?: { rejected?: string; errorMessage?: string };
  };
  return { rejected: Number(partialSuccess?.rejected ?? 0), message: partialSuccess?.errorMessage ?? '' };
}

/**
 * The retry delay that a receiver asks for, ms.
 * @param status an encoded `google.rpc.Status`
 * @returns undefined when the status has none
 */
export function decodeRetryDelay(status: Uint8Array): number | undefined {
  try {
    const { details = [] } = decode(status, RpcStatus) as {
      details?: { typeUrl?: string; value?: string }[];
    };
    const info = details.find(({ typeUrl }) => typeUrl?.endsWith('/google.rpc.RetryInfo'));
    if (info === undefined) return undefined;
    const { retryDelay } = decode(Buffer.from(info.value ?? '', 'base64'), RetryInfo) as {
      retryDelay?: { seconds?: string; nanos?: number };
    };
    return Number(retryDelay?.seconds ?? 0) * 1000 + (retryDelay?.nanos ?? 0) / 1e6;
  } catch {
    // Details that cannot be decoded hold no delay.
    return undefined;
  }
}
