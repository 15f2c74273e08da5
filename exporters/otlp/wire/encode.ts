/**
 * Records → OTLP protobuf. Field numbers are those of opentelemetry-proto 1.x
 * (`metrics/v1/metrics.proto`, `logs/v1/logs.proto`, `trace/v1/trace.proto`, `common/v1/common.proto`).
 */
import type { MetricSet } from '../../../collectors/records/points.ts';
import type { EventRecord, Resource, Span } from '../../../collectors/records/records.ts';
import { VERSION } from '../../../config/version.ts';
import { writeAnyValue, writeAttributes } from './encode-value.ts';
import { MetricsTemplates, type Temporality } from './metrics-form.ts';
import { encodeFields, varintSize, Writer } from './writer.ts';

const SEVERITY_TEXT: Record<number, string> = { 9: 'INFO', 13: 'WARN', 17: 'ERROR' };

/** The instrumentation scope: which part of the agent made a record. */
export type Scope = 'portlight.metrics' | 'portlight.logs' | 'portlight.events' | 'portlight.traces';

const resourceFields = new WeakMap<Resource, Buffer>();

/** The `resource` field of ResourceMetrics, ResourceLogs and ResourceSpans, which recurs: made once per object. */
function resourceField(resource: Resource): Buffer {
  let bytes = resourceFields.get(resource);
  if (bytes === undefined) {
    bytes = encodeFields((writer) => {
      const mark = writer.openMessage(1);
      writeAttributes(writer, 1, resource.attributes);
      writer.closeMessage(mark);
    });
    resourceFields.set(resource, bytes);
  }
  return bytes;
}

/** The `scope` field of ScopeMetrics, ScopeLogs and ScopeSpans. */
const scopeField = (scope: Scope): Buffer =>
  encodeFields((writer) => {
    const mark = writer.openMessage(1);
    writer.string(1, scope);
    writer.string(2, VERSION);
    writer.closeMessage(mark);
  });
const scopeFields: Readonly<Record<Scope, Buffer>> = {
  'portlight.metrics': scopeField('portlight.metrics'),
  'portlight.logs': scopeField('portlight.logs'),
  'portlight.events': scopeField('portlight.events'),
  'portlight.traces': scopeField('portlight.traces'),
};

const forms: Readonly<Record<Temporality, MetricsTemplates>> = {
  cumulative: new MetricsTemplates('cumulative'),
  delta: new MetricsTemplates('delta'),
};

/** Kept between requests, which are of like size: what grows anew each time is garbage by the megabyte. */
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
    const form = forms[temporality].of(resource, points);
    const described = resourceField(resource);
    const metrics = form.filled(points, startTime, time);
    const size = scope.length + metrics.length;
    writer.header(1, described.length + 1 + varintSize(size) + size);
    writer.raw(described);
    writer.header(2, size);
    writer.raw(scope);
    writer.raw(metrics);
    count += form.count;
  }
  return { otlp: copyOut(writer.bytes()), count };
}

/**
 * Buffers of delivered requests. A round over a thousand containers makes megabytes, which V8 would let
 * lie until there are 64 of them.
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

/** Gives back a request that was made here and that nobody will look at again. */
export function recycle(request: Buffer): void {
  if (spare.length < MAX_SPARE) spare.push(Buffer.from(request.buffer));
}

/**
 * An `ExportLogsServiceRequest` or `ExportTraceServiceRequest`, which have one shape, with one resource;
 * `records` are encoded `log_records` or `spans` fields.
 */
export function encodeRequest(resource: Resource, scope: Scope, records: Uint8Array): Buffer {
  const writer = requestWriter;
  writer.reset();
  const ofResource = writer.openMessage(1);
  writer.raw(resourceField(resource));
  const ofScope = writer.openMessage(2);
  writer.raw(scopeFields[scope]);
  writer.raw(records);
  writer.closeMessage(ofScope);
  writer.closeMessage(ofResource);
  return copyOut(writer.bytes());
}

/** A trace's or span's id. */
function writeId(writer: Writer, field: number, hex: string): void {
  const bytes = Buffer.from(hex, 'hex');
  writer.slice(field, bytes, 0, bytes.length);
}

/** Appends one event as a `log_records` field. */
export function encodeEvent(writer: Writer, event: EventRecord, observed: bigint): void {
  const record = writer.openMessage(2);
  writer.fixed64(1, event.time);
  writer.uint(2, event.severity);
  writer.string(3, SEVERITY_TEXT[event.severity]!);
  writeAnyValue(writer, 5, event.body);
  writeAttributes(writer, 6, event.attributes);
  if (event.context !== undefined) {
    writeId(writer, 9, event.context.traceId);
    writeId(writer, 10, event.context.spanId);
  }
  writer.fixed64(11, observed);
  writer.string(12, event.eventName);
  writer.closeMessage(record);
}

const SPAN_KIND_INTERNAL = 1;
const STATUS_CODE_ERROR = 2;

/** Appends one span as a `spans` field. */
export function encodeSpan(writer: Writer, span: Span): void {
  const record = writer.openMessage(2);
  writeId(writer, 1, span.context.traceId);
  writeId(writer, 2, span.context.spanId);
  if (span.parentSpanId !== undefined) writeId(writer, 4, span.parentSpanId);
  writer.string(5, span.name);
  writer.uint(6, SPAN_KIND_INTERNAL);
  writer.fixed64(7, span.start);
  writer.fixed64(8, span.end);
  writeAttributes(writer, 9, span.attributes);
  for (const { traceId, spanId } of span.links) {
    const link = writer.openMessage(13);
    writeId(writer, 1, traceId);
    writeId(writer, 2, spanId);
    writer.closeMessage(link);
  }
  if (span.error !== undefined) {
    const status = writer.openMessage(15);
    writer.string(2, span.error);
    writer.uint(3, STATUS_CODE_ERROR);
    writer.closeMessage(status);
  }
  writer.closeMessage(record);
}
