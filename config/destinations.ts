/** Where records are sent by OTLP: what the configuration says, signal by signal, with everything filled in. */

import {
  type compressions,
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

/** Where requests go, and how. */
export interface HttpEndpoint {
  readonly url: URL;
  readonly headers: Readonly<Record<string, string>>;
  /** A file of more headers, a line each. */
  readonly headersFile: string | undefined;
  /** How long the answer to one request is waited for. */
  readonly timeoutMs: number;
  /** Files in PEM. */
  readonly certificate: string | undefined;
  readonly clientCertificate: string | undefined;
  readonly clientKey: string | undefined;
}

/** Where one signal of a destination goes; of gRPC, only host, port and scheme of the URL count. */
export interface SignalEndpoint extends HttpEndpoint {
  readonly signal: Signal;
  readonly protocol: Protocol;
  readonly compression: (typeof compressions)[number];
}

export interface Destination {
  readonly name: string;
  /** What it is sent. */
  readonly kinds: readonly RecordKind[];
  readonly endpoints: Readonly<Record<Signal, SignalEndpoint | undefined>>;
  /** Rules for whose records it is sent. */
  readonly containers: { readonly include: readonly string[]; readonly exclude: readonly string[] };
  /** Which metrics go first where several rounds wait. */
  readonly metricsOrder: 'newest' | 'oldest';
  /** Bytes a second of what waited for it. */
  readonly backlogRate: number;
  /** Bound of its spool, bytes. */
  readonly maxBytes: number;
  /** How long what it does not take is kept, ms. */
  readonly maxAgeMs: number;
}

const DEFAULT_PROTOCOL: Protocol = 'http/protobuf';
export const DEFAULT_TIMEOUT_MS = 10_000;
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

/** @param path of the option, for whoever gave it */
function resolveUrl(
  signal: Signal,
  protocol: Protocol,
  own: ReceiverConfig,
  general: ReceiverConfig,
  path: string,
): URL {
  const isGrpc = protocol === 'grpc';
  const text =
    own.endpoint ?? general.endpoint ?? `http://localhost:${DEFAULT_PORTS[isGrpc ? 'grpc' : 'http']}`;
  const hasScheme = /^https?:\/\//.test(text);
  const insecure = own.insecure ?? general.insecure ?? false;
  const whole = hasScheme ? text : `${insecure ? 'http' : 'https'}://${text}`;
  if ((!hasScheme && !isGrpc) || !URL.canParse(whole)) {
    throw new Error(
      `${own.endpoint === undefined ? path : `${path}.${signal}`}.endpoint: ${JSON.stringify(text)} is not allowed; expected an http:// or https:// URL (without a scheme only for the protocol grpc)`,
    );
  }
  const url = new URL(whole);
  // A signal's own endpoint is taken as it is; the general one is what the signals' paths follow.
  if (!isGrpc && own.endpoint === undefined) url.pathname = `${url.pathname.replace(/\/$/, '')}/v1/${signal}`;
  return url;
}

function resolveEndpoint(
  signal: Signal,
  own: ReceiverConfig,
  general: ReceiverConfig,
  path: string,
): SignalEndpoint {
  const of = <K extends keyof ReceiverConfig>(key: K): ReceiverConfig[K] => own[key] ?? general[key];
  const protocol = of('protocol') ?? DEFAULT_PROTOCOL;
  const certificate = of('client_certificate');
  const key = of('client_key');
  if ((certificate === undefined) !== (key === undefined)) {
    const [there, missing] =
      certificate === undefined ? ['client_key', 'client_certificate'] : ['client_certificate', 'client_key'];
    throw new Error(`${path}.${missing}: is missing; expected a file, since there is a ${there}`);
  }
  return {
    signal,
    protocol,
    url: resolveUrl(signal, protocol, own, general, path),
    headers: lowerCaseNames(parsePairs(of('headers') ?? '') ?? {}),
    headersFile: of('headers_file'),
    timeoutMs: of('timeout') ?? DEFAULT_TIMEOUT_MS,
    compression: of('compression') ?? 'none',
    certificate: of('certificate'),
    clientCertificate: certificate,
    clientKey: key,
  };
}

export const lowerCaseNames = (headers: Record<string, string>): Record<string, string> =>
  Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]));

const ALL_CONTAINERS = { include: [], exclude: [] };

/**
 * @returns nothing where OTLP is off
 * @throws {Error} naming the option that is wrong beside another
 */
export function resolveDestinations(config: Config): Destination[] {
  const { otlp, destinations, spool, traces, telemetry } = config;
  if (!config.exporter.includes('otlp') || !otlp.enabled) return [];
  const bounds = { backlogRate: spool.backlog_rate, maxBytes: spool.max_size, maxAgeMs: spool.max_age };
  const isWanted = (kind: RecordKind) => kind !== 'traces' || traces.enabled || telemetry.traces;

  const own = { logs: otlp.logs, metrics: otlp.metrics, traces: otlp.traces };
  const isNamed =
    otlp.endpoint !== undefined || Object.values(own).some(({ endpoint }) => endpoint !== undefined);
  const all: Destination[] = [];
  if (isNamed || Object.keys(destinations).length === 0) {
    // Where only some signals are given a receiver, the others have none.
    const has = (signal: Signal) =>
      !isNamed || otlp.endpoint !== undefined || own[signal].endpoint !== undefined;
    const target = (signal: Signal) =>
      has(signal) ? resolveEndpoint(signal, own[signal], otlp, 'otlp') : undefined;
    all.push({
      name: MAIN_DESTINATION,
      kinds: otlp.signals.filter((kind) => isWanted(kind) && has(signalOfKind(kind))),
      endpoints: { logs: target('logs'), metrics: target('metrics'), traces: target('traces') },
      containers: ALL_CONTAINERS,
      metricsOrder: otlp.metrics_order,
      ...bounds,
    });
  }
  for (const [name, given] of Object.entries(destinations)) {
    const target = (signal: Signal) => resolveEndpoint(signal, NO_RECEIVER, given, `destinations.${name}`);
    all.push({
      name,
      kinds: (given.signals ?? recordKinds).filter(isWanted),
      endpoints: { logs: target('logs'), metrics: target('metrics'), traces: target('traces') },
      containers: { include: given.containers?.include ?? [], exclude: given.containers?.exclude ?? [] },
      metricsOrder: given.metrics_order ?? otlp.metrics_order,
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
