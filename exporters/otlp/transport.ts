/**
 * Sends ready-made OTLP bytes through OpenTelemetry's own exporters: transport, TLS, compression, headers
 * and the `OTEL_EXPORTER_OTLP_*` variables are theirs.
 */
import { ExportResultCode } from '@opentelemetry/core';
import type { IOtlpExportDelegate } from '@opentelemetry/otlp-exporter-base';
import type { IExporterMetricsHelper, ISerializer } from '@opentelemetry/otlp-transformer';
import {
  decodeLogs,
  decodeMetrics,
  decodeResponse,
  decodeTraces,
  type PartialSuccess,
} from '../../agent/otlp/decode.ts';

export const protocols = ['http/protobuf', 'http/json', 'grpc'] as const;
export type Protocol = (typeof protocols)[number];
export type Signal = 'logs' | 'metrics' | 'traces';

export class SendError extends Error {
  override readonly name = 'SendError';
  /** Whether sending the same bytes again can succeed. */
  readonly retryable: boolean;

  constructor(message: string, retryable: boolean) {
    super(message);
    this.retryable = retryable;
  }
}

export interface Transport {
  /** @throws {SendError} */
  send(request: Uint8Array): Promise<PartialSuccess>;
  shutdown(): void;
}

/**
 * gRPC codes that the OTLP specification lets a client retry: CANCELLED, DEADLINE_EXCEEDED,
 * RESOURCE_EXHAUSTED, ABORTED, OUT_OF_RANGE, UNAVAILABLE, DATA_LOSS.
 * https://opentelemetry.io/docs/specs/otlp/#failures
 */
const RETRYABLE_GRPC = new Set([1, 4, 8, 10, 11, 14, 15]);

const ACCEPTED: PartialSuccess = { rejected: 0, message: '' };

interface JsonPartialSuccess {
  partialSuccess?: {
    rejectedLogRecords?: string | number;
    rejectedDataPoints?: string | number;
    rejectedSpans?: string | number;
    errorMessage?: string;
  };
}

function decodeJsonResponse(bytes: Uint8Array): PartialSuccess {
  const { partialSuccess: partial } = JSON.parse(Buffer.from(bytes).toString('utf8')) as JsonPartialSuccess;
  return {
    rejected: Number(
      partial?.rejectedLogRecords ?? partial?.rejectedDataPoints ?? partial?.rejectedSpans ?? 0,
    ),
    message: partial?.errorMessage ?? '',
  };
}

/** What the signals have names of their own for. */
const facts: Readonly<
  Record<Signal, { decode: (request: Uint8Array) => unknown; item: string; scope: string; service: string }>
> = {
  logs: { decode: decodeLogs, item: 'log', scope: 'logs', service: 'LogsService' },
  metrics: { decode: decodeMetrics, item: 'metric_data_point', scope: 'metrics', service: 'MetricsService' },
  traces: { decode: decodeTraces, item: 'span', scope: 'trace', service: 'TraceService' },
};

function toJson(signal: Signal, request: Uint8Array): Uint8Array {
  return Buffer.from(JSON.stringify(facts[signal].decode(request)));
}

type Serializer = ISerializer<Uint8Array, PartialSuccess>;

/** The delegates count records for metrics of their own, which we leave off: ours are counted by destination. */
const uncounted = (signal: Signal): IExporterMetricsHelper<Uint8Array> => ({
  name: facts[signal].item as 'log',
  countItems: () => 0,
});

/** Imports only the protocol that is used: gRPC alone is worth 10 MB of memory. */
async function createDelegate(
  signal: Signal,
  protocol: Protocol,
  serializer: Serializer,
): Promise<IOtlpExportDelegate<Uint8Array>> {
  const identifier = signal.toUpperCase();
  if (protocol === 'grpc') {
    const grpc = await import('@opentelemetry/otlp-grpc-exporter-base');
    const { scope, service } = facts[signal];
    return grpc.createOtlpGrpcExportDelegate(
      grpc.convertLegacyOtlpGrpcOptions({}, identifier),
      serializer,
      'otlp_grpc',
      uncounted(signal),
      undefined,
      `${service}Export`,
      `/opentelemetry.proto.collector.${scope}.v1.${service}/Export`,
    );
  }
  const http = await import('@opentelemetry/otlp-exporter-base/node-http');
  const contentType = protocol === 'http/json' ? 'application/json' : 'application/x-protobuf';
  return http.createOtlpHttpExportDelegate(
    http.convertLegacyHttpOptions({}, identifier, `v1/${signal}`, { 'Content-Type': contentType }),
    serializer,
    'otlp_http',
    uncounted(signal),
    undefined,
  );
}

/** What a delegate's failure means. */
function sendError(error: Error | undefined, protocol: Protocol): SendError {
  const code = (error as { code?: unknown } | undefined)?.code;
  const message = error?.message || 'no answer';
  if (typeof code !== 'number') return new SendError(message, true);
  if (protocol === 'grpc') return new SendError(message, RETRYABLE_GRPC.has(code));
  return new SendError(`HTTP ${code} ${message}`, false);
}

export async function createTransport(signal: Signal, protocol: Protocol): Promise<Transport> {
  let response = ACCEPTED;
  const serializer: Serializer = {
    serializeRequest: (request) => (protocol === 'http/json' ? toJson(signal, request) : request),
    deserializeResponse(bytes) {
      if (bytes.length > 0)
        response = protocol === 'http/json' ? decodeJsonResponse(bytes) : decodeResponse(bytes);
      return response;
    },
  };
  const delegate = await createDelegate(signal, protocol, serializer);
  return {
    send(request) {
      response = ACCEPTED;
      return new Promise((resolve, reject) => {
        delegate.export(request, ({ code, error }) => {
          if (code === ExportResultCode.SUCCESS) resolve(response);
          else reject(sendError(error, protocol));
        });
      });
    },
    shutdown: () => void delegate.shutdown(),
  };
}
