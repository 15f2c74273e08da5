/** Options of an OTLP receiver, and the names that they use. */
import {
  booleanValue,
  durationBetween,
  matching,
  type OptionMetadata,
  oneOf,
  option,
  optional,
  optionalText,
  optionalTextWhere,
} from './option.ts';

export const protocolNames = ['http/protobuf', 'http/json', 'grpc'] as const;
export const compressions = ['none', 'gzip'] as const;
/** The signals of OTLP. */
export const signalNames = ['logs', 'metrics', 'traces'] as const;

/** What a destination can receive. Logs and events are both OTLP log records. */
export const recordKinds = ['logs', 'events', 'metrics', 'traces'] as const;
export type RecordKind = (typeof recordKinds)[number];
/** Name of the destination that `otlp` in the file and OpenTelemetry's variables describe. */
export const MAIN_DESTINATION = 'otlp';

export const DEFAULT_PROTOCOL: (typeof protocolNames)[number] = 'http/protobuf';
export const DEFAULT_COMPRESSION: (typeof compressions)[number] = 'none';
export const DEFAULT_TIMEOUT_MS = 10_000;
export const DEFAULT_TIMEOUT = '10s';

const ENDPOINT = /^(https?:\/\/[^/\s]+\S*|[\w.-]+:\d+|\[[0-9a-fA-F:]+\]:\d+)$/;
const MIN_TIMEOUT_MS = 100;
const MAX_TIMEOUT_MS = 600_000;
const PEM_FILE = 'the path of a PEM file';

/** Parses `key=value` pairs with commas, percent-encoded; undefined for anything else. */
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

/**
 * @param signal the one that the options are for, where they override the general ones; '' for the general
 * ones
 */
export function receiverOptions(signal: '' | (typeof signalNames)[number]) {
  const suffix = signal === '' ? '' : ` for ${signal}, if different`;
  const variable = (name: string) =>
    `OTEL_EXPORTER_OTLP_${signal === '' ? '' : `${signal.toUpperCase()}_`}${name}`;
  const withDefault = (metadata: OptionMetadata, value: string): OptionMetadata =>
    signal === '' ? { ...metadata, default: value } : metadata;
  const pemFile = (description: string, name: string) =>
    option(`${description}${suffix}`, { allowed: PEM_FILE, otel: variable(name) }, optionalText);
  return {
    endpoint: option(
      signal === '' ? 'OTLP receiver' : `OTLP receiver${suffix}: the full URL, with its path`,
      { allowed: 'an http:// or https:// URL; for gRPC also host:port', otel: variable('ENDPOINT') },
      optional(matching(ENDPOINT)),
    ),
    protocol: option(
      `OTLP protocol${suffix}`,
      withDefault(
        {
          allowed: `one of ${protocolNames.join(', ')}`,
          values: protocolNames,
          otel: variable('PROTOCOL'),
        },
        DEFAULT_PROTOCOL,
      ),
      optional(oneOf(protocolNames)),
    ),
    headers: option(
      `Request headers${suffix}, such as api-key=…; separate several with commas`,
      { allowed: 'key=value pairs with commas, percent-encoded', otel: variable('HEADERS'), secret: true },
      optionalTextWhere((text) => parsePairs(text) !== undefined),
    ),
    headers_file: option(
      `File with more request headers${suffix}, one per line (name: value). Use it for secrets. It is read again every few minutes`,
      { allowed: 'a path' },
      optionalText,
    ),
    timeout: option(
      `Timeout of a request${suffix}`,
      withDefault(
        {
          allowed:
            'a duration between 100ms and 10m with its unit, such as 10s (in the variable: milliseconds)',
          otel: variable('TIMEOUT'),
          fromOtel: (milliseconds) => (/^\d+$/.test(milliseconds) ? `${milliseconds}ms` : milliseconds),
        },
        DEFAULT_TIMEOUT,
      ),
      optional(durationBetween(MIN_TIMEOUT_MS, MAX_TIMEOUT_MS)),
    ),
    compression: option(
      `Compression of requests${suffix}`,
      withDefault(
        {
          allowed: `one of ${compressions.join(', ')}`,
          values: compressions,
          otel: variable('COMPRESSION'),
        },
        DEFAULT_COMPRESSION,
      ),
      optional(oneOf(compressions)),
    ),
    certificate: pemFile("Certificates to trust instead of the system's", 'CERTIFICATE'),
    client_certificate: pemFile('Client certificate', 'CLIENT_CERTIFICATE'),
    client_key: pemFile('Key of the client certificate', 'CLIENT_KEY'),
    insecure: option(
      `Whether gRPC uses no TLS${suffix}, where the endpoint has no scheme`,
      {
        allowed: 'true or false',
        otel: variable('INSECURE'),
        fromOtel: (word) => word.toLowerCase(),
      },
      optional(booleanValue),
    ),
  };
}
