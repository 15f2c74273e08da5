/**
 * What a user can say. The one source for validation, the command line's options and their help, the
 * environment variables and the reference page.
 */
import * as v from 'valibot';
import { parseDuration } from './duration.ts';

/** What is known of an option besides the shape of its value. */
export interface OptionFacts {
  /** What is allowed, as the end of "expected …". */
  readonly allowed: string;
  /** The values, where there are few. */
  readonly values?: readonly string[];
  /** Placeholder of the value in `--help`; an option without one has no flag. */
  readonly flag?: string;
  /** OpenTelemetry's own variable for it. */
  readonly otel?: string;
  /** From the form of OpenTelemetry's variable to ours. */
  readonly fromOtel?: (value: string) => string;
  /** Never shown. */
  readonly secret?: boolean;
}

type Leaf<T> = v.GenericSchema<unknown, T>;

/** An option: its value's schema with description and facts. */
const option = <T>(description: string, facts: OptionFacts, schema: Leaf<T>) =>
  v.pipe(schema, v.description(description), v.metadata({ facts }));

const text = v.string() as Leaf<string>;
const optionalText = v.optional(v.string()) as Leaf<string | undefined>;
const oneOf = <const T extends readonly string[]>(values: T) => v.picklist(values) as Leaf<T[number]>;
const matching = (pattern: RegExp) => v.pipe(v.string(), v.regex(pattern)) as Leaf<string>;
/** A list, or one string with commas as flags and variables give it. */
const listOf = <const T extends readonly string[]>(values: T) =>
  v.pipe(
    v.union([
      v.pipe(
        v.string(),
        v.transform((joined) => joined.split(',').map((item) => item.trim())),
      ),
      v.array(v.string()),
    ]),
    v.array(v.picklist(values)),
    v.minLength(1),
  ) as Leaf<T[number][]>;

export const exporterNames = ['otlp', 'console'] as const;
export const protocolNames = ['http/protobuf', 'http/json', 'grpc'] as const;
const logLevels = ['trace', 'debug', 'info', 'warn', 'error', 'silent'] as const;
const firstSights = ['start', 'now'] as const;

const MIN_INTERVAL_MS = 100;
const MAX_INTERVAL_MS = 3_600_000;

export const schema = v.strictObject({
  docker_host: option(
    'Docker daemon to observe. By default as the docker command finds it: DOCKER_HOST, the Docker context, the default socket, the rootless socket',
    {
      allowed: 'unix:///path, tcp://host:port, https://host:port or ssh://user@host',
      flag: 'url',
    },
    v.optional(matching(/^(unix:\/\/\/.+|(tcp|https?|ssh):\/\/[^/]+)/)) as Leaf<string | undefined>,
  ),
  exporter: option(
    'Where records go; several with commas. By default otlp where an OTLP endpoint is configured, console otherwise',
    { allowed: `a list of ${exporterNames.join(', ')}`, values: exporterNames, flag: 'names' },
    listOf(exporterNames),
  ),
  interval: option(
    'Time from one round of metrics to the next',
    {
      allowed: 'a duration between 100ms and 1h with its unit (ms, s, m, h), such as 10s',
      flag: 'duration',
      otel: 'OTEL_METRIC_EXPORT_INTERVAL',
      fromOtel: (milliseconds) => `${milliseconds}ms`,
    },
    v.pipe(
      v.string(),
      v.transform(parseDuration),
      v.number(),
      v.minValue(MIN_INTERVAL_MS),
      v.maxValue(MAX_INTERVAL_MS),
    ) as Leaf<number>,
  ),
  data_dir: option(
    'Directory for what must survive a restart (positions in logs and events)',
    { allowed: 'a path', flag: 'directory' },
    v.pipe(v.string(), v.minLength(1)) as Leaf<string>,
  ),
  listen: option(
    'Address and port of the HTTP endpoint (health)',
    { allowed: 'address:port, such as 127.0.0.1:9797', flag: 'address' },
    v.pipe(
      v.string(),
      v.regex(/^(\[[0-9a-fA-F:]+\]|[^:\s]+):\d{1,5}$/),
      v.transform((address) => {
        const colon = address.lastIndexOf(':');
        return {
          host: address.slice(0, colon).replace(/^\[|\]$/g, ''),
          port: Number(address.slice(colon + 1)),
        };
      }),
      v.check(({ port }) => port <= 65_535),
    ) as Leaf<{ host: string; port: number }>,
  ),
  log_level: option(
    "Level of the agent's own log, which goes to standard error",
    { allowed: `one of ${logLevels.join(', ')}`, values: logLevels, flag: 'level' },
    oneOf(logLevels),
  ),
  procfs: option(
    "The host's /proc, where the agent runs in a container and it is mounted elsewhere",
    { allowed: 'a path', flag: 'directory' },
    text,
  ),
  logs: v.strictObject({
    first_sight: option(
      'Where to begin with the log of a container that was running before the agent first saw it. By default start, and now where the console is the only exporter',
      { allowed: 'start or now', values: firstSights, flag: 'where' },
      oneOf(firstSights),
    ),
  }),
  otlp: v.strictObject({
    endpoint: option(
      'OTLP receiver',
      { allowed: 'an http:// or https:// URL', otel: 'OTEL_EXPORTER_OTLP_ENDPOINT' },
      v.optional(matching(/^https?:\/\/[^/\s]+/)) as Leaf<string | undefined>,
    ),
    protocol: option(
      'OTLP protocol',
      {
        allowed: `one of ${protocolNames.join(', ')}`,
        values: protocolNames,
        otel: 'OTEL_EXPORTER_OTLP_PROTOCOL',
      },
      oneOf(protocolNames),
    ),
    headers: option(
      'Headers of each OTLP request, such as api-key=…; several with commas',
      { allowed: 'key=value pairs with commas', otel: 'OTEL_EXPORTER_OTLP_HEADERS', secret: true },
      optionalText,
    ),
  }),
});

export type Config = v.InferOutput<typeof schema>;

/** An option of the schema, by its path. */
export interface Option extends OptionFacts {
  /** As in the file, with dots: `logs.first_sight`. */
  readonly path: string;
  readonly description: string;
  readonly variable: string;
  /** Long flag without dashes. */
  readonly flagName: string;
}

function collect(entries: Readonly<Record<string, v.GenericSchema>>, prefix: string): Option[] {
  return Object.entries(entries).flatMap(([key, leaf]) => {
    const path = prefix + key;
    if ('entries' in leaf) return collect(leaf.entries as Record<string, v.GenericSchema>, `${path}.`);
    const { facts } = v.getMetadata(leaf as Parameters<typeof v.getMetadata>[0]) as { facts: OptionFacts };
    return {
      ...facts,
      path,
      description: v.getDescription(leaf as Parameters<typeof v.getDescription>[0]) ?? '',
      variable: `PORTLIGHT_${path.replaceAll('.', '_').toUpperCase()}`,
      flagName: path.replaceAll(/[._]/g, '-'),
    };
  });
}

export const options: readonly Option[] = collect(
  schema.entries as unknown as Record<string, v.GenericSchema>,
  '',
);
