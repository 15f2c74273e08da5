/** OTLP over gRPC. Imported only where it is used: grpc-js is worth 10 MB of memory. */
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

/** https://opentelemetry.io/docs/specs/otlp/#failures: RESOURCE_EXHAUSTED only with a RetryInfo. */
const RETRYABLE = new Set<number>([status.CANCELLED, status.ABORTED, status.OUT_OF_RANGE, status.DATA_LOSS]);
/** What a connection that cannot be made, or an answer that does not come, is told as too. */
const AWAY = new Set<number>([status.UNAVAILABLE, status.DEADLINE_EXCEEDED]);

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

function verdictOn({ code, details, metadata }: ServiceError): SendResult {
  const message = `gRPC ${status[code] ?? code} ${details}`.trim();
  const [encoded] = metadata?.get('grpc-status-details-bin') ?? [];
  const delay = Buffer.isBuffer(encoded) ? decodeRetryDelay(encoded) : undefined;
  if (AWAY.has(code) && delay === undefined) return unreachable(message);
  if (AWAY.has(code) || RETRYABLE.has(code)) return retry(message, delay);
  if (code === status.RESOURCE_EXHAUSTED) {
    if (delay !== undefined) return retry(message, delay);
    if (/larger than max|too large|message size/i.test(details)) return tooLarge(message);
  }
  return refused(message, OF_CONTENT.has(code));
}

function verdictOnAnswer(answer: Buffer | undefined): SendResult {
  try {
    return accepted(decodeResponse(answer ?? Buffer.alloc(0)));
  } catch {
    // It was taken; whatever else was to be said of it cannot be read.
    return accepted({ rejected: 0, message: '' });
  }
}

/** @throws {Error} when a file of the target cannot be read */
export function createGrpcTransport(target: SignalEndpoint): Transport {
  const { url, signal, timeoutMs, compression } = target;
  const { ca, cert, key } = readTlsFiles(target);
  const isSecure = url.protocol === 'https:';
  const metadata = new Metadata();
  for (const [name, value] of Object.entries(readHeaders(target))) metadata.set(name, value);
  const underWay = new Set<ClientUnaryCall>();
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
            underWay.delete(call);
            span?.setAttribute('rpc.grpc.status_code', error?.code ?? status.OK);
            resolve(error === null ? verdictOnAnswer(answer) : verdictOn(error));
          },
        );
        underWay.add(call);
      }),
    close() {
      // The channel's end alone lets calls go on.
      for (const call of underWay) call.cancel();
      client.close();
    },
  };
}
