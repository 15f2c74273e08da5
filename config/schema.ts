/**
 * What a user can say. The one source for validation, the command line's options and their help, the
 * environment variables and the reference page.
 */
import * as v from 'valibot';
import { isMetricPattern, selectable } from '../collectors/catalogue/selection.ts';
import { alertOptions } from './alert-options.ts';
import { daemons, dockerHost, MAIN_HOST_ALLOWED } from './daemon-options.ts';
import { logOptions } from './log-options.ts';
import {
  booleanValue,
  CONTAINER_SELECTORS,
  choiceList,
  containerFilterOptions,
  durationBetween,
  isContainerSelector,
  type Leaf,
  type OptionMetadata,
  oneOf,
  option,
  optionalText,
  optionalTextWhere,
  optionMetadata,
  requiredText,
  scopeNames,
  sizeBetween,
  textList,
} from './option.ts';
import {
  MAIN_DESTINATION,
  parsePairs,
  type RecordKind,
  receiverOptions,
  recordKinds,
} from './receiver-options.ts';

const METRIC_PATTERNS =
  'a list of metric names, groups (cpu, memory, …) or patterns with *; portlight metrics list has them';

export const exporterNames = ['otlp', 'console'] as const;
const logLevels = ['trace', 'debug', 'info', 'warn', 'error', 'silent'] as const;

const MIN_INTERVAL_MS = 100;
const MAX_INTERVAL_MS = 3_600_000;
const MIN_STORAGE_INTERVAL_MS = 10_000;
const MAX_STORAGE_INTERVAL_MS = 24 * 3_600_000;

/** Sets of resource attributes that are off by default. */
export const attributeSets = ['namespaces', 'security'] as const;

const HOST_NAME = /^[\w-]+(\.[\w-]+)*$/;
const EVENT_PATTERN = /^[\w.*-]+$/;

export const metricNames = ['semconv', 'docker_stats'] as const;
const metricsOrders = ['newest', 'oldest'] as const;

const MIN_SPOOL_BYTES = 16 * 1024 ** 2;
const MAX_SPOOL_BYTES = 1024 ** 4;
const MIN_SPOOL_AGE_MS = 60_000;
const MAX_SPOOL_AGE_MS = 8760 * 3_600_000;
const MIN_BACKLOG_RATE = 1024;
const MAX_BACKLOG_RATE = 1024 ** 3;

const temporalities = ['cumulative', 'delta', 'lowmemory'] as const;

/** A directory of the host. */
const mounted = (directory: string) =>
  option(
    `The host's ${directory}, where the agent runs in a container and it is mounted elsewhere`,
    { allowed: 'a path', flag: 'directory' },
    requiredText,
  );

const SIGNALS = { allowed: `a list of ${recordKinds.join(', ')}`, values: recordKinds } as const;

/** What can be said of each of `destinations`. */
export const destinationOptions = {
  ...receiverOptions(''),
  endpoint: option(
    'OTLP receiver',
    { allowed: 'an http:// or https:// URL; for gRPC also host:port' },
    v.nonOptional(receiverOptions('').endpoint) as unknown as Leaf<string>,
  ),
  signals: option(
    'What is sent',
    SIGNALS,
    v.optional(choiceList(recordKinds)) as Leaf<RecordKind[] | undefined>,
  ),
  metrics_order: option(
    'Which metrics are sent first where several rounds wait',
    { allowed: `one of ${metricsOrders.join(', ')}`, values: metricsOrders },
    v.optional(oneOf(metricsOrders)) as Leaf<(typeof metricsOrders)[number] | undefined>,
  ),
  containers: containerFilterOptions({
    include: 'Containers whose records are sent',
    exclude: 'Containers whose records are not sent',
  }),
};

export const schema = v.strictObject({
  docker_host: option(
    'Docker daemon to observe. By default as the docker command finds it: DOCKER_HOST, the Docker context, the default socket, the rootless socket',
    { allowed: MAIN_HOST_ALLOWED, flag: 'url' },
    dockerHost,
  ),
  daemons,
  exporter: option(
    'Where records go; several with commas. By default otlp where an OTLP endpoint is configured, console otherwise',
    { allowed: `a list of ${exporterNames.join(', ')}`, values: exporterNames, flag: 'names' },
    choiceList(exporterNames),
  ),
  interval: option(
    'Time from one round of metrics to the next',
    {
      allowed: 'a duration between 100ms and 1h with its unit (ms, s, m, h), such as 10s',
      flag: 'duration',
      otel: 'OTEL_METRIC_EXPORT_INTERVAL',
      fromOtel: (milliseconds) => (/^\d+$/.test(milliseconds) ? `${milliseconds}ms` : milliseconds),
    },
    durationBetween(MIN_INTERVAL_MS, MAX_INTERVAL_MS),
  ),
  data_dir: option(
    'Directory for what must survive a restart (positions in logs and events)',
    { allowed: 'a path', flag: 'directory' },
    v.pipe(v.string(), v.minLength(1)) as Leaf<string>,
  ),
  listen: option(
    'Address and port of the HTTP endpoint: the page, health, status and metrics; beyond this machine it requires a token',
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
  dashboard: v.strictObject({
    enabled: option(
      'Whether the endpoint has the page that shows everything, and what commands ask for',
      { allowed: 'true or false', flag: 'true|false' },
      booleanValue,
    ),
    hosts: option(
      "Names by which the endpoint is reached, besides addresses, localhost and this machine's own name",
      { allowed: 'a list of host names', flag: 'names' },
      textList((name) => HOST_NAME.test(name)),
    ),
  }),
  log_level: option(
    "Level of the agent's own log, which goes to standard error",
    { allowed: `one of ${logLevels.join(', ')}`, values: logLevels, flag: 'level' },
    oneOf(logLevels),
  ),
  procfs: mounted('/proc'),
  rootfs: mounted('/'),
  container_attributes: option(
    'What else every record of a running container bears: the inodes of its namespaces, what confines it; none by default',
    {
      allowed: `a list of ${attributeSets.join(', ')}`,
      values: attributeSets,
      flag: 'sets',
    },
    textList((name) => (attributeSets as readonly string[]).includes(name)),
  ),
  container_labels: option(
    'Container labels that every record of a container bears as container.label.<key>; none by default',
    { allowed: 'a list of label keys, with * as wildcard', flag: 'keys' },
    textList((key) => key !== ''),
  ),
  scope: option(
    'What the agent is for: the host; or, where it runs in a container itself, the containers of its own Compose project, those that share its network, or those that the label portlight.scope of its own container selects',
    { allowed: `one of ${scopeNames.join(', ')}`, values: scopeNames, flag: 'scope' },
    oneOf(scopeNames),
  ),
  containers: v.strictObject({
    include: option(
      'Containers to observe: those that fit any of these rules; all by default',
      { allowed: CONTAINER_SELECTORS, flag: 'rules' },
      textList(isContainerSelector),
    ),
    exclude: option(
      'Containers to leave alone, even where an include rule fits',
      { allowed: CONTAINER_SELECTORS, flag: 'rules' },
      textList(isContainerSelector),
    ),
  }),
  metrics: v.strictObject({
    enable: option(
      'Metrics to collect that are off by default',
      { allowed: METRIC_PATTERNS, flag: 'names', choices: selectable },
      textList(isMetricPattern),
    ),
    disable: option(
      'Metrics not to collect',
      { allowed: METRIC_PATTERNS, flag: 'names', choices: selectable },
      textList(isMetricPattern),
    ),
    storage_interval: option(
      "Time from one look at the daemon's disk use to the next",
      { allowed: 'a duration between 10s and 24h with its unit, such as 5m', flag: 'duration' },
      durationBetween(MIN_STORAGE_INTERVAL_MS, MAX_STORAGE_INTERVAL_MS),
    ),
  }),
  logs: v.strictObject(logOptions),
  events: v.strictObject({
    exclude: option(
      'Events not to tell, by name: docker.container.exec_* leaves out what health checks cause. Alerts are told all the same',
      { allowed: 'a list of event names, with * as wildcard', flag: 'names' },
      textList((pattern) => EVENT_PATTERN.test(pattern)),
    ),
    exec_commands: option(
      'Whether events of docker exec tell the command; passwords and the like in it are redacted',
      { allowed: 'true or false', flag: 'true|false' },
      booleanValue,
    ),
  }),
  traces: v.strictObject({
    enabled: option(
      'Whether the life of each container is sent as a trace',
      {
        allowed: 'true or false',
        flag: 'true|false',
        otel: 'OTEL_TRACES_EXPORTER',
        fromOtel: (names) => (names === 'none' ? 'false' : names === 'otlp' ? 'true' : names),
      },
      booleanValue,
    ),
  }),
  telemetry: v.strictObject({
    traces: option(
      'Whether the agent sends spans of its own work: rounds of metrics, flushes of logs, requests to receivers and to the daemon. Takes more memory and CPU time',
      { allowed: 'true or false', flag: 'true|false' },
      booleanValue,
    ),
  }),
  alerts: v.strictObject(alertOptions),
  resource_attributes: option(
    "Attributes that every record bears besides its own, such as deployment.environment.name=prod; those of service.* are the agent's alone",
    {
      allowed: 'key=value pairs with commas, percent-encoded',
      otel: 'OTEL_RESOURCE_ATTRIBUTES',
    },
    optionalTextWhere((text) => parsePairs(text) !== undefined),
  ),
  service_name: option(
    "service.name of the agent's own records",
    { allowed: 'a name', otel: 'OTEL_SERVICE_NAME' },
    optionalText,
  ),
  spool: v.strictObject({
    max_size: option(
      'Disk space for what waits for a destination; when it is used up, metrics go first, then traces, then logs, the oldest of each',
      {
        allowed: 'a size between 16MiB and 1024GiB with its unit (B, KiB, MiB, GiB), such as 1GiB',
        flag: 'size',
      },
      sizeBetween(MIN_SPOOL_BYTES, MAX_SPOOL_BYTES),
    ),
    max_age: option(
      'How long what a destination does not take is kept',
      { allowed: 'a duration between 1m and 8760h with its unit, such as 24h', flag: 'duration' },
      durationBetween(MIN_SPOOL_AGE_MS, MAX_SPOOL_AGE_MS),
    ),
    backlog_rate: option(
      'How much a second of what waited for a destination is sent to it once it is back',
      { allowed: 'a size between 1KiB and 1GiB with its unit, such as 1MiB', flag: 'size' },
      sizeBetween(MIN_BACKLOG_RATE, MAX_BACKLOG_RATE),
    ),
  }),
  otlp: v.strictObject({
    ...receiverOptions(''),
    enabled: option(
      'Whether anything is sent by OTLP',
      {
        allowed: 'true or false',
        otel: 'OTEL_SDK_DISABLED',
        fromOtel: (disabled) => (disabled.toLowerCase() === 'true' ? 'false' : 'true'),
      },
      booleanValue,
    ),
    signals: option('What is sent', SIGNALS, choiceList(recordKinds)),
    metrics_order: option(
      'Which metrics are sent first where several rounds wait; a receiver that takes none older than it has wants oldest',
      { allowed: `one of ${metricsOrders.join(', ')}`, values: metricsOrders },
      oneOf(metricsOrders),
    ),
    metric_names: option(
      "Metrics under OpenTelemetry's semantic conventions, or under the names of the docker_stats receiver",
      { allowed: `one of ${metricNames.join(', ')}`, values: metricNames },
      oneOf(metricNames),
    ),
    temporality: option(
      'Whether counters are sent as totals (cumulative) or as what was added since the last time (delta)',
      {
        allowed: `one of ${temporalities.join(', ')}`,
        values: temporalities,
        otel: 'OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE',
        fromOtel: (preference) => preference.toLowerCase(),
      },
      oneOf(temporalities),
    ),
    logs: v.strictObject(receiverOptions('logs')),
    metrics: v.strictObject(receiverOptions('metrics')),
    traces: v.strictObject(receiverOptions('traces')),
  }),
  destinations: option(
    'More OTLP destinations, each with a spool of its own, by a name for each',
    { allowed: 'names of letters, digits, _ and -, each with endpoint and whatever else it needs' },
    v.pipe(
      v.unknown(),
      v.check((given) => !Array.isArray(given)),
      v.record(
        v.pipe(v.string(), v.regex(/^[\w-]+$/), v.notValue(MAIN_DESTINATION)),
        v.strictObject(destinationOptions),
      ),
    ) as Leaf<Record<string, v.InferOutput<v.StrictObjectSchema<typeof destinationOptions, undefined>>>>,
  ),
});

export type Config = v.InferOutput<typeof schema>;

/** An option of the schema, by its path. */
export interface Option extends OptionMetadata {
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
    return {
      ...optionMetadata(leaf),
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
