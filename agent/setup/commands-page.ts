/** Generates docs/commands.md from the program. */
import type { Argument, Command, Option } from 'commander';
import { options as configured } from '../../config/schema.ts';
import { examplesOf, isVisible } from '../commands/command-help.ts';
import { exitCodes } from '../commands/exit-codes.ts';
import { createProgram } from '../commands/program.ts';

const HEAD = `# Commands

Generated from \`agent/commands/program.ts\` and \`agent/commands/exit-codes.ts\` by \`npm run docs\`. Run
\`portlight <command> --help\` for all options of a command.

## Data sources

\`status\` requires a running agent at \`listen\`. All other commands also work without one.

| command | with a running agent for the same daemon | without |
| --- | --- | --- |
| \`top\`, \`ps\`, \`events\` | data of the agent: the last hour, alerts, usage without waiting | daemon and kernel |
| \`alerts\` | alerts of the agent | evaluates the rules once |
| \`logs\`, \`images\`, \`info\`, \`namespaces\` | daemon and kernel; without permission, the agent's own data is used | daemon and kernel |

If the agent listens beyond loopback, the commands read its token from \`data_dir\`.

## Output

- On a terminal, tables are as wide as the terminal, and \`…\` marks text that is cut. Otherwise nothing is cut.
- \`-o json\` and \`-o yaml\` print all fields; unknown values are absent.
- Colours are used on terminals only. \`NO_COLOR\` disables them, \`FORCE_COLOR\` enables them everywhere.
- Control characters in names and log lines are removed on terminals.
- Commands that take longer than 0.3 s show their progress on standard error, if that is a terminal.
- Times are in UTC.

## Exit codes
`;

const cell = (text: string): string => text.replaceAll('|', '\\|');

function exitCodeTable(): string[] {
  return [
    '',
    '| code | meaning |',
    '| --- | --- |',
    ...Object.values(exitCodes).map(({ code, what }) => `| ${code} | ${cell(what)} |`),
    '',
  ];
}

const isConfigured = ({ long }: Option): boolean =>
  long === '--config' || configured.some(({ flagName }) => long === `--${flagName}`);

function optionRow({ flags, description, argChoices, defaultValue }: Option): string {
  const choices = argChoices === undefined ? '' : `: ${argChoices.join(', ')}`;
  const fallback = typeof defaultValue === 'string' ? `; default ${defaultValue}` : '';
  return `| \`${cell(flags)}\` | ${cell(description + choices + fallback)} |`;
}

function argumentText(argument: Argument): string {
  const text = `${argument.name()}${argument.variadic ? '...' : ''}`;
  return argument.required ? `<${text}>` : `[${text}]`;
}

function section(command: Command, path: string): string[] {
  const subcommands = command.commands.filter((sub) => sub.name() !== 'help');
  const lines = subcommands.length > 0 ? [] : commandSection(command, path);
  return [...lines, ...subcommands.flatMap((sub) => section(sub, `${path} ${sub.name()}`))];
}

function commandSection(command: Command, path: string): string[] {
  const all = command.options as Option[];
  const rows = all.filter((option) => !isConfigured(option)).map(optionRow);
  const configFlags = all.filter(isConfigured).map(({ long }) => `\`${long}\``);
  const examples = examplesOf(command).map(({ line, what }) => `$ ${line}   # ${what}`);
  const argumentTexts = command.registeredArguments.map(argumentText);
  const sentence = command.description();
  return [
    `## ${[path, ...argumentTexts].join(' ')}`,
    '',
    `${sentence.charAt(0).toUpperCase()}${sentence.slice(1)}.`,
    '',
    ...(examples.length === 0 ? [] : ['```console', ...examples, '```', '']),
    ...(rows.length === 0 ? [] : ['| option | description |', '| --- | --- |', ...rows, '']),
    ...(configFlags.length === 0
      ? []
      : [
          configFlags.length > 10
            ? 'Accepts all configuration options.'
            : `Configuration options: ${configFlags.join(', ')}.`,
          '',
        ]),
  ];
}

export function commandsPage(): string {
  const program = createProgram();
  const sections = program.commands
    .filter(isVisible)
    .flatMap((command) => section(command, `portlight ${command.name()}`));
  return `${[HEAD.trimEnd(), ...exitCodeTable(), ...sections].join('\n').trimEnd()}\n`;
}
