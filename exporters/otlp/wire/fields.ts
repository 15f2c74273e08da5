/**
 * Field numbers of every protobuf message that Portlight reads or writes, by the names that OTLP/JSON uses.
 * Source: https://github.com/open-telemetry/opentelemetry-proto 1.x (`common/v1`, `resource/v1`, `logs/v1`,
 * `metrics/v1`, `trace/v1`, `collector/…/v1`) and https://github.com/googleapis/googleapis (`google/rpc`).
 *
 * Requests of all signals have the same shape. Where only the name differs by signal (`resource_logs`,
 * `resource_metrics`, `resource_spans`), the table has one entry.
 */
export const FIELDS = {
  /** ExportLogsServiceRequest, ExportMetricsServiceRequest, ExportTraceServiceRequest. */
  Request: { resources: 1 },
  /** ResourceLogs, ResourceMetrics, ResourceSpans. */
  ResourceGroup: { resource: 1, scopes: 2, schemaUrl: 3 },
  /** ScopeLogs, ScopeMetrics, ScopeSpans. A record is a log record, a metric or a span. */
  ScopeGroup: { scope: 1, records: 2, schemaUrl: 3 },

  Resource: { attributes: 1 },
  InstrumentationScope: { name: 1, version: 2, attributes: 3 },
  KeyValue: { key: 1, value: 2 },
  AnyValue: {
    stringValue: 1,
    boolValue: 2,
    intValue: 3,
    doubleValue: 4,
    arrayValue: 5,
    kvlistValue: 6,
    bytesValue: 7,
  },
  /** ArrayValue, KeyValueList. */
  List: { values: 1 },

  LogRecord: {
    timeUnixNano: 1,
    severityNumber: 2,
    severityText: 3,
    body: 5,
    attributes: 6,
    droppedAttributesCount: 7,
    flags: 8,
    traceId: 9,
    spanId: 10,
    observedTimeUnixNano: 11,
    eventName: 12,
  },

  Metric: { name: 1, description: 2, unit: 3, gauge: 5, sum: 7 },
  Gauge: { dataPoints: 1 },
  Sum: { dataPoints: 1, aggregationTemporality: 2, isMonotonic: 3 },
  NumberDataPoint: {
    startTimeUnixNano: 2,
    timeUnixNano: 3,
    asDouble: 4,
    asInt: 6,
    attributes: 7,
    flags: 8,
  },

  Span: {
    traceId: 1,
    spanId: 2,
    traceState: 3,
    parentSpanId: 4,
    name: 5,
    kind: 6,
    startTimeUnixNano: 7,
    endTimeUnixNano: 8,
    attributes: 9,
    links: 13,
    status: 15,
  },
  SpanLink: { traceId: 1, spanId: 2 },
  SpanStatus: { message: 2, code: 3 },

  /** ExportLogsServiceResponse and those of metrics and traces. */
  Response: { partialSuccess: 1 },
  PartialSuccess: { rejected: 1, errorMessage: 2 },

  /** google.rpc.Status, and google.rpc.RetryInfo, which can be one of its details. */
  RpcStatus: { details: 3 },
  Any: { typeUrl: 1, value: 2 },
  RetryInfo: { retryDelay: 1 },
  Duration: { seconds: 1, nanos: 2 },
} as const;
