/** Configuration options as flags of a command. */

import { type Command, Option } from 'commander';
import type { LoadedConfig } from '../../config/load.ts';
import { formatDefault, options } from '../../config/schema.ts';
import { loadConfig } from '../process/load-config.ts';

/** @param paths the options that the command accepts; all by default */
export function addConfigFlags(command: Command, paths?: readonly string[]): Command {
  command.addOption(new Option('-c, --config <file>', 'configuration file').env('PORTLIGHT_CONFIG'));
  for (const option of options) {
    const { path, description, flag, flagName, variable } = option;
    if (flag === undefined || (paths !== undefined && !paths.includes(path))) continue;
    // Commander only parses. The loader applies defaults and variables, because it also tracks where a value comes from.
    const fallback = formatDefault(option);
    const suffix = fallback === undefined ? '' : ` (default: ${fallback})`;
    command.option(`--${flagName} <${flag}>`, `${description}${suffix} [${variable}]`);
  }
  return command;
}

/** Loads the configuration with the flags of the command. */
export function loadCommandConfig(command: Command): Promise<LoadedConfig> {
  const given = command.optsWithGlobals() as Record<string, unknown>;
  const flags: Record<string, unknown> = {};
  for (const { path, flagName } of options) {
    flags[path] = given[flagName.replaceAll(/-(\w)/g, (_, letter: string) => letter.toUpperCase())];
  }
  return loadConfig(flags, given.config as string | undefined);
}
