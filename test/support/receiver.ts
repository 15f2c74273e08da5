/**
 * An OTLP receiver: HTTP (protobuf and JSON) and gRPC on loopback. It decodes with code generated from the
 * public protocol definitions, and shares no code with the encoders.
 */
import { createServer, type IncomingHttpHeaders, type IncomingMessage, type ServerResponse } from 'node:http';
import { createRequire } from 'node:module';
import type { AddressInfo } from 'node:net';
import { gunzipSync } from 'node:zlib';
import { Metadata, Server, ServerCredentials, type ServerUnaryCall, type sendUnaryData } from '@grpc/grpc-js';
import type { Signal } from '../../config/destinations.ts';

const { opentelemetry } = createRequire(import.meta.url)('otlp-protos/build/src/generated/root');
const { logs, metrics, trace } = opentelemetry.proto.collector;
const types = {
  logs: { request: logs.v1.ExportLogsServiceRequest, response: logs.v1.ExportLogsServiceResponse },
  metrics: {
    request: metrics.v1.ExportMetricsServiceRequest,
    response: metrics.v1.ExportMetricsServiceResponse,
  },
  traces: { request: trace.v1.ExportTraceServiceRequest, response: trace.v1.ExportTraceServiceResponse },
};
const services = {
  logs: 'logs.v1.LogsService',
  metrics: 'metrics.v1.MetricsService',
  traces: 'trace.v1.TraceService',
};
const signals = ['logs', 'metrics', 'traces'] as const;

export type Value = string | number | boolean | Buffer | Value[] | undefined;
export type Values = Record<string, Value>;

export interface ReceivedLog {
  readonly resource: Values;
  readonly scope: string;
  readonly eventName: string;
  readonly time: bigint;
  readonly observedTime: bigint;
  readonly severityNumber: number;
  readonly body: Value;
  readonly attributes: Values;
  /** When it arrived, ms since the epoch. */
  readonly at: number;
  /** `traceId spanId`; empty where the record is not part of a trace. */
  readonly context: string;
}

export interface ReceivedPoint {
  readonly resource: Values;
  readonly name: string;
  readonly unit: string;
  readonly kind: 'sum' | 'gauge';
  readonly monotonic: boolean;
  readonly temporality: number;
  readonly startTime: bigint;
  readonly time: bigint;
  readonly value: number;
  readonly isInteger: boolean;
  readonly attributes: Values;
  /** Number of its request. */
  readonly request: number;
}

export interface ReceivedSpan {
  readonly resource: Values;
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId: string;
  readonly name: string;
  readonly start: bigint;
  readonly end: bigint;
  readonly attributes: Values;
  readonly isError: boolean;
  /** `traceId spanId` of each link. */
  readonly links: readonly string[];
}

/** How a fault answers a request. */
export interface Answer {
  /** An HTTP or gRPC status; 0 and 200 accept the request. */
  readonly status: number;
  readonly retryAfter?: string;
  /** The same for gRPC. */
  readonly retryDelayMs?: number;
  /** Records to reject in an accepted request. */
  readonly rejected?: number;
}

/** @param message the decoded request */
// biome-ignore lint/suspicious/noExplicitAny: the decoded messages have no types
export type Fault = (signal: Signal, message: any) => Answer | undefined;

// biome-ignore lint/suspicious/noExplicitAny: the decoded messages have no types
type DecodedMessage = any;

function value(any: DecodedMessage): Value {
  if (any == null) return undefined;
  if (any.stringValue != null) return any.stringValue;
  if (any.boolValue != null) return any.boolValue;
  if (any.intValue != null) return Number(any.intValue);
  if (any.doubleValue != null) return any.doubleValue;
  if (any.bytesValue != null) return Buffer.from(any.bytesValue, 'base64');
  return (any.arrayValue?.values ?? []).map(value);
}

const values = (list: DecodedMessage): Values =>
  Object.fromEntries((list ?? []).map((pair: DecodedMessage) => [pair.key, value(pair.value)]));

/** JSON has hexadecimal ids. The protobuf decoder returns base64. */
const hexOf = (id: string | undefined): string =>
  /^([0-9a-f]{16}){1,2}$/.test(id ?? '') ? id! : Buffer.from(id ?? '', 'base64').toString('hex');

function readSpans(message: DecodedMessage): ReceivedSpan[] {
  const spans: ReceivedSpan[] = [];
  for (const { resource, scopeSpans } of message.resourceSpans ?? []) {
    for (const { spans: list } of scopeSpans ?? []) {
      for (const span of list ?? []) {
        spans.push({
          resource: values(resource?.attributes),
          traceId: hexOf(span.traceId),
          spanId: hexOf(span.spanId),
          parentSpanId: hexOf(span.parentSpanId),
          name: span.name,
          start: BigInt(span.startTimeUnixNano),
          end: BigInt(span.endTimeUnixNano),
          attributes: values(span.attributes),
          isError: span.status?.code === 2,
          links: (span.links ?? []).map(
            (link: DecodedMessage) => `${hexOf(link.traceId)} ${hexOf(link.spanId)}`,
          ),
        });
      }
    }
  }
  return spans;
}

function readLogs(message: DecodedMessage): ReceivedLog[] {
  const records: ReceivedLog[] = [];
  for (const { resource, scopeLogs } of message.resourceLogs ?? []) {
    for (const { scope, logRecords } of scopeLogs ?? []) {
      for (const record of logRecords ?? []) {
        records.push({
          resource: values(resource?.attributes),
          scope: scope?.name,
          eventName: record.eventName ?? '',
          time: BigInt(record.timeUnixNano),
          observedTime: BigInt(record.observedTimeUnixNano ?? 0),
          severityNumber: record.severityNumber ?? 0,
          body: value(record.body),
          attributes: values(record.attributes),
          at: performance.timeOrigin + performance.now(),
          context: record.traceId ? `${hexOf(record.traceId)} ${hexOf(record.spanId)}` : '',
        });
      }
    }
  }
  return records;
}

/** The field for rejected records, by signal. */
const rejectedOf = {
  logs: 'rejectedLogRecords',
  metrics: 'rejectedDataPoints',
  traces: 'rejectedSpans',
} as const;

const answerOf = (signal: Signal, fault: Answer | undefined): DecodedMessage =>
  fault?.rejected === undefined
    ? {}
    : { partialSuccess: { [rejectedOf[signal]]: fault.rejected, errorMessage: 'rejected by the test' } };

/** A `google.rpc.Status` with a `google.rpc.RetryInfo` of less than 128 s. */
function statusWithDelay(code: number, ms: number): Buffer {
  const field = (number: number, bytes: Buffer) =>
    Buffer.concat([Buffer.from([number * 8 + 2, bytes.length]), bytes]);
  const duration = Buffer.from([8, Math.floor(ms / 1000)]);
  const any = Buffer.concat([
    field(1, Buffer.from('type.googleapis.com/google.rpc.RetryInfo')),
    field(2, field(1, duration)),
  ]);
  return Buffer.concat([Buffer.from([8, code]), field(3, any)]);
}

export class Receiver {
  readonly logs: ReceivedLog[] = [];
  readonly points: ReceivedPoint[] = [];
  readonly spans: ReceivedSpan[] = [];
  /** Log records of requests that a fault refused. */
  readonly refused: ReceivedLog[] = [];
  /** Number of requests by signal, including refused ones. */
  readonly requests: Record<Signal, number> = { logs: 0, metrics: 0, traces: 0 };
  /** Headers of the last request. */
  headers: IncomingHttpHeaders = {};
  /** Content types that arrived over HTTP. */
  readonly contentTypes = new Set<string>();
  fault: Fault = () => undefined;
  private readonly http = createServer((request, response) => {
    // An incomplete request of a killed sender counts as none.
    this.handle(request, response).catch(() => response.destroy());
  });
  private readonly grpc = new Server({ 'grpc.max_receive_message_length': 4 * 1024 * 1024 });
  private grpcPort = 0;

  /** Listens on free ports of loopback. */
  static async start(): Promise<Receiver> {
    const receiver = new Receiver();
    await new Promise<void>((resolve) => receiver.http.listen(0, '127.0.0.1', resolve));
    for (const signal of signals) receiver.serve(signal);
    receiver.grpcPort = await new Promise((resolve, reject) =>
      receiver.grpc.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, port) =>
        error === null ? resolve(port) : reject(error),
      ),
    );
    return receiver;
  }

  /** A value for OTEL_EXPORTER_OTLP_ENDPOINT. */
  endpoint(protocol: string): string {
    const port = protocol === 'grpc' ? this.grpcPort : (this.http.address() as AddressInfo).port;
    return `http://127.0.0.1:${port}`;
  }

  /** Listens at another address: for HTTP instead of the first one, for gRPC in addition. */
  async listenAt(address: string, port: number, kind: 'http' | 'grpc'): Promise<void> {
    if (kind === 'http') {
      this.http.closeAllConnections();
      await new Promise((resolve) => this.http.close(resolve));
      await new Promise<void>((resolve) => this.http.listen(port, address, resolve));
      return;
    }
    await new Promise<void>((resolve, reject) =>
      this.grpc.bindAsync(`${address}:${port}`, ServerCredentials.createInsecure(), (error) =>
        error === null ? resolve() : reject(error),
      ),
    );
  }

  async stop(): Promise<void> {
    this.grpc.forceShutdown();
    this.http.closeAllConnections();
    await new Promise((resolve) => this.http.close(resolve));
  }

  /** Log records and events of a container, by its name. */
  logsOf(container: string): ReceivedLog[] {
    return this.logs.filter(({ resource }) => resource['container.name'] === container);
  }

  spansOf(container: string): ReceivedSpan[] {
    return this.spans.filter(({ resource }) => resource['container.name'] === container);
  }

  pointsOf(container: string, metric: string): ReceivedPoint[] {
    return this.points.filter(
      ({ resource, name }) => resource['container.name'] === container && name === metric,
    );
  }

  /** Decodes a request and answers it. */
  async handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk);
    const signal = signals.find((known) => request.url === `/v1/${known}`);
    if (signal === undefined || request.method !== 'POST') {
      response.writeHead(404).end();
      return;
    }
    this.requests[signal]++;
    const sent = Buffer.concat(chunks);
    const bytes = request.headers['content-encoding'] === 'gzip' ? gunzipSync(sent) : sent;
    const contentType = String(request.headers['content-type']);
    this.contentTypes.add(contentType);
    const isJson = contentType === 'application/json';
    const message = isJson ? JSON.parse(bytes.toString('utf8')) : this.decode(signal, bytes);
    this.headers = request.headers;
    const fault = this.fault(signal, message);
    if (fault !== undefined && fault.status !== 200) {
      if (signal === 'logs') this.refused.push(...readLogs(message));
      response
        .writeHead(fault.status, fault.retryAfter === undefined ? {} : { 'retry-after': fault.retryAfter })
        .end();
      return;
    }
    this.accept(signal, message);
    const answer = answerOf(signal, fault);
    response.writeHead(200, { 'content-type': contentType });
    response.end(isJson ? JSON.stringify(answer) : types[signal].response.encode(answer).finish());
  }

  private serve(signal: Signal): void {
    const { request, response } = types[signal];
    this.grpc.addService(
      {
        Export: {
          path: `/opentelemetry.proto.collector.${services[signal]}/Export`,
          requestStream: false,
          responseStream: false,
          requestSerialize: (message: DecodedMessage) => Buffer.from(request.encode(message).finish()),
          requestDeserialize: (bytes: Buffer) => this.decode(signal, bytes),
          responseSerialize: (message: DecodedMessage) => Buffer.from(response.encode(message).finish()),
          responseDeserialize: (bytes: Buffer) => response.decode(bytes),
        },
      },
      {
        Export: (
          call: ServerUnaryCall<DecodedMessage, DecodedMessage>,
          callback: sendUnaryData<DecodedMessage>,
        ) => {
          this.requests[signal]++;
          const fault = this.fault(signal, call.request);
          if (fault !== undefined && fault.status !== 0) {
            const metadata = new Metadata();
            if (fault.retryDelayMs !== undefined)
              metadata.set('grpc-status-details-bin', statusWithDelay(fault.status, fault.retryDelayMs));
            callback({ code: fault.status, details: 'fault of the test', metadata });
            return;
          }
          this.headers = call.metadata.getMap() as IncomingHttpHeaders;
          this.accept(signal, call.request);
          callback(null, answerOf(signal, fault));
        },
      },
    );
  }

  encodeAnswer(signal: Signal, answer: Answer): Uint8Array {
    return types[signal].response.encode(answerOf(signal, answer)).finish();
  }

  decode(signal: Signal, bytes: Uint8Array): DecodedMessage {
    const { request } = types[signal];
    return request.toObject(request.decode(bytes), { longs: String, bytes: String, enums: Number });
  }

  accept(signal: Signal, message: DecodedMessage): void {
    if (signal === 'logs') this.logs.push(...readLogs(message));
    else if (signal === 'traces') this.spans.push(...readSpans(message));
    else this.acceptMetrics(message);
  }

  private acceptMetrics(message: DecodedMessage): void {
    for (const { resource, scopeMetrics } of message.resourceMetrics ?? []) {
      for (const { metrics: list } of scopeMetrics ?? []) {
        for (const metric of list ?? []) {
          const data = metric.sum ?? metric.gauge;
          for (const point of data?.dataPoints ?? []) {
            this.points.push({
              resource: values(resource?.attributes),
              name: metric.name,
              unit: metric.unit,
              kind: metric.sum ? 'sum' : 'gauge',
              monotonic: metric.sum?.isMonotonic ?? false,
              temporality: metric.sum?.aggregationTemporality ?? 0,
              startTime: BigInt(point.startTimeUnixNano ?? 0),
              time: BigInt(point.timeUnixNano),
              value: Number(point.asInt ?? point.asDouble ?? 0),
              isInteger: point.asInt != null,
              attributes: values(point.attributes),
              request: this.requests.metrics,
            });
          }
        }
      }
    }
  }
}
