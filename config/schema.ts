/**
 * The configuration. Validation, flags, help, environment variables, docs and JSON Schema derive from this
 * schema.
 */
import * as v from 'valibot';
import { isMetricPattern, selectable } from '../collectors/catalogue/selection.ts';
import { alertOptions, webhookOptions } from './alert-options.ts';
import { daemonOptions, daemons, dockerHost, MAIN_HOST_ALLOWED } from './daemon-options.ts';
import { defaultDataDirectory, defaultExporters } from './defaults.ts';
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
  optionDescription,
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
  'a list of metric names, groups (cpu, memory, …) or patterns with * (see portlight metrics list)';

const exporterNames = ['otlp', 'console'] as const;
const logLevels = ['trace', 'debug', 'info', 'warn', 'error', 'silent'] as const;

const MIN_INTERVAL_MS = 100;
const MAX_INTERVAL_MS = 3_600_000;
const MIN_STORAGE_INTERVAL_MS = 10_000;
const MAX_STORAGE_INTERVAL_MS = 24 * 3_600_000;

/** Sets of resource attributes that are off by default. */
const attributeSets = ['namespaces', 'security'] as const;

const HOST_NAME = /^[\w-]+(\.[\w-]+)*$/;
const EVENT_PATTERN = /^[\w.*-]+$/;

const metricNames = ['semconv', 'docker_stats'] as const;
const metricsOrders = ['newest', 'oldest'] as const;

const MIN_SPOOL_BYTES = 16 * 1024 ** 2;
const MAX_SPOOL_BYTES = 1024 ** 4;
const MIN_SPOOL_AGE_MS = 60_000;
const MAX_SPOOL_AGE_MS = 8760 * 3_600_000;
const MIN_BACKLOG_RATE = 1024;
const MAX_BACKLOG_RATE = 1024 ** 3;

const temporalities = ['cumulative', 'delta', 'lowmemory'] as const;

const BOOLEAN = { allowed: 'true or false', flag: 'true|false' } as const;

/** A directory of the host. */
const hostDirectory = (directory: string) =>
  option(
    `Where the host's ${directory} is mounted, if the agent runs in a container`,
    { allowed: 'a path', flag: 'directory', default: directory },
    requiredText,
  );

const SIGNALS = { allowed: `a list of ${recordKinds.join(', ')}`, values: recordKinds } as const;
const METRICS_ORDER = { allowed: `one of ${metricsOrders.join(', ')}`, values: metricsOrders } as const;

/** Options of each of `destinations`. */
const destinationOptions = {
  ...receiverOptions(''),
  endpoint: option(
    'OTLP receiver',
    { allowed: 'an http:// or https:// URL; for gRPC also host:port' },
    v.nonOptional(receiverOptions('').endpoint) as unknown as Leaf<string>,
  ),
  signals: option(
    'Data to send; all by default',
    SIGNALS,
    v.optional(choiceList(recordKinds)) as Leaf<RecordKind[] | undefined>,
  ),
  metrics_order: option(
    'Metrics to send first after an outage; by default that of otlp.metrics_order',
    METRICS_ORDER,
    v.optional(oneOf(metricsOrders)) as Leaf<(typeof metricsOrders)[number] | undefined>,
  ),
  containers: containerFilterOptions({
    include: 'Containers whose data is sent; all by default',
    exclude: 'Containers whose data is not sent',
  }),
};

export const schema = v.strictObject({
  docker_host: option(
    'Docker daemon to observe. By default the daemon that the docker command uses: DOCKER_HOST, the Docker context, the default socket, the rootless socket',
    { allowed: MAIN_HOST_ALLOWED, flag: 'url' },
    dockerHost,
  ),
  daemons,
  exporter: option(
    'Exporters; separate several with commas. By default otlp if an OTLP endpoint is configured, otherwise console',
    {
      allowed: `a list of ${exporterNames.join(', ')}`,
      values: exporterNames,
      flag: 'names',
      computeDefault: defaultExporters,
    },
    choiceList(exporterNames),
  ),
  interval: option(
    'Collection interval of metrics',
    {
      allowed: 'a duration between 100ms and 1h with its unit (ms, s, m, h), such as 10s',
      flag: 'duration',
      default: '10s',
      otel: 'OTEL_METRIC_EXPORT_INTERVAL',
      fromOtel: (milliseconds) => (/^\d+$/.test(milliseconds) ? `${milliseconds}ms` : milliseconds),
    },
    durationBetween(MIN_INTERVAL_MS, MAX_INTERVAL_MS),
  ),
  data_dir: option(
    'Directory for data that must survive a restart: positions in logs and events, the spool, alert states',
    { allowed: 'a path', flag: 'directory', computeDefault: defaultDataDirectory },
    v.pipe(v.string(), v.minLength(1)) as Leaf<string>,
  ),
  listen: option(
    'Address of the HTTP endpoint (dashboard, health, status, metrics). Remote access requires a token',
    { allowed: 'address:port, such as 127.0.0.1:9797', flag: 'address', default: '127.0.0.1:9797' },
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
      'Whether the HTTP endpoint serves the dashboard and its API, which commands use too',
      { ...BOOLEAN, default: true },
      booleanValue,
    ),
    hosts: option(
      "Further host names that the dashboard can be opened under, besides IP addresses, localhost and this machine's name",
      { allowed: 'a list of host names', flag: 'names', default: [] },
      textList((name) => HOST_NAME.test(name)),
    ),
  }),
  log_level: option(
    "Level of the agent's own log, on standard error",
    { allowed: `one of ${logLevels.join(', ')}`, values: logLevels, flag: 'level', default: 'info' },
    oneOf(logLevels),
  ),
  procfs: hostDirectory('/proc'),
  rootfs: hostDirectory('/'),
  container_attributes: option(
    'Further resource attributes of running containers: namespaces (inode numbers), security (confinement)',
    { allowed: `a list of ${attributeSets.join(', ')}`, values: attributeSets, flag: 'sets', default: [] },
    textList((name) => (attributeSets as readonly string[]).includes(name)),
  ),
  container_labels: option(
    'Container labels to add to the resource, as container.label.<key>',
    { allowed: 'a list of label keys, with * as wildcard', flag: 'keys', default: [] },
    textList((key) => key !== ''),
  ),
  scope: option(
    'Containers that the agent is responsible for: host (all of the host), or, if the agent runs in a container itself, project (its Compose project), pod (containers that share its network), self (those that the label portlight.scope of its own container selects)',
    { allowed: `one of ${scopeNames.join(', ')}`, values: scopeNames, flag: 'scope', default: 'host' },
    oneOf(scopeNames),
  ),
  containers: v.strictObject({
    include: option(
      'Containers to observe: those that match any of these selectors; all by default',
      { allowed: CONTAINER_SELECTORS, flag: 'rules', default: [] },
      textList(isContainerSelector),
    ),
    exclude: option(
      'Containers not to observe, even if an include selector matches',
      { allowed: CONTAINER_SELECTORS, flag: 'rules', default: [] },
      textList(isContainerSelector),
    ),
  }),
  metrics: v.strictObject({
    enable: option(
      'Opt-in metrics to collect',
      { allowed: METRIC_PATTERNS, flag: 'names', choices: selectable, default: [] },
      textList(isMetricPattern),
    ),
    disable: option(
      'Metrics not to collect',
      { allowed: METRIC_PATTERNS, flag: 'names', choices: selectable, default: [] },
      textList(isMetricPattern),
    ),
    storage_interval: option(
      "Collection interval of the daemon's disk usage",
      {
        allowed: 'a duration between 10s and 24h with its unit, such as 5m',
        flag: 'duration',
        default: '5m',
      },
      durationBetween(MIN_STORAGE_INTERVAL_MS, MAX_STORAGE_INTERVAL_MS),
    ),
  }),
  logs: v.strictObject(logOptions),
  events: v.strictObject({
    exclude: option(
      'Events not to report, such as docker.container.exec_* to leave out health checks. Alerts on these events still fire',
      { allowed: 'a list of event names, with * as wildcard', flag: 'names', default: [] },
      textList((pattern) => EVENT_PATTERN.test(pattern)),
    ),
    exec_commands: option(
      'Whether events of docker exec contain the command, with passwords and the like redacted',
      { ...BOOLEAN, default: false },
      booleanValue,
    ),
  }),
  traces: v.strictObject({
    enabled: option(
      'Whether to send the life of each container as a trace',
      {
        ...BOOLEAN,
        default: true,
        otel: 'OTEL_TRACES_EXPORTER',
        fromOtel: (names) => (names === 'none' ? 'false' : names === 'otlp' ? 'true' : names),
      },
      booleanValue,
    ),
  }),
  telemetry: v.strictObject({
    traces: option(
      "Whether to send spans of the agent's own work: metric rounds, log flushes, requests to receivers and to the daemon. Needs more memory and CPU time",
      { ...BOOLEAN, default: false },
      booleanValue,
    ),
  }),
  alerts: v.strictObject(alertOptions),
  resource_attributes: option(
    'Attributes to add to every record, such as deployment.environment.name=prod. Attributes named service.* are added to the agent only',
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
      'Disk space for data that waits for a destination. When it is full, the oldest metrics are dropped first, then traces, then logs',
      {
        allowed: 'a size between 16MiB and 1024GiB with its unit (B, KiB, MiB, GiB), such as 1GiB',
        flag: 'size',
        default: '1GiB',
      },
      sizeBetween(MIN_SPOOL_BYTES, MAX_SPOOL_BYTES),
    ),
    max_age: option(
      'How long to keep data that a destination does not accept',
      {
        allowed: 'a duration between 1m and 8760h with its unit, such as 24h',
        flag: 'duration',
        default: '24h',
      },
      durationBetween(MIN_SPOOL_AGE_MS, MAX_SPOOL_AGE_MS),
    ),
    backlog_rate: option(
      'Bytes per second to send of the backlog once a destination is back',
      {
        allowed: 'a size between 1KiB and 1GiB with its unit, such as 1MiB',
        flag: 'size',
        default: '1MiB',
      },
      sizeBetween(MIN_BACKLOG_RATE, MAX_BACKLOG_RATE),
    ),
  }),
  otlp: v.strictObject({
    ...receiverOptions(''),
    enabled: option(
      'Whether to send anything over OTLP',
      {
        allowed: 'true or false',
        default: true,
        otel: 'OTEL_SDK_DISABLED',
        fromOtel: (disabled) => (disabled.toLowerCase() === 'true' ? 'false' : 'true'),
      },
      booleanValue,
    ),
    signals: option('Data to send', { ...SIGNALS, default: [...recordKinds] }, choiceList(recordKinds)),
    metrics_order: option(
      'Metrics to send first after an outage. Use oldest for receivers that reject points older than the last one',
      { ...METRICS_ORDER, default: 'newest' },
      oneOf(metricsOrders),
    ),
    metric_names: option(
      "Metric names: OpenTelemetry's semantic conventions, or those of the docker_stats receiver",
      { allowed: `one of ${metricNames.join(', ')}`, values: metricNames, default: 'semconv' },
      oneOf(metricNames),
    ),
    temporality: option(
      'Whether counters are sent as totals (cumulative) or as changes since the last export (delta)',
      {
        allowed: `one of ${temporalities.join(', ')}`,
        values: temporalities,
        default: 'cumulative',
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
    'Further OTLP destinations by name, each with its own spool',
    { allowed: 'names of letters, digits, _ and -, each with endpoint and its other options', default: {} },
    v.pipe(
      v.unknown(),
      v.check((value) => !Array.isArray(value)),
      v.record(
        v.pipe(v.string(), v.regex(/^[\w-]+$/), v.notValue(MAIN_DESTINATION)),
        v.strictObject(destinationOptions),
      ),
    ) as Leaf<Record<string, v.InferOutput<v.StrictObjectSchema<typeof destinationOptions, undefined>>>>,
  ),
});

/** Options below names that users choose, by the path of the option that contains the names. */
export const namedOptions: Readonly<
  Record<
    string,
    { readonly entries: Readonly<Record<string, v.GenericSchema>>; readonly required: readonly string[] }
  >
> = {
  daemons: { entries: daemonOptions, required: [] },
  destinations: { entries: destinationOptions, required: ['endpoint'] },
  'alerts.webhooks': { entries: webhookOptions, required: ['url'] },
};

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

function collectOptions(entries: Readonly<Record<string, v.GenericSchema>>, prefix: string): Option[] {
  return Object.entries(entries).flatMap(([key, leaf]) => {
    const path = prefix + key;
    if ('entries' in leaf) return collectOptions(leaf.entries as Record<string, v.GenericSchema>, `${path}.`);
    return {
      ...optionMetadata(leaf),
      path,
      description: optionDescription(leaf),
      variable: `PORTLIGHT_${path.replaceAll('.', '_').toUpperCase()}`,
      flagName: path.replaceAll(/[._]/g, '-'),
    };
  });
}

export const options: readonly Option[] = collectOptions(
  schema.entries as unknown as Record<string, v.GenericSchema>,
  '',
);

/** The default as users write it; undefined where there is none, or an empty one. */
export function formatDefault({ default: value }: OptionMetadata): string | undefined {
  if (value === undefined || (typeof value === 'object' && Object.keys(value as object).length === 0))
    return undefined;
  return Array.isArray(value) ? value.join(',') : String(value);
}
