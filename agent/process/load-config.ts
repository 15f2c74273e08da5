/** Loads the configuration with the checks of those who compile it: alert rules and templates. */
import { type Loaded, readConfig } from '../../config/load.ts';
import type { Environment } from '../../config/template.ts';
import { templateMistake } from '../../exporters/alerts/text.ts';
import { rulesOf } from '../alerts/rules.ts';

const checks = {
  ruleMistakes: (alerts: Loaded['config']['alerts']) => rulesOf(alerts).mistakes,
  templateMistake,
};

/**
 * @param flags values by option path, as the command line gave them
 * @param file `--config`
 * @throws {ConfigError} naming every mistake
 */
export const loadConfig = (
  flags?: Readonly<Record<string, unknown>>,
  file?: string,
  env?: Environment,
): Promise<Loaded> => readConfig(checks, flags, file, env);
