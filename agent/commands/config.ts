/** `portlight config`: prints or validates the configuration, or prints its JSON Schema. */
import type { Command } from 'commander';
import { ConfigError } from '../../config/load.ts';
import { MASK, maskSecrets } from '../../config/mask-secrets.ts';
import { options } from '../../config/schema.ts';
import { loadCommandConfig } from './config-flags.ts';
import { printAs, printTable } from './output.ts';

export async function printConfig({ output }: { output: string }, command: Command): Promise<void> {
  const { settings } = await loadCommandConfig(command);
  const rows = options
    .filter(({ path }) => settings.has(path))
    .map(({ path, secret }) => {
      const { value, origin } = settings.get(path)!;
      return { key: path, value: secret ? MASK : maskSecrets(value), origin };
    });
  await printAs(output, rows, () => {
    const cells = rows.map(({ key, value, origin }) => [
      key,
      Array.isArray(value) && !value.some((item) => typeof item === 'object')
        ? value.join(',')
        : typeof value === 'object'
          ? JSON.stringify(value)
          : String(value),
      origin,
    ]);
    printTable({ head: ['KEY', 'VALUE', 'SOURCE'], rows: cells });
  });
}

export async function validateConfig(_options: unknown, command: Command): Promise<void> {
  const { ruleProblems } = await loadCommandConfig(command);
  if (ruleProblems.length > 0) throw new ConfigError(ruleProblems);
  console.log('The configuration is valid.');
}

export async function printSchema(): Promise<void> {
  const { jsonSchema } = await import('../../config/json-schema.ts');
  console.log(JSON.stringify(jsonSchema(), undefined, 2));
}
