/**
 * Loads the configuration from its sources. In rising precedence: defaults, file, OpenTelemetry's variables,
 * PORTLIGHT_* variables, flags.
 */
import { existsSync } from 'node:fs';
import * as v from 'valibot';
import type { Environment } from '../collectors/shared/environment.ts';
import { resolveAlertmanagers, resolveWebhooks } from './alert-receivers.ts';
import { findDaemonProblem } from './daemon-options.ts';
import { resolveDestinations } from './destinations.ts';
import { readEnvironment } from './read-environment.ts';
import { readConfigFile } from './read-file.ts';
import { type Config, options, schema } from './schema.ts';
import type { Settings } from './setting.ts';
import { formatIssues, withOrigin } from './validation-problem.ts';

export interface LoadedConfig {
  readonly config: Config;
  readonly settings: Settings;
  /** Problems of alert rules, one line each. Invalid rules are left out; everything else works. */
  readonly ruleProblems: readonly string[];
}

/** Every problem of a configuration, one line each. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';
  readonly problems: readonly string[];

  constructor(problems: readonly string[]) {
    super(problems.join('\n'));
    this.problems = problems;
  }
}

export interface RuleProblem {
  /** Where in `alerts.rules`. */
  readonly keys: readonly (string | number)[];
  /** Starts with the option's path. */
  readonly message: string;
}

/** Checks by the code that compiles what the configuration only holds as text. */
export interface ConfigChecks {
  readonly checkRules: (alerts: Config['alerts']) => readonly RuleProblem[];
  /** @returns the problem of a webhook's template; undefined where there is none */
  readonly checkTemplate: (template: string) => string | undefined;
}

const DEFAULT_FILES = ['portlight.yaml', '/etc/portlight/portlight.yaml'];

function addDefaults(settings: Settings, env: Environment): void {
  for (const { path, default: fixed, computeDefault } of options) {
    if (settings.has(path)) continue;
    const value = computeDefault === undefined ? fixed : computeDefault(env, settings);
    if (value !== undefined) settings.set(path, { value, origin: 'default' });
  }
}

/** Dotted paths as nested objects, with every group of the schema. */
function nest(settings: Settings): object {
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

/**
 * @throws {Error} when options contradict each other, or a template is invalid; the message starts with a
 * path
 */
function checkReceivers(config: Config, checkTemplate: ConfigChecks['checkTemplate']): void {
  resolveDestinations(config);
  resolveAlertmanagers(config.alerts);
  for (const { name, template } of resolveWebhooks(config)) {
    const problem = template === undefined ? undefined : checkTemplate(template);
    if (problem === undefined) continue;
    const path = config.alerts.webhooks[name]?.template;
    throw new Error(`alerts.webhooks.${name}.template: ${path} is not allowed: ${problem}`);
  }
}

function formatRuleProblems(problems: readonly RuleProblem[], settings: Settings): string[] {
  const { findLine, origin } = settings.get('alerts.rules')!;
  return problems.map(({ keys, message }) => {
    // A missing key has no line: then that of the object that lacks it.
    const line = keys
      .map((_, index) => findLine?.(keys.slice(0, keys.length - index)))
      .find((one) => one !== undefined);
    return `${origin}${line === undefined ? '' : `:${line}`}: ${message}`;
  });
}

/**
 * @param flags values by option path, from the command line
 * @param file of `--config`
 * @throws {ConfigError} naming every problem
 */
export async function readConfig(
  checks: ConfigChecks,
  flags: Readonly<Record<string, unknown>> = {},
  file: string | undefined = undefined,
  env: Environment = process.env,
): Promise<LoadedConfig> {
  const settings: Settings = new Map();
  const problems: string[] = [];
  const path = file ?? env.PORTLIGHT_CONFIG ?? DEFAULT_FILES.find((candidate) => existsSync(candidate));
  if (path !== undefined) await readConfigFile(path, env, settings, problems);
  readEnvironment(env, settings, problems);
  for (const option of options) {
    const value = flags[option.path];
    if (value !== undefined) settings.set(option.path, { value, origin: `--${option.flagName}` });
  }
  addDefaults(settings, env);
  const result = v.safeParse(schema, nest(settings));
  if (!result.success) problems.push(...formatIssues(result.issues, settings));
  if (problems.length > 0 || !result.success) throw new ConfigError(problems);
  const config = result.output;
  const daemonProblem = findDaemonProblem(config);
  if (daemonProblem !== undefined) throw new ConfigError([withOrigin(daemonProblem, settings)]);
  try {
    checkReceivers(config, checks.checkTemplate);
  } catch (error) {
    throw new ConfigError([withOrigin((error as Error).message, settings)]);
  }
  return {
    config,
    settings,
    ruleProblems: formatRuleProblems(checks.checkRules(config.alerts), settings),
  };
}
