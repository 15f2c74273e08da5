/** Loads the configuration, and checks alert rules and templates with the code that compiles them. */
import type { Environment } from '../../collectors/shared/environment.ts';
import { type LoadedConfig, readConfig } from '../../config/load.ts';
import { findTemplateMistake } from '../../exporters/alerts/text.ts';
import { parseRules } from '../alerts/parse-rules.ts';

const checks = {
  checkRules: (alerts: LoadedConfig['config']['alerts']) => parseRules(alerts).problems,
  checkTemplate: findTemplateMistake,
};

/**
 * @param flags values by option path, as the command line gave them
 * @param file `--config`
 * @throws {ConfigError} naming every problem
 */
export const loadConfig = (
  flags?: Readonly<Record<string, unknown>>,
  file?: string,
  env?: Environment,
): Promise<LoadedConfig> => readConfig(checks, flags, file, env);
