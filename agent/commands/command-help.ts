/** What commands have in common when they are declared: the form of their output, and examples. */
import { type Command, Option } from 'commander';

const formats = ['table', 'json', 'yaml'] as const;

/** `-o`: how to print; the first is the default. */
export function outputOption(
  ...choices: readonly ((typeof formats)[number] | 'tree' | 'dot' | 'text')[]
): Option {
  const all = choices.length > 0 ? choices : formats;
  return new Option('-o, --output <format>', 'how to print').choices(all).default(all[0]);
}

export interface Example {
  readonly line: string;
  readonly what: string;
}

const examples = new WeakMap<Command, Example[]>();

/** An example of a command, which its help and docs/commands.md show. */
export function addExample(command: Command, line: string, what: string): Command {
  const known = examples.get(command);
  if (known === undefined) {
    examples.set(command, [{ line, what }]);
    command.addHelpText('after', () => `\nExamples:\n${formatExamples(examplesOf(command))}`);
  } else known.push({ line, what });
  return command;
}

export const examplesOf = (command: Command): readonly Example[] => examples.get(command) ?? [];

/** Lines as help shows them: what each does, from one column on. */
export function formatExamples(all: readonly Example[]): string {
  const widest = Math.max(...all.map(({ line }) => line.length));
  return all.map(({ line, what }) => `  $ ${line.padEnd(widest)}   ${what}`).join('\n');
}

/** Whether help shows a command; commander tells that to nobody else. */
export const isVisible = (command: Command): boolean =>
  !(command as unknown as { readonly _hidden: boolean })._hidden;
