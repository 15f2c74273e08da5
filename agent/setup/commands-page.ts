/** The text of docs/commands.md, from the program itself. */
import type { Argument, Command, Option } from 'commander';
import { options as configured } from '../../config/schema.ts';
import { examplesOf, isVisible } from '../commands/command-help.ts';
import { exitCodes } from '../commands/exit-codes.ts';
import { createProgram } from '../commands/program.ts';

const HEAD = `# Commands

Generated from \`agent/commands/program.ts\` and \`agent/commands/exit-codes.ts\` by \`npm run docs\`. \`portlight <command> --help\` has all
options of each.

**Where it comes from.** \`status\` asks a running agent, and fails where none answers at \`listen\`. Every other command
works with no agent running. Where one runs that observes the same daemon, \`top\`, \`ps\` and \`events\` show what it has:
the last hour, its alerts, figures without waiting. \`alerts\` shows what the agent has; without one, it tells which rules
hold now. \`logs\`, \`images\`, \`info\` and \`namespaces\` ask the daemon and the kernel, who have all of it; whoever may
not ask those is answered by the agent, as far as it knows. Beyond loopback the agent wants its token, which is read from
\`data_dir\`.

**For people and for programs.** On a terminal, tables are as wide as that is, with \`…\` where something is cut; elsewhere
they are whole. \`-o json\` and \`-o yaml\` have everything; what is not known is absent. Colours are for terminals:
\`NO_COLOR\` turns them off, \`FORCE_COLOR\` on. What containers write and are called never steers the terminal. What takes
longer than a moment shows how far it is, on standard error, where that is a terminal. Times are in UTC.

**Exit codes**
`;

const cell = (text: string): string => text.replaceAll('|', '\\|');

function codes(): string[] {
  return [
    '',
    '| code | what it means |',
    '| --- | --- |',
    ...Object.values(exitCodes).map(({ code, what }) => `| ${code} | ${cell(what)} |`),
    '',
  ];
}

const isConfigured = ({ long }: Option): boolean =>
  long === '--config' || configured.some(({ flagName }) => long === `--${flagName}`);

function optionRow({ flags, description, argChoices, defaultValue }: Option): string {
  const choices = argChoices === undefined ? '' : `: ${argChoices.join(', ')}`;
  const fallback = typeof defaultValue === 'string' ? `; ${defaultValue} by default` : '';
  return `| \`${cell(flags)}\` | ${cell(description + choices + fallback)} |`;
}

function argumentText(argument: Argument): string {
  const text = `${argument.name()}${argument.variadic ? '...' : ''}`;
  return argument.required ? `<${text}>` : `[${text}]`;
}

function section(command: Command, path: string): string[] {
  const subcommands = command.commands.filter((sub) => sub.name() !== 'help');
  const own = subcommands.length > 0 ? [] : described(command, path);
  return [...own, ...subcommands.flatMap((sub) => section(sub, `${path} ${sub.name()}`))];
}

function described(command: Command, path: string): string[] {
  const all = command.options as Option[];
  const rows = all.filter((option) => !isConfigured(option)).map(optionRow);
  const given = all.filter(isConfigured).map(({ long }) => `\`${long}\``);
  const examples = examplesOf(command).map(({ line, what }) => `$ ${line}   # ${what}`);
  const words = command.registeredArguments.map(argumentText);
  const sentence = command.description();
  return [
    `## ${[path, ...words].join(' ')}`,
    '',
    `${sentence.charAt(0).toUpperCase()}${sentence.slice(1)}.`,
    '',
    ...(examples.length === 0 ? [] : ['```console', ...examples, '```', '']),
    ...(rows.length === 0 ? [] : ['| option | |', '| --- | --- |', ...rows, '']),
    ...(given.length === 0
      ? []
      : [
          given.length > 10
            ? 'Configuration: every option of it.'
            : `Of the configuration it heeds ${given.join(', ')}.`,
          '',
        ]),
  ];
}

export function commandsPage(): string {
  const program = createProgram();
  const sections = program.commands
    .filter(isVisible)
    .flatMap((command) => section(command, `portlight ${command.name()}`));
  return `${[HEAD.trimEnd(), ...codes(), ...sections].join('\n').trimEnd()}\n`;
}
