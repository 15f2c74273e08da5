/**
 * OTLP destinations: the configuration of each signal's receiver, with defaults and inherited options
 * resolved.
 */

import {
  type compressions,
  DEFAULT_COMPRESSION,
  DEFAULT_PROTOCOL,
  DEFAULT_TIMEOUT_MS,
  MAIN_DESTINATION,
  parsePairs,
  type protocolNames,
  type RecordKind,
  recordKinds,
  type signalNames,
} from './receiver-options.ts';
import type { Config } from './schema.ts';

export type Protocol = (typeof protocolNames)[number];
export type Signal = (typeof signalNames)[number];

/** A receiver that is reached over HTTP or gRPC. */
export interface HttpEndpoint {
  readonly url: URL;
  readonly headers: Readonly<Record<string, string>>;
  /** File with more headers, one per line. */
  readonly headersFile: string | undefined;
  readonly timeoutMs: number;
  /** Paths of PEM files. */
  readonly certificate: string | undefined;
  readonly clientCertificate: string | undefined;
  readonly clientKey: string | undefined;
}

/** The receiver of one signal. Of a gRPC receiver's URL, only scheme, host and port are used. */
export interface SignalEndpoint extends HttpEndpoint {
  readonly signal: Signal;
  readonly protocol: Protocol;
  readonly compression: (typeof compressions)[number];
}

export interface Destination {
  readonly name: string;
  /** The data that it receives. */
  readonly kinds: readonly RecordKind[];
  /** Undefined for signals that it does not receive. */
  readonly endpoints: Readonly<Record<Signal, SignalEndpoint | undefined>>;
  /** Selectors of the containers whose data it receives. */
  readonly containers: { readonly include: readonly string[]; readonly exclude: readonly string[] };
  /** Which metrics are sent first after an outage. */
  readonly metricsOrder: 'newest' | 'oldest';
  /** Bytes per second to send of the backlog. */
  readonly backlogRate: number;
  /** Maximum size of its spool. */
  readonly maxBytes: number;
  /** How long data that it does not accept is kept. */
  readonly maxAgeMs: number;
}

const DEFAULT_PORTS: Readonly<Record<'grpc' | 'http', number>> = { grpc: 4317, http: 4318 };

type ReceiverConfig = Pick<
  Config['otlp'],
  | 'endpoint'
  | 'protocol'
  | 'headers'
  | 'headers_file'
  | 'timeout'
  | 'compression'
  | 'certificate'
  | 'client_certificate'
  | 'client_key'
  | 'insecure'
>;

/** @param path of the option, for messages */
function resolveUrl(
  signal: Signal,
  protocol: Protocol,
  specific: ReceiverConfig,
  general: ReceiverConfig,
  path: string,
): URL {
  const isGrpc = protocol === 'grpc';
  const text =
    specific.endpoint ?? general.endpoint ?? `http://localhost:${DEFAULT_PORTS[isGrpc ? 'grpc' : 'http']}`;
  const hasScheme = /^https?:\/\//.test(text);
  const insecure = specific.insecure ?? general.insecure ?? false;
  const whole = hasScheme ? text : `${insecure ? 'http' : 'https'}://${text}`;
  if ((!hasScheme && !isGrpc) || !URL.canParse(whole)) {
    throw new Error(
      `${specific.endpoint === undefined ? path : `${path}.${signal}`}.endpoint: ${JSON.stringify(text)} is not allowed; expected an http:// or https:// URL (only the protocol grpc allows host:port)`,
    );
  }
  const url = new URL(whole);
  // A signal's endpoint is used as it is. The general endpoint gets the signal's path appended.
  // Source: https://opentelemetry.io/docs/specs/otel/protocol/exporter/#endpoint-urls-for-otlphttp
  if (!isGrpc && specific.endpoint === undefined)
    url.pathname = `${url.pathname.replace(/\/$/, '')}/v1/${signal}`;
  return url;
}

function resolveEndpoint(
  signal: Signal,
  specific: ReceiverConfig,
  general: ReceiverConfig,
  path: string,
): SignalEndpoint {
  const get = <K extends keyof ReceiverConfig>(key: K): ReceiverConfig[K] => specific[key] ?? general[key];
  const protocol = get('protocol') ?? DEFAULT_PROTOCOL;
  const certificate = get('client_certificate');
  const key = get('client_key');
  if ((certificate === undefined) !== (key === undefined)) {
    const [set, missing] =
      certificate === undefined ? ['client_key', 'client_certificate'] : ['client_certificate', 'client_key'];
    throw new Error(`${path}.${missing}: is required with ${set}; expected the path of a PEM file`);
  }
  return {
    signal,
    protocol,
    url: resolveUrl(signal, protocol, specific, general, path),
    headers: lowerCaseNames(parsePairs(get('headers') ?? '') ?? {}),
    headersFile: get('headers_file'),
    timeoutMs: get('timeout') ?? DEFAULT_TIMEOUT_MS,
    compression: get('compression') ?? DEFAULT_COMPRESSION,
    certificate: get('certificate'),
    clientCertificate: certificate,
    clientKey: key,
  };
}

export const lowerCaseNames = (headers: Record<string, string>): Record<string, string> =>
  Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]));

const ALL_CONTAINERS = { include: [], exclude: [] };

/**
 * @returns no destinations where OTLP is off
 * @throws {Error} when options contradict each other; the message starts with a path
 */
export function resolveDestinations(config: Config): Destination[] {
  const { otlp, destinations, spool, traces, telemetry } = config;
  if (!config.exporter.includes('otlp') || !otlp.enabled) return [];
  const bounds = { backlogRate: spool.backlog_rate, maxBytes: spool.max_size, maxAgeMs: spool.max_age };
  const isEnabled = (kind: RecordKind) => kind !== 'traces' || traces.enabled || telemetry.traces;

  const bySignal = { logs: otlp.logs, metrics: otlp.metrics, traces: otlp.traces };
  const hasEndpoint =
    otlp.endpoint !== undefined || Object.values(bySignal).some(({ endpoint }) => endpoint !== undefined);
  const all: Destination[] = [];
  if (hasEndpoint || Object.keys(destinations).length === 0) {
    // If only some signals have an endpoint, the others are not sent.
    const isSent = (signal: Signal) =>
      !hasEndpoint || otlp.endpoint !== undefined || bySignal[signal].endpoint !== undefined;
    const endpoint = (signal: Signal) =>
      isSent(signal) ? resolveEndpoint(signal, bySignal[signal], otlp, 'otlp') : undefined;
    all.push({
      name: MAIN_DESTINATION,
      kinds: otlp.signals.filter((kind) => isEnabled(kind) && isSent(signalOfKind(kind))),
      endpoints: { logs: endpoint('logs'), metrics: endpoint('metrics'), traces: endpoint('traces') },
      containers: ALL_CONTAINERS,
      metricsOrder: otlp.metrics_order,
      ...bounds,
    });
  }
  for (const [name, options] of Object.entries(destinations)) {
    const endpoint = (signal: Signal) =>
      resolveEndpoint(signal, NO_RECEIVER, options, `destinations.${name}`);
    all.push({
      name,
      kinds: (options.signals ?? recordKinds).filter(isEnabled),
      endpoints: { logs: endpoint('logs'), metrics: endpoint('metrics'), traces: endpoint('traces') },
      containers: { include: options.containers?.include ?? [], exclude: options.containers?.exclude ?? [] },
      metricsOrder: options.metrics_order ?? otlp.metrics_order,
      ...bounds,
    });
  }
  return all;
}

export const signalOfKind = (kind: RecordKind): Signal => (kind === 'events' ? 'logs' : kind);

const NO_RECEIVER: ReceiverConfig = {
  endpoint: undefined,
  protocol: undefined,
  headers: undefined,
  headers_file: undefined,
  timeout: undefined,
  compression: undefined,
  certificate: undefined,
  client_certificate: undefined,
  client_key: undefined,
  insecure: undefined,
};
