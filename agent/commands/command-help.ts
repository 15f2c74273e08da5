/** Shared parts of command declarations: the output option, and examples in the help. */
import { type Command, Option } from 'commander';

const formats = ['table', 'json', 'yaml'] as const;

/** `-o`; the first choice is the default. */
export function outputOption(
  ...choices: readonly ((typeof formats)[number] | 'tree' | 'dot' | 'text')[]
): Option {
  const all = choices.length > 0 ? choices : formats;
  return new Option('-o, --output <format>', 'output format').choices(all).default(all[0]);
}

export interface Example {
  readonly line: string;
  readonly what: string;
}

const examples = new WeakMap<Command, Example[]>();

/** Adds an example to a command's help and docs/commands.md. */
export function addExample(command: Command, line: string, what: string): Command {
  const known = examples.get(command);
  if (known === undefined) {
    examples.set(command, [{ line, what }]);
    command.addHelpText('after', () => `\nExamples:\n${formatExamples(examplesOf(command))}`);
  } else known.push({ line, what });
  return command;
}

export const examplesOf = (command: Command): readonly Example[] => examples.get(command) ?? [];

/** Example lines for the help, with the descriptions in one column. */
export function formatExamples(all: readonly Example[]): string {
  const widest = Math.max(...all.map(({ line }) => line.length));
  return all.map(({ line, what }) => `  $ ${line.padEnd(widest)}   ${what}`).join('\n');
}

/** Whether the help lists a command; commander has no public method for it. */
export const isVisible = (command: Command): boolean =>
  !(command as unknown as { readonly _hidden: boolean })._hidden;
