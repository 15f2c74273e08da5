/**
 * Puts a configuration together from its layers, in rising precedence: defaults, file, OpenTelemetry's
 * variables, PORTLIGHT_* variables, flags.
 */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { distance } from 'fastest-levenshtein';
import * as v from 'valibot';
import { homeDirectory } from '../collectors/engine/home-directory.ts';
import { webhookOptions } from './alert-options.ts';
import { resolveAlertmanagers, resolveWebhooks } from './alert-receivers.ts';
import { daemonOptions, findDaemonProblem } from './daemon-options.ts';
import { resolveDestinations } from './destinations.ts';
import { findNearest, formatInvalidValue, formatMasked, formatSuggestion } from './invalid-value.ts';
import { optionMetadata } from './option.ts';
import { recordKinds } from './receiver-options.ts';
import { type Config, destinationOptions, type Option, options, schema } from './schema.ts';
import { type Environment, hasVariables, substituteVariables } from './template.ts';

/** A value as the user gave it, and where. */
export interface ResolvedSetting {
  readonly value: unknown;
  /** `portlight.yaml`, `PORTLIGHT_INTERVAL`, `--interval`, `default`. */
  readonly origin: string;
  /** The line of the file that something in the value stands in. @param keys below the option's */
  readonly findLine?: (keys: readonly (string | number)[]) => number | undefined;
}

export interface LoadedConfig {
  readonly config: Config;
  readonly settings: ReadonlyMap<string, ResolvedSetting>;
  /** What is wrong with alert rules, a line each: those are left out, and all else works. */
  readonly ruleProblems: readonly string[];
}

/** Every mistake in a configuration, one line each. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';
  readonly problems: readonly string[];

  constructor(mistakes: readonly string[]) {
    super(mistakes.join('\n'));
    this.problems = mistakes;
  }
}

const DEFAULT_FILES = ['portlight.yaml', '/etc/portlight/portlight.yaml'];
const byPath = new Map(options.map((option) => [option.path, option]));

/** A file's nested keys as dotted paths; what is not a known group stays whole. */
function flatten(value: object, prefix: string, into: Map<string, unknown>): void {
  for (const [key, child] of Object.entries(value)) {
    const path = prefix + key;
    const isGroup = options.some((option) => option.path.startsWith(`${path}.`));
    if (isGroup && child !== null && typeof child === 'object' && !Array.isArray(child))
      flatten(child, `${path}.`, into);
    else if (!isGroup || child !== null) into.set(path, child);
  }
}

function unknownKey(key: string, value: unknown): string {
  const below = options
    .filter(({ path }) => path.startsWith(`${key}.`))
    .map(({ path }) => path.slice(key.length + 1));
  if (below.length === 0)
    return `${key}: is not a known key${formatSuggestion(findNearest(key, byPath.keys()))}`;
  return `${key}: ${formatMasked(value)} is not allowed; expected keys below it: ${below.join(', ')}`;
}

/**
 * The value with variables filled in. A key whose text becomes empty by that is as good as not there.
 * @param where its key
 * @param mistake told what cannot be filled in
 */
function filled(value: unknown, where: string, env: Environment, mistake: (text: string) => void): unknown {
  if (typeof value === 'string') {
    if (!hasVariables(value)) return value;
    try {
      return substituteVariables(value, env) || undefined;
    } catch (error) {
      mistake(`${where}: ${(error as Error).message}`);
      return undefined;
    }
  }
  if (value === null || typeof value !== 'object') return value;
  if (Array.isArray(value))
    return value.map((item, index) => filled(item, `${where}[${index}]`, env, mistake) ?? '');
  const entries = Object.entries(value).map(([key, inner]) => [
    key,
    filled(inner, where === '' ? key : `${where}.${key}`, env, mistake),
  ]);
  return Object.fromEntries(entries.filter(([, inner]) => inner !== undefined));
}

async function readFile(
  path: string,
  env: Environment,
  settings: Map<string, ResolvedSetting>,
  mistakes: string[],
): Promise<void> {
  let source: string;
  try {
    source = readFileSync(path, 'utf8');
  } catch (error) {
    mistakes.push(`${path}: cannot be read: ${(error as Error).message}`);
    return;
  }
  // Only a configuration file is worth the memory of a YAML parser.
  const { isNode, LineCounter, parseDocument } = await import('yaml');
  const lineCounter = new LineCounter();
  const document = parseDocument(source, { prettyErrors: true, lineCounter });
  if (document.errors.length > 0) {
    for (const { message } of document.errors)
      mistakes.push(`${path}: not YAML: ${message.split('\n')[0]!.replace(/:$/, '')}`);
    return;
  }
  let content: unknown;
  try {
    content = document.toJS();
  } catch (error) {
    mistakes.push(`${path}: not YAML: ${(error as Error).message}`);
    return;
  }
  if (content === null) return;
  if (typeof content !== 'object' || Array.isArray(content)) {
    mistakes.push(`${path}: expected keys and values, such as "interval: 10s"`);
    return;
  }
  const unfilled: string[] = [];
  const values = filled(content, '', env, (mistake) => unfilled.push(`${path}: ${mistake}`));
  if (unfilled.length > 0) {
    mistakes.push(...unfilled);
    return;
  }
  const flat = new Map<string, unknown>();
  flatten(values as object, '', flat);
  for (const [key, value] of flat) {
    const lineOf = (keys: readonly (string | number)[]) => {
      const node = document.getIn([...key.split('.'), ...keys], true);
      return isNode(node) && node.range ? lineCounter.linePos(node.range[0]).line : undefined;
    };
    if (byPath.has(key)) settings.set(key, { value, origin: path, findLine: lineOf });
    else mistakes.push(`${path}: ${unknownKey(key, value)}`);
  }
}

function readEnvironment(env: Environment, settings: Map<string, ResolvedSetting>, mistakes: string[]): void {
  for (const { path, otel, fromOtel } of options) {
    const value = otel === undefined ? undefined : env[otel];
    if (value) settings.set(path, { value: fromOtel?.(value) ?? value, origin: otel! });
  }
  const variables = new Map(options.map((option) => [option.variable, option]));
  for (const [name, value] of Object.entries(env)) {
    if (!name.startsWith('PORTLIGHT_') || name === 'PORTLIGHT_CONFIG' || !value) continue;
    const option = variables.get(name);
    if (option !== undefined) settings.set(option.path, { value, origin: name });
    else {
      // Others may set variables of this prefix (Kubernetes does, for a service of our name): only what
      // is almost ours is a mistake.
      const near = findNearest(name, variables.keys());
      if (near !== undefined && distance(name, near) <= 2)
        mistakes.push(`${name}: is not a known variable; did you mean ${near}?`);
    }
  }
}

function defaultDataDirectory(env: Environment): string {
  // systemd.exec(5): what StateDirectory= has made.
  if (env.STATE_DIRECTORY) return env.STATE_DIRECTORY;
  if (process.getuid?.() === 0) return '/var/lib/portlight';
  return join(env.XDG_STATE_HOME || join(homeDirectory(env), '.local/state'), 'portlight');
}

/** Values of options that nobody set, besides those that depend on others. */
export const DEFAULTS: Readonly<Record<string, unknown>> = {
  interval: '10s',
  listen: '127.0.0.1:9797',
  'dashboard.enabled': true,
  'dashboard.hosts': [],
  log_level: 'info',
  procfs: '/proc',
  rootfs: '/',
  scope: 'host',
  container_attributes: [],
  container_labels: [],
  'containers.include': [],
  'containers.exclude': [],
  'metrics.enable': [],
  'metrics.disable': [],
  'metrics.storage_interval': '5m',
  'events.exclude': [],
  'events.exec_commands': false,
  'traces.enabled': true,
  'telemetry.traces': false,
  'spool.max_size': '1GiB',
  'spool.max_age': '24h',
  'spool.backlog_rate': '1MiB',
  daemons: {},
  destinations: {},
  'alerts.enabled': true,
  'alerts.enable': [],
  'alerts.disable': [],
  'alerts.rules': [],
  'alerts.webhooks': {},
  'alerts.alertmanager.urls': [],
  'alerts.alertmanager.resend': '1m',
  'otlp.enabled': true,
  'otlp.signals': [...recordKinds],
  'otlp.metrics_order': 'newest',
  'otlp.metric_names': 'semconv',
  'otlp.temporality': 'cumulative',
  'otlp.protocol': 'http/protobuf',
  'otlp.timeout': '10s',
  'otlp.compression': 'none',
  'logs.parser': 'auto',
  'logs.fields': 'attributes',
  'logs.multiline': 'none',
  'logs.multiline_timeout': '1s',
  'logs.max_line': '1MiB',
  'logs.strip_ansi': false,
  'logs.file_place': false,
  'logs.redact': [],
  'logs.keep': [],
  'logs.drop': [],
  'logs.min_severity': 'none',
  'logs.rate_limit': 0,
};

function addDefaults(settings: Map<string, ResolvedSetting>, env: Environment): void {
  const fall = (path: string, value: unknown) => {
    if (!settings.has(path)) settings.set(path, { value, origin: 'default' });
  };
  const hasReceiver = [...settings.keys()].some((path) => /^(otlp\..*endpoint|destinations)$/.test(path));
  fall('exporter', [hasReceiver ? 'otlp' : 'console']);
  fall('data_dir', defaultDataDirectory(env));
  const exporters = String(settings.get('exporter')!.value);
  fall('logs.first_sight', exporters === 'console' ? 'now' : 'start');
  for (const [path, value] of Object.entries(DEFAULTS)) fall(path, value);
}

function nest(settings: ReadonlyMap<string, ResolvedSetting>): object {
  const root: Record<string, unknown> = {};
  for (const { path } of options) {
    const keys = path.split('.');
    const last = keys.pop()!;
    let parent = root;
    for (const key of keys) {
      parent[key] ??= {};
      parent = parent[key] as Record<string, unknown>;
    }
    const setting = settings.get(path);
    if (setting !== undefined) parent[last] = setting.value;
  }
  return root;
}

function mistakeOf(option: Option, { value, origin }: ResolvedSetting): string {
  const where = origin.startsWith('--') || /^[A-Z_]+$/.test(origin) ? origin : `${origin}: ${option.path}`;
  return `${where}: ${formatInvalidValue(value, option)}`;
}

/** A mistake that begins with an option's path, with where its value was given. */
function withOrigin(mistake: string, settings: ReadonlyMap<string, ResolvedSetting>): string {
  const [path = ''] = mistake.split(':');
  const origin = (settings.get(path) ?? settings.get(path.split('.')[0]!))?.origin;
  if (origin === undefined) return mistake;
  return /^(--|[A-Z_]+$)/.test(origin) ? mistake.replace(path, origin) : `${origin}: ${mistake}`;
}

/** What each of those that have a name can say, by the option that they stand in. */
const named: Readonly<Record<string, Readonly<Record<string, unknown>>>> = {
  daemons: daemonOptions,
  destinations: destinationOptions,
  'alerts.webhooks': webhookOptions,
};

/** What is wrong in one of `destinations` or the like. @param keys its name, and the keys below it */
function namedMistake(
  { path, ...facts }: Option,
  keys: readonly string[],
  { value, origin }: ResolvedSetting,
): string {
  const [name = '', ...below] = keys;
  let where = `${origin}: ${path}.${name}`;
  let entries = named[path]!;
  let given = (value as Record<string, unknown> | undefined)?.[name];
  for (const key of below) {
    where += `.${key}`;
    given = (given as Record<string, unknown> | undefined)?.[key];
    const leaf = entries[key] as v.GenericSchema | undefined;
    if (leaf === undefined)
      return `${where}: is not a known key${formatSuggestion(findNearest(key, Object.keys(entries)))}`;
    const inner = 'wrapped' in leaf ? (leaf.wrapped as { entries?: typeof entries }).entries : undefined;
    if (inner === undefined) {
      const facts = optionMetadata(leaf);
      if (given === undefined) return `${where}: is missing; expected ${facts.allowed}`;
      return `${where}: ${formatInvalidValue(given, facts)}`;
    }
    entries = inner;
  }
  return `${where}: ${formatInvalidValue(below.length === 0 ? name : given, facts)}`;
}

/** A mistake in one alert rule. */
export interface RuleProblem {
  /** Where in `alerts.rules`. */
  readonly keys: readonly (string | number)[];
  /** With the option's path before it. */
  readonly message: string;
}

/** Checks by those who compile what the configuration only holds as text. */
export interface ConfigChecks {
  readonly checkRules: (alerts: Config['alerts']) => readonly RuleProblem[];
  /** What is wrong with a webhook's template; undefined when nothing is. */
  readonly checkTemplate: (template: string) => string | undefined;
}

/**
 * @param flags values by option path, as the command line gave them
 * @param file `--config`
 * @throws {ConfigError} naming every mistake
 */
export async function readConfig(
  checks: ConfigChecks,
  flags: Readonly<Record<string, unknown>> = {},
  file: string | undefined = undefined,
  env: Environment = process.env,
): Promise<LoadedConfig> {
  const settings = new Map<string, ResolvedSetting>();
  const mistakes: string[] = [];
  const path = file ?? env.PORTLIGHT_CONFIG ?? DEFAULT_FILES.find((candidate) => existsSync(candidate));
  if (path !== undefined) await readFile(path, env, settings, mistakes);
  readEnvironment(env, settings, mistakes);
  for (const option of options) {
    const value = flags[option.path];
    if (value !== undefined) settings.set(option.path, { value, origin: `--${option.flagName}` });
  }
  addDefaults(settings, env);
  const result = v.safeParse(schema, nest(settings));
  if (!result.success) {
    const wrong = new Set(
      result.issues.map((issue) => {
        const keys = issue.path?.map(({ key }) => String(key)) ?? [];
        const option = findOption(keys);
        const setting = settings.get(option.path)!;
        const below = keys.slice(option.path.split('.').length);
        const isInside = option.path in named && below.length > 0;
        return isInside ? namedMistake(option, below, setting) : mistakeOf(option, setting);
      }),
    );
    mistakes.push(...wrong);
  }
  if (mistakes.length > 0 || !result.success) throw new ConfigError(mistakes);
  const mistake = findDaemonProblem(result.output);
  if (mistake !== undefined) throw new ConfigError([withOrigin(mistake, settings)]);
  try {
    resolveDestinations(result.output);
    resolveAlertmanagers(result.output.alerts);
    for (const { name, template } of resolveWebhooks(result.output)) {
      const wrong = template === undefined ? undefined : checks.checkTemplate(template);
      if (wrong !== undefined) {
        const path = result.output.alerts.webhooks[name]?.template;
        throw new Error(`alerts.webhooks.${name}.template: ${path} is not allowed: ${wrong}`);
      }
    }
  } catch (error) {
    throw new ConfigError([withOrigin((error as Error).message, settings)]);
  }
  const { findLine: lineOf, origin } = settings.get('alerts.rules')!;
  const ruleMistakes = checks.checkRules(result.output.alerts).map(({ keys, message }) => {
    // What is missing stands in no line: that of what it is missing in.
    const line = keys
      .map((_, index) => lineOf?.(keys.slice(0, keys.length - index)))
      .find((one) => one !== undefined);
    return `${origin}${line === undefined ? '' : `:${line}`}: ${message}`;
  });
  return { config: result.output, settings, ruleProblems: ruleMistakes };
}

/** An issue's path can lead into an option's value, such as an item of a list. */
function findOption(keys: readonly string[]): Option {
  for (let length = keys.length; length > 0; length--) {
    const option = byPath.get(keys.slice(0, length).join('.'));
    if (option !== undefined) return option;
  }
  throw new Error(`no option at ${keys.join('.')}`);
}
