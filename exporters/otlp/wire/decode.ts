/**
 * OTLP protobuf → the objects of OTLP/JSON, for whoever needs to look into an encoded batch: the
 * HTTP/JSON transport and the console.
 * Source: https://opentelemetry.io/docs/specs/otlp/#json-protobuf-encoding (64-bit integers are strings,
 * enums are numbers, trace and span ids are hexadecimal).
 */

type Kind =
  | 'string'
  | 'bool'
  | 'uint'
  | 'int64'
  | 'uint64'
  | 'fixed64'
  | 'sfixed64'
  | 'fixed32'
  | 'double'
  | 'bytes'
  | 'hex';

interface Field {
  name: string;
  type: Kind | Message;
  repeated?: boolean;
}

interface Message {
  [field: number]: Field;
}

const one = (name: string, type: Kind | Message): Field => ({ name, type });
const many = (name: string, type: Kind | Message): Field => ({ name, type, repeated: true });

const AnyValue: Message = {
  1: one('stringValue', 'string'),
  2: one('boolValue', 'bool'),
  3: one('intValue', 'int64'),
  4: one('doubleValue', 'double'),
  7: one('bytesValue', 'bytes'),
};
const KeyValue: Message = { 1: one('key', 'string'), 2: one('value', AnyValue) };
AnyValue[5] = one('arrayValue', { 1: many('values', AnyValue) });
AnyValue[6] = one('kvlistValue', { 1: many('values', KeyValue) });

const Resource: Message = { 1: many('attributes', KeyValue) };
const Scope: Message = {
  1: one('name', 'string'),
  2: one('version', 'string'),
  3: many('attributes', KeyValue),
};

const LogRecordMessage: Message = {
  1: one('timeUnixNano', 'fixed64'),
  2: one('severityNumber', 'uint'),
  3: one('severityText', 'string'),
  5: one('body', AnyValue),
  6: many('attributes', KeyValue),
  7: one('droppedAttributesCount', 'uint'),
  8: one('flags', 'fixed32'),
  9: one('traceId', 'hex'),
  10: one('spanId', 'hex'),
  11: one('observedTimeUnixNano', 'fixed64'),
  12: one('eventName', 'string'),
};

const LogsRequest: Message = {
  1: many('resourceLogs', {
    1: one('resource', Resource),
    2: many('scopeLogs', {
      1: one('scope', Scope),
      2: many('logRecords', LogRecordMessage),
      3: one('schemaUrl', 'string'),
    }),
    3: one('schemaUrl', 'string'),
  }),
};

const NumberDataPoint: Message = {
  2: one('startTimeUnixNano', 'fixed64'),
  3: one('timeUnixNano', 'fixed64'),
  4: one('asDouble', 'double'),
  6: one('asInt', 'sfixed64'),
  7: many('attributes', KeyValue),
  8: one('flags', 'uint'),
};

const MetricMessage: Message = {
  1: one('name', 'string'),
  2: one('description', 'string'),
  3: one('unit', 'string'),
  5: one('gauge', { 1: many('dataPoints', NumberDataPoint) }),
  7: one('sum', {
    1: many('dataPoints', NumberDataPoint),
    2: one('aggregationTemporality', 'uint'),
    3: one('isMonotonic', 'bool'),
  }),
};

const MetricsRequest: Message = {
  1: many('resourceMetrics', {
    1: one('resource', Resource),
    2: many('scopeMetrics', {
      1: one('scope', Scope),
      2: many('metrics', MetricMessage),
      3: one('schemaUrl', 'string'),
    }),
    3: one('schemaUrl', 'string'),
  }),
};

const SpanMessage: Message = {
  1: one('traceId', 'hex'),
  2: one('spanId', 'hex'),
  3: one('traceState', 'string'),
  4: one('parentSpanId', 'hex'),
  5: one('name', 'string'),
  6: one('kind', 'uint'),
  7: one('startTimeUnixNano', 'fixed64'),
  8: one('endTimeUnixNano', 'fixed64'),
  9: many('attributes', KeyValue),
  13: many('links', { 1: one('traceId', 'hex'), 2: one('spanId', 'hex') }),
  15: one('status', { 2: one('message', 'string'), 3: one('code', 'uint') }),
};

const TracesRequest: Message = {
  1: many('resourceSpans', {
    1: one('resource', Resource),
    2: many('scopeSpans', {
      1: one('scope', Scope),
      2: many('spans', SpanMessage),
      3: one('schemaUrl', 'string'),
    }),
    3: one('schemaUrl', 'string'),
  }),
};

/** `ExportLogsPartialSuccess` and those of metrics and traces have the same shape. */
const ExportResponse: Message = {
  1: one('partialSuccess', { 1: one('rejected', 'int64'), 2: one('errorMessage', 'string') }),
};

/** `google.rpc.Status`, and the `google.rpc.RetryInfo` that can be among its details. */
const RpcStatus: Message = {
  3: many('details', { 1: one('typeUrl', 'string'), 2: one('value', 'bytes') }),
};
const RetryInfo: Message = { 1: one('retryDelay', { 1: one('seconds', 'int64'), 2: one('nanos', 'uint') }) };

class Reader {
  private readonly buffer: Buffer;
  position: number;
  readonly end: number;

  constructor(buffer: Buffer, position: number, end: number) {
    if (end > buffer.length) throw new RangeError('protobuf: message is cut short');
    this.buffer = buffer;
    this.position = position;
    this.end = end;
  }

  varint(): bigint {
    let value = 0n;
    for (let shift = 0n; shift < 70n; shift += 7n) {
      if (this.position >= this.end) break;
      const byte = this.buffer[this.position++]!;
      value |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) return BigInt.asUintN(64, value);
    }
    throw new RangeError('protobuf: bad varint');
  }

  take(size: number): number {
    const start = this.position;
    this.position += size;
    if (this.position > this.end) throw new RangeError('protobuf: field is cut short');
    return start;
  }

  skip(wireType: number): void {
    if (wireType === 0) this.varint();
    else if (wireType === 1) this.take(8);
    else if (wireType === 2) this.take(Number(this.varint()));
    else if (wireType === 5) this.take(4);
    else throw new RangeError(`protobuf: unknown wire type ${wireType}`);
  }

  scalar(kind: Kind): unknown {
    const { buffer } = this;
    switch (kind) {
      case 'bool':
        return this.varint() !== 0n;
      case 'uint':
        return Number(this.varint());
      case 'int64':
        return BigInt.asIntN(64, this.varint()).toString();
      case 'uint64':
        return this.varint().toString();
      case 'fixed64':
        return buffer.readBigUInt64LE(this.take(8)).toString();
      case 'sfixed64':
        return buffer.readBigInt64LE(this.take(8)).toString();
      case 'fixed32':
        return buffer.readUInt32LE(this.take(4));
      case 'double': {
        const value = buffer.readDoubleLE(this.take(8));
        return Number.isFinite(value) ? value : String(value);
      }
    }
    const size = Number(this.varint());
    const start = this.take(size);
    const encoding = kind === 'string' ? 'utf8' : kind === 'hex' ? 'hex' : 'base64';
    return buffer.toString(encoding, start, start + size);
  }

  message(fields: Message): Record<string, unknown> {
    const result: Record<string, unknown> = {};
    while (this.position < this.end) {
      const tag = Number(this.varint());
      const field = fields[Math.floor(tag / 8)];
      if (field === undefined) {
        this.skip(tag % 8);
        continue;
      }
      let value: unknown;
      if (typeof field.type === 'string') value = this.scalar(field.type);
      else {
        const size = Number(this.varint());
        const start = this.take(size);
        value = new Reader(this.buffer, start, start + size).message(field.type);
      }
      if (!field.repeated) result[field.name] = value;
      else if (result[field.name] === undefined) result[field.name] = [value];
      else (result[field.name] as unknown[]).push(value);
    }
    return result;
  }
}

function decode(bytes: Uint8Array, fields: Message): Record<string, unknown> {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return new Reader(buffer, 0, buffer.length).message(fields);
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
  (decode(records, { 2: many('logRecords', LogRecordMessage) }) as { logRecords?: JsonLogRecord[] })
    .logRecords ?? [];

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
 * How long a receiver wants to be left alone, ms.
 * @param status an encoded `google.rpc.Status`
 * @returns undefined where it does not say so
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
    // Whatever it is, it is no delay.
    return undefined;
  }
}
