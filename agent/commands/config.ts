/** `portlight config`: what is configured, and whether it is right. */
import type { Command } from 'commander';
import { ConfigError } from '../../config/load.ts';
import { MASK, withoutSecrets } from '../../config/mistake.ts';
import { options } from '../../config/schema.ts';
import { table } from '../../exporters/console/table.ts';
import { configOf } from './options.ts';

export async function printConfig({ output }: { output: string }, command: Command): Promise<void> {
  const { settings } = await configOf(command);
  const rows = options
    .filter(({ path }) => settings.has(path))
    .map(({ path, secret }) => {
      const { value, origin } = settings.get(path)!;
      return { key: path, value: secret ? MASK : withoutSecrets(value), origin };
    });
  if (output === 'json') console.log(JSON.stringify(rows, null, 2));
  else {
    const cells = rows.map(({ key, value, origin }) => [
      key,
      Array.isArray(value) && !value.some((item) => typeof item === 'object')
        ? value.join(',')
        : typeof value === 'object'
          ? JSON.stringify(value)
          : String(value),
      origin,
    ]);
    console.log(table(['KEY', 'VALUE', 'FROM'], cells).join('\n'));
  }
}

export async function validateConfig(_options: unknown, command: Command): Promise<void> {
  const { ruleMistakes } = await configOf(command);
  if (ruleMistakes.length > 0) throw new ConfigError(ruleMistakes);
  console.log('the configuration is valid');
}
