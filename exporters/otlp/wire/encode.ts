/** Records → OTLP protobuf. `agent/logs/encode-log.ts` encodes log lines. */
import type { MetricSet } from '../../../collectors/records/points.ts';
import type { EventRecord, Resource, Span } from '../../../collectors/records/records.ts';
import { VERSION } from '../../../config/version.ts';
import { writeAnyValue, writeAttributes } from './encode-value.ts';
import { FIELDS } from './fields.ts';
import { MetricsTemplates, type Temporality } from './metrics-template.ts';
import { encodeFields, varintSize, Writer } from './writer.ts';

const { Request, ResourceGroup, ScopeGroup, LogRecord } = FIELDS;

const SEVERITY_TEXT: Record<number, string> = { 9: 'INFO', 13: 'WARN', 17: 'ERROR' };

/** The instrumentation scope: the part of the agent that made a record. */
export type Scope = 'portlight.metrics' | 'portlight.logs' | 'portlight.events' | 'portlight.traces';

const resourceFields = new WeakMap<Resource, Buffer>();

/** The `resource` field of ResourceMetrics, ResourceLogs and ResourceSpans, encoded once per object. */
function resourceField(resource: Resource): Buffer {
  let bytes = resourceFields.get(resource);
  if (bytes === undefined) {
    bytes = encodeFields((writer) => {
      const mark = writer.openMessage(ResourceGroup.resource);
      writeAttributes(writer, FIELDS.Resource.attributes, resource.attributes);
      writer.closeMessage(mark);
    });
    resourceFields.set(resource, bytes);
  }
  return bytes;
}

/** The `scope` field of ScopeMetrics, ScopeLogs and ScopeSpans. */
const scopeField = (scope: Scope): Buffer =>
  encodeFields((writer) => {
    const mark = writer.openMessage(ScopeGroup.scope);
    writer.string(FIELDS.InstrumentationScope.name, scope);
    writer.string(FIELDS.InstrumentationScope.version, VERSION);
    writer.closeMessage(mark);
  });
const scopeFields: Readonly<Record<Scope, Buffer>> = {
  'portlight.metrics': scopeField('portlight.metrics'),
  'portlight.logs': scopeField('portlight.logs'),
  'portlight.events': scopeField('portlight.events'),
  'portlight.traces': scopeField('portlight.traces'),
};

const templates: Readonly<Record<Temporality, MetricsTemplates>> = {
  cumulative: new MetricsTemplates('cumulative'),
  delta: new MetricsTemplates('delta'),
};

/** Reused by all requests. A new buffer that grows for each of them would leave megabytes of garbage. */
const requestWriter = new Writer(64 * 1024);

/** An `ExportMetricsServiceRequest` with one ResourceMetrics per set, and the number of its data points. */
export function encodeMetrics(
  sets: readonly MetricSet[],
  temporality: Temporality = 'cumulative',
): { otlp: Buffer; count: number } {
  const writer = requestWriter;
  writer.reset();
  let count = 0;
  const scope = scopeFields['portlight.metrics'];
  for (const { resource, points, startTime, time } of sets) {
    const template = templates[temporality].templateFor(resource, points);
    const description = resourceField(resource);
    const metrics = template.fill(points, startTime, time);
    const size = scope.length + metrics.length;
    writer.header(Request.resources, description.length + 1 + varintSize(size) + size);
    writer.raw(description);
    writer.header(ResourceGroup.scopes, size);
    writer.raw(scope);
    writer.raw(metrics);
    count += template.count;
  }
  return { otlp: copyOut(writer.bytes()), count };
}

/**
 * Buffers of delivered requests, for reuse. A round over a thousand containers fills megabytes, and V8 would
 * free them only once there are 64 MB.
 */
const spare: Buffer[] = [];
const MAX_SPARE = 16;

function copyOut(bytes: Buffer): Buffer {
  const fitting = spare.findIndex(({ length }) => length >= bytes.length);
  const [backing = Buffer.allocUnsafeSlow(Math.ceil(bytes.length * 1.25))] =
    fitting === -1 ? [] : spare.splice(fitting, 1);
  bytes.copy(backing);
  return backing.subarray(0, bytes.length);
}

/**
 * Returns the buffer of a request that was encoded here for reuse. Nothing may read the request afterwards.
 */
export function recycle(request: Buffer): void {
  if (spare.length < MAX_SPARE) spare.push(Buffer.from(request.buffer));
}

/**
 * An `ExportLogsServiceRequest` or `ExportTraceServiceRequest` with one resource. Both have the same shape.
 * @param records encoded `log_records` or `spans` fields
 */
export function encodeRequest(resource: Resource, scope: Scope, records: Uint8Array): Buffer {
  const writer = requestWriter;
  writer.reset();
  const group = writer.openMessage(Request.resources);
  writer.raw(resourceField(resource));
  const scopes = writer.openMessage(ResourceGroup.scopes);
  writer.raw(scopeFields[scope]);
  writer.raw(records);
  writer.closeMessage(scopes);
  writer.closeMessage(group);
  return copyOut(writer.bytes());
}

/** Writes the id of a trace or a span. */
function writeId(writer: Writer, field: number, hex: string): void {
  const bytes = Buffer.from(hex, 'hex');
  writer.slice(field, bytes, 0, bytes.length);
}

/** Appends one event as a `log_records` field. */
export function encodeEvent(writer: Writer, event: EventRecord, observed: bigint): void {
  const record = writer.openMessage(ScopeGroup.records);
  writer.fixed64(LogRecord.timeUnixNano, event.time);
  writer.uint(LogRecord.severityNumber, event.severity);
  writer.string(LogRecord.severityText, SEVERITY_TEXT[event.severity]!);
  writeAnyValue(writer, LogRecord.body, event.body);
  writeAttributes(writer, LogRecord.attributes, event.attributes);
  if (event.context !== undefined) {
    writeId(writer, LogRecord.traceId, event.context.traceId);
    writeId(writer, LogRecord.spanId, event.context.spanId);
  }
  writer.fixed64(LogRecord.observedTimeUnixNano, observed);
  writer.string(LogRecord.eventName, event.eventName);
  writer.closeMessage(record);
}

const SPAN_KIND_INTERNAL = 1;
const STATUS_CODE_ERROR = 2;

/** Appends one span as a `spans` field. */
export function encodeSpan(writer: Writer, span: Span): void {
  const { SpanLink, SpanStatus } = FIELDS;
  const record = writer.openMessage(ScopeGroup.records);
  writeId(writer, FIELDS.Span.traceId, span.context.traceId);
  writeId(writer, FIELDS.Span.spanId, span.context.spanId);
  if (span.parentSpanId !== undefined) writeId(writer, FIELDS.Span.parentSpanId, span.parentSpanId);
  writer.string(FIELDS.Span.name, span.name);
  writer.uint(FIELDS.Span.kind, SPAN_KIND_INTERNAL);
  writer.fixed64(FIELDS.Span.startTimeUnixNano, span.start);
  writer.fixed64(FIELDS.Span.endTimeUnixNano, span.end);
  writeAttributes(writer, FIELDS.Span.attributes, span.attributes);
  for (const { traceId, spanId } of span.links) {
    const link = writer.openMessage(FIELDS.Span.links);
    writeId(writer, SpanLink.traceId, traceId);
    writeId(writer, SpanLink.spanId, spanId);
    writer.closeMessage(link);
  }
  if (span.error !== undefined) {
    const status = writer.openMessage(FIELDS.Span.status);
    writer.string(SpanStatus.message, span.error);
    writer.uint(SpanStatus.code, STATUS_CODE_ERROR);
    writer.closeMessage(status);
  }
  writer.closeMessage(record);
}
