/** OTLP over gRPC. Imported only when it is used: grpc-js takes 10 MB of memory. */
import {
  Client,
  type ClientOptions,
  type ClientUnaryCall,
  credentials,
  Metadata,
  type ServiceError,
  status,
} from '@grpc/grpc-js';
import type { Signal, SignalEndpoint } from '../../config/destinations.ts';
import { VERSION } from '../../config/version.ts';
import { readHeaders, readTlsFiles } from '../sending/endpoint-files.ts';
import {
  accepted,
  refused,
  retry,
  type SendResult,
  type Transport,
  tooLarge,
  unreachable,
} from '../sending/send-result.ts';
import { decodeResponse, decodeRetryDelay } from './wire/decode.ts';

/**
 * RESOURCE_EXHAUSTED is retryable too, but only with a RetryInfo.
 * Source: https://opentelemetry.io/docs/specs/otlp/#failures
 */
const RETRYABLE = new Set<number>([status.CANCELLED, status.ABORTED, status.OUT_OF_RANGE, status.DATA_LOSS]);
/** grpc-js also reports a failed connection and a missing answer with these. */
const UNREACHABLE = new Set<number>([status.UNAVAILABLE, status.DEADLINE_EXCEEDED]);

/** Codes that one record of the request can cause. */
const OF_CONTENT = new Set<number>([status.INVALID_ARGUMENT, status.INTERNAL, status.UNKNOWN]);

const services: Readonly<Record<Signal, string>> = {
  logs: 'logs.v1.LogsService',
  metrics: 'metrics.v1.MetricsService',
  traces: 'trace.v1.TraceService',
};

const GZIP = 2;

const options: ClientOptions = {
  // The receiver enforces its own limit.
  'grpc.max_send_message_length': -1,
  // Detects a connection whose other end is gone.
  'grpc.keepalive_time_ms': 20_000,
  'grpc.keepalive_timeout_ms': 5000,
  // The sender waits between attempts. Each attempt resolves the name again.
  'grpc.dns_min_time_between_resolutions_ms': 1000,
  'grpc.initial_reconnect_backoff_ms': 250,
  'grpc.max_reconnect_backoff_ms': 5000,
  'grpc.primary_user_agent': `portlight/${VERSION}`,
};

function toSendResult({ code, details, metadata }: ServiceError): SendResult {
  const message = `gRPC ${status[code] ?? code} ${details}`.trim();
  const [encoded] = metadata?.get('grpc-status-details-bin') ?? [];
  const delay = Buffer.isBuffer(encoded) ? decodeRetryDelay(encoded) : undefined;
  if (UNREACHABLE.has(code) && delay === undefined) return unreachable(message);
  if (UNREACHABLE.has(code) || RETRYABLE.has(code)) return retry(message, delay);
  if (code === status.RESOURCE_EXHAUSTED) {
    if (delay !== undefined) return retry(message, delay);
    if (/larger than max|too large|message size/i.test(details)) return tooLarge(message);
  }
  return refused(message, OF_CONTENT.has(code));
}

function acceptedResult(answer: Buffer | undefined): SendResult {
  try {
    return accepted(decodeResponse(answer ?? Buffer.alloc(0)));
  } catch {
    // The receiver accepted the request. Only its partial success cannot be read.
    return accepted({ rejected: 0, message: '' });
  }
}

/** @throws {Error} when a file of the endpoint cannot be read */
export function createGrpcTransport(endpoint: SignalEndpoint): Transport {
  const { url, signal, timeoutMs, compression } = endpoint;
  const { ca, cert, key } = readTlsFiles(endpoint);
  const isSecure = url.protocol === 'https:';
  const metadata = new Metadata();
  for (const [name, value] of Object.entries(readHeaders(endpoint))) metadata.set(name, value);
  const inFlight = new Set<ClientUnaryCall>();
  const client = new Client(
    `${url.hostname}:${url.port || (isSecure ? 443 : 80)}`,
    isSecure ? credentials.createSsl(ca ?? null, key ?? null, cert ?? null) : credentials.createInsecure(),
    { ...options, ...(compression === 'gzip' && { 'grpc.default_compression_algorithm': GZIP }) },
  );
  const path = `/opentelemetry.proto.collector.${services[signal]}/Export`;
  return {
    send: (request, span) =>
      new Promise((resolve) => {
        const call = client.makeUnaryRequest<Buffer, Buffer>(
          path,
          (bytes) => bytes,
          (bytes) => bytes,
          request,
          metadata,
          { deadline: Date.now() + timeoutMs },
          (error, answer) => {
            inFlight.delete(call);
            span?.setAttribute('rpc.grpc.status_code', error?.code ?? status.OK);
            resolve(error === null ? acceptedResult(answer) : toSendResult(error));
          },
        );
        inFlight.add(call);
      }),
    close() {
      // Closing the channel does not end calls in flight.
      for (const call of inFlight) call.cancel();
      client.close();
    },
  };
}
