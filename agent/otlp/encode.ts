/**
 * Records → OTLP protobuf. Field numbers are those of opentelemetry-proto 1.x
 * (`metrics/v1/metrics.proto`, `logs/v1/logs.proto`, `trace/v1/trace.proto`, `common/v1/common.proto`).
 */
import type { Points } from '../points.ts';
import type {
  Attributes,
  AttributeValue,
  EventRecord,
  Metric,
  MetricSet,
  Resource,
  Span,
} from '../records.ts';
import { VERSION } from '../version.ts';
import { Writer, written } from './writer.ts';

/** AggregationTemporality. */
const TEMPORALITY = { delta: 1, cumulative: 2 };
export type Temporality = keyof typeof TEMPORALITY;
const SEVERITY_TEXT: Record<number, string> = { 9: 'INFO', 13: 'WARN', 17: 'ERROR' };

/** The instrumentation scope: which part of the agent made a record. */
export type Scope = 'portlight.metrics' | 'portlight.logs' | 'portlight.events' | 'portlight.traces';

export function anyValue(writer: Writer, field: number, value: AttributeValue): void {
  const mark = writer.begin(field);
  if (typeof value === 'string') writer.string(1, value);
  else if (typeof value === 'boolean') writer.uint(2, value ? 1 : 0);
  else if (typeof value === 'number') {
    if (Number.isSafeInteger(value)) writer.int(3, value);
    else writer.double(4, value);
  } else {
    const list = writer.begin(5);
    for (const item of value) anyValue(writer, 1, item);
    writer.end(list);
  }
  writer.end(mark);
}

export function keyValue(writer: Writer, field: number, key: string, value: AttributeValue): void {
  const mark = writer.begin(field);
  writer.string(1, key);
  anyValue(writer, 2, value);
  writer.end(mark);
}

function attributes(writer: Writer, field: number, values: Attributes): void {
  for (const key in values) keyValue(writer, field, key, values[key]!);
}

/** Encodings that recur in every batch are made once per object. */
function memoized<K extends object>(encode: (writer: Writer, key: K) => void): (key: K) => Buffer {
  const known = new WeakMap<K, Buffer>();
  return (key) => {
    let bytes = known.get(key);
    if (bytes === undefined) {
      bytes = written((writer) => encode(writer, key));
      known.set(key, bytes);
    }
    return bytes;
  };
}

/** The `resource` field of ResourceMetrics, ResourceLogs and ResourceSpans. */
const resourceField = memoized<Resource>((writer, resource) => {
  const mark = writer.begin(1);
  attributes(writer, 1, resource.attributes);
  writer.end(mark);
});

/** Name, description and unit of a Metric. */
const metricHead = memoized<Metric>((writer, metric) => {
  writer.string(1, metric.name);
  writer.string(2, metric.description);
  writer.string(3, metric.unit);
});

const pointAttributes = memoized<Attributes>((writer, values) => attributes(writer, 7, values));

function scopeField(writer: Writer, scope: Scope): void {
  const mark = writer.begin(1);
  writer.string(1, scope);
  writer.string(2, VERSION);
  writer.end(mark);
}

function dataPoint(
  writer: Writer,
  times: Uint8Array,
  integer: boolean,
  value: number,
  attributes: Attributes | undefined,
): void {
  const mark = writer.begin(1);
  writer.raw(times);
  if (integer) writer.sfixed64(6, value);
  else writer.double(4, value);
  if (attributes !== undefined) writer.raw(pointAttributes(attributes));
  writer.end(mark);
}

/** Writes one Metric from the point at `from` on and returns the index behind its last point. */
function metric(
  writer: Writer,
  { metrics, values, attributes: labels, length }: Points,
  times: Uint8Array,
  from: number,
  temporality: Temporality,
): number {
  const described = metrics[from]!;
  const mark = writer.begin(2);
  writer.raw(metricHead(described));
  const data = writer.begin(described.kind === 'gauge' ? 5 : 7);
  let index = from;
  for (; index < length && metrics[index] === described; index++)
    dataPoint(writer, times, described.integer, values[index]!, labels[index]);
  if (described.kind !== 'gauge') {
    const isCounter = described.kind === 'counter';
    writer.uint(2, TEMPORALITY[isCounter ? temporality : 'cumulative']);
    if (isCounter) writer.uint(3, 1);
  }
  writer.end(data);
  writer.end(mark);
  return index;
}

/** The time fields that all points of a set have in common. */
function timesOf(set: MetricSet): Buffer {
  const writer = new Writer(32);
  writer.fixed64(2, set.startTime);
  writer.fixed64(3, set.time);
  return writer.bytes();
}

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
  for (const set of sets) {
    const times = timesOf(set);
    const resourceMetrics = writer.begin(1);
    writer.raw(resourceField(set.resource));
    const scopeMetrics = writer.begin(2);
    scopeField(writer, 'portlight.metrics');
    for (let index = 0; index < set.points.length; ) {
      if (set.points.metrics[index]!.dialectOnly) {
        index++;
        continue;
      }
      const next = metric(writer, set.points, times, index, temporality);
      count += next - index;
      index = next;
    }
    writer.end(scopeMetrics);
    writer.end(resourceMetrics);
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
  const ofResource = writer.begin(1);
  writer.raw(resourceField(resource));
  const ofScope = writer.begin(2);
  scopeField(writer, scope);
  writer.raw(records);
  writer.end(ofScope);
  writer.end(ofResource);
  return copyOut(writer.bytes());
}

/** A trace's or span's id. */
function identifier(writer: Writer, field: number, hex: string): void {
  const bytes = Buffer.from(hex, 'hex');
  writer.slice(field, bytes, 0, bytes.length);
}

/** Appends one event as a `log_records` field. */
export function encodeEvent(writer: Writer, event: EventRecord, observed: bigint): void {
  const record = writer.begin(2);
  writer.fixed64(1, event.time);
  writer.uint(2, event.severity);
  writer.string(3, SEVERITY_TEXT[event.severity]!);
  anyValue(writer, 5, event.body);
  attributes(writer, 6, event.attributes);
  if (event.context !== undefined) {
    identifier(writer, 9, event.context.traceId);
    identifier(writer, 10, event.context.spanId);
  }
  writer.fixed64(11, observed);
  writer.string(12, event.eventName);
  writer.end(record);
}

const SPAN_KIND_INTERNAL = 1;
const STATUS_CODE_ERROR = 2;

/** Appends one span as a `spans` field. */
export function encodeSpan(writer: Writer, span: Span): void {
  const record = writer.begin(2);
  identifier(writer, 1, span.context.traceId);
  identifier(writer, 2, span.context.spanId);
  if (span.parentSpanId !== undefined) identifier(writer, 4, span.parentSpanId);
  writer.string(5, span.name);
  writer.uint(6, SPAN_KIND_INTERNAL);
  writer.fixed64(7, span.start);
  writer.fixed64(8, span.end);
  attributes(writer, 9, span.attributes);
  for (const { traceId, spanId } of span.links) {
    const link = writer.begin(13);
    identifier(writer, 1, traceId);
    identifier(writer, 2, spanId);
    writer.end(link);
  }
  if (span.error !== undefined) {
    const status = writer.begin(15);
    writer.string(2, span.error);
    writer.uint(3, STATUS_CODE_ERROR);
    writer.end(status);
  }
  writer.end(record);
}
