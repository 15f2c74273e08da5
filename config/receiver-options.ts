import {
  booleanValue,
  durationBetween,
  matching,
  oneOf,
  option,
  optional,
  optionalText,
  optionalTextWhere,
} from './option.ts';

export const protocolNames = ['http/protobuf', 'http/json', 'grpc'] as const;
export const compressions = ['none', 'gzip'] as const;
/** Signals as OTLP has them. */
export const signalNames = ['logs', 'metrics', 'traces'] as const;

/** What a destination can be sent; OTLP's logs are two. */
export const recordKinds = ['logs', 'events', 'metrics', 'traces'] as const;
export type RecordKind = (typeof recordKinds)[number];
/** The destination that OpenTelemetry's variables and `otlp` in the file describe. */
export const MAIN_DESTINATION = 'otlp';

const ENDPOINT = /^(https?:\/\/[^/\s]+\S*|[\w.-]+:\d+|\[[0-9a-fA-F:]+\]:\d+)$/;
const MIN_TIMEOUT_MS = 100;
const MAX_TIMEOUT_MS = 600_000;

/** `key=value` pairs with commas, percent-encoded; undefined when it is anything else. */
export function parsePairs(text: string): Record<string, string> | undefined {
  const pairs: Record<string, string> = {};
  for (const pair of text.split(',')) {
    if (pair.trim() === '') continue;
    const [, key, value] = /^\s*([^=\s]+)\s*=\s*(.*?)\s*$/.exec(pair) ?? [];
    if (key === undefined) return undefined;
    try {
      pairs[decodeURIComponent(key)] = decodeURIComponent(value!);
    } catch {
      return undefined;
    }
  }
  return pairs;
}

const file = (what: string, otel: string) =>
  option(what, { allowed: 'a path to a file in PEM', otel }, optionalText);

/** @param signal whose own they are, which count before the general ones; '' for these */
export function receiverOptions(signal: '' | (typeof signalNames)[number]) {
  const of = signal === '' ? '' : ` of ${signal}, where it is another`;
  const name = (what: string) =>
    `OTEL_EXPORTER_OTLP_${signal === '' ? '' : `${signal.toUpperCase()}_`}${what}`;
  return {
    endpoint: option(
      signal === '' ? 'OTLP receiver' : `OTLP receiver${of}: the whole URL, with its path`,
      {
        allowed: 'an http:// or https:// URL; for gRPC also host:port',
        otel: name('ENDPOINT'),
      },
      optional(matching(ENDPOINT)),
    ),
    protocol: option(
      `OTLP protocol${of}`,
      { allowed: `one of ${protocolNames.join(', ')}`, values: protocolNames, otel: name('PROTOCOL') },
      optional(oneOf(protocolNames)),
    ),
    headers: option(
      `Headers of each request${of}, such as api-key=…; several with commas`,
      {
        allowed: 'key=value pairs with commas, percent-encoded',
        otel: name('HEADERS'),
        secret: true,
      },
      optionalTextWhere((text) => parsePairs(text) !== undefined),
    ),
    headers_file: option(
      `File of more headers${of}, a line each (name: value), for secrets; read again every few minutes`,
      { allowed: 'a path' },
      optionalText,
    ),
    timeout: option(
      `How long the answer to a request is waited for${of}`,
      {
        allowed:
          'a duration between 100ms and 10m with its unit, such as 10s (in the variable: milliseconds)',
        otel: name('TIMEOUT'),
        fromOtel: (milliseconds) => (/^\d+$/.test(milliseconds) ? `${milliseconds}ms` : milliseconds),
      },
      optional(durationBetween(MIN_TIMEOUT_MS, MAX_TIMEOUT_MS)),
    ),
    compression: option(
      `Compression of requests${of}`,
      { allowed: `one of ${compressions.join(', ')}`, values: compressions, otel: name('COMPRESSION') },
      optional(oneOf(compressions)),
    ),
    certificate: file(`Certificates to trust${of}, instead of the system's`, name('CERTIFICATE')),
    client_certificate: file(`Certificate to show${of}`, name('CLIENT_CERTIFICATE')),
    client_key: file(`Key of the certificate to show${of}`, name('CLIENT_KEY')),
    insecure: option(
      `Whether gRPC goes without TLS${of}, where the endpoint has no scheme`,
      {
        allowed: 'true or false',
        otel: name('INSECURE'),
        fromOtel: (word) => word.toLowerCase(),
      },
      optional(booleanValue),
    ),
  };
}
