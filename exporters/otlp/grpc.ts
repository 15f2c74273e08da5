/** OTLP over gRPC. Imported only where it is used: grpc-js is worth 10 MB of memory. */
import { Client, type ClientOptions, credentials, Metadata, type ServiceError, status } from '@grpc/grpc-js';
import { decodeResponse, decodeRetryDelay, type PartialSuccess } from '../../agent/otlp/decode.ts';
import { VERSION } from '../../agent/version.ts';
import type { Signal, Target } from '../../config/destinations.ts';
import { headersOf, tlsOf } from './target.ts';
import { refused, retry, type Transport, tooLarge, type Verdict } from './verdict.ts';

/** https://opentelemetry.io/docs/specs/otlp/#failures: RESOURCE_EXHAUSTED only with a RetryInfo. */
const RETRYABLE = new Set<number>([
  status.CANCELLED,
  status.DEADLINE_EXCEEDED,
  status.ABORTED,
  status.OUT_OF_RANGE,
  status.UNAVAILABLE,
  status.DATA_LOSS,
]);

/** Refused for what is in a request, or for what that did to the receiver. */
const OF_CONTENT = new Set<number>([status.INVALID_ARGUMENT, status.INTERNAL, status.UNKNOWN]);

const services: Readonly<Record<Signal, string>> = {
  logs: 'logs.v1.LogsService',
  metrics: 'metrics.v1.MetricsService',
  traces: 'trace.v1.TraceService',
};

const GZIP = 2;

const options: ClientOptions = {
  // The receiver's limit counts, and it says so itself.
  'grpc.max_send_message_length': -1,
  // A connection of which the other end has gone is found while it is used.
  'grpc.keepalive_time_ms': 20_000,
  'grpc.keepalive_timeout_ms': 5000,
  // The queue waits between attempts: a name's new address is looked up at each.
  'grpc.dns_min_time_between_resolutions_ms': 1000,
  'grpc.initial_reconnect_backoff_ms': 250,
  'grpc.max_reconnect_backoff_ms': 5000,
  'grpc.primary_user_agent': `portlight/${VERSION}`,
};

function verdictOn({ code, details, metadata }: ServiceError): Verdict {
  const message = `gRPC ${status[code] ?? code} ${details}`.trim();
  const [encoded] = metadata?.get('grpc-status-details-bin') ?? [];
  const delay = Buffer.isBuffer(encoded) ? decodeRetryDelay(encoded) : undefined;
  if (RETRYABLE.has(code)) return retry(message, delay);
  if (code === status.RESOURCE_EXHAUSTED) {
    if (delay !== undefined) return retry(message, delay);
    if (/larger than max|too large|exceed/i.test(details)) return tooLarge(message);
  }
  return refused(message, OF_CONTENT.has(code));
}

/** @throws {Error} when a file of the target cannot be read */
export function grpcTransport(target: Target): Transport {
  const { url, signal, timeoutMs, compression } = target;
  const { ca, cert, key } = tlsOf(target);
  const isSecure = url.protocol === 'https:';
  const metadata = new Metadata();
  for (const [name, value] of Object.entries(headersOf(target))) metadata.set(name, value);
  const client = new Client(
    `${url.hostname}:${url.port || (isSecure ? 443 : 80)}`,
    isSecure ? credentials.createSsl(ca ?? null, key ?? null, cert ?? null) : credentials.createInsecure(),
    { ...options, ...(compression === 'gzip' && { 'grpc.default_compression_algorithm': GZIP }) },
  );
  const path = `/opentelemetry.proto.collector.${services[signal]}/Export`;
  return {
    send: (request) =>
      new Promise((resolve) => {
        client.makeUnaryRequest<Buffer, PartialSuccess>(
          path,
          (bytes) => bytes,
          decodeResponse,
          request,
          metadata,
          { deadline: Date.now() + timeoutMs },
          (error, answer) => {
            if (error !== null) resolve(verdictOn(error));
            else resolve({ kind: 'accepted', ...(answer ?? { rejected: 0, message: '' }) });
          },
        );
      }),
    close: () => client.close(),
  };
}
