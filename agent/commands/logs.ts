/** `portlight logs`: the logs of containers, by time. */

import type { Command } from 'commander';
import { isNotFound } from '../../collectors/engine/client.ts';
import { fromInspect } from '../../collectors/lifecycle/identity.ts';
import type { LinearPattern } from '../../config/linear-pattern.ts';
import { ConfigError } from '../../config/load.ts';
import { compilePattern } from '../../config/pattern.ts';
import { numberOfRange } from '../../config/severity.ts';
import { colourOf, type Paint, paintFor } from '../../exporters/console/colours.ts';
import { pad, plain, width } from '../../exporters/console/text.ts';
import { styleOfSeverity } from '../views/terminal/event-line.ts';
import { readAgentLogs } from '../views/watch/agent-logs.ts';
import { type Daemon, daemonOrAgent } from '../views/watch/daemon.ts';
import { DaemonLog, readDaemonLogs } from '../views/watch/daemon-logs.ts';
import { type DisplayLine, formatTime, severityName } from '../views/watch/log-line.ts';
import { loadCommandConfig } from './config-flags.ts';
import { parseSince } from './parse-since.ts';

export interface LogsOptions {
  readonly follow?: boolean;
  readonly tail: string;
  readonly since?: string;
  readonly grep?: string;
  readonly severity?: string;
  readonly timestamps?: boolean;
  readonly output: string;
}

/** On a terminal, longer names are cut, that lines have room. */
const LONGEST_NAME = 24;

function tailOf(text: string): number | undefined {
  if (text === 'all') return undefined;
  if (/^\d+$/.test(text)) return Number(text);
  throw new ConfigError([`--tail: "${text}" is not allowed; expected a number of lines, or all`]);
}

function patternOf(text: string | undefined): LinearPattern | undefined {
  try {
    return text === undefined ? undefined : compilePattern(text);
  } catch {
    throw new ConfigError([
      `--grep: "${text}" is not allowed; expected a regular expression without look-around and back-references`,
    ]);
  }
}

/** What begins so belongs to the line before it: a stack trace. */
const CONTINUES = /^(\s+\S|Caused by: |Traceback )/;

/** Which lines are wanted. */
function lineFilter({ grep, severity }: LogsOptions): (line: DisplayLine) => boolean {
  const fits = patternOf(grep);
  const least = severity === undefined ? 0 : numberOfRange(severity);
  const wasSevere = new Map<string, boolean>();
  return (line) => {
    if (least > 0) {
      const source = `${line.container} ${line.stream}`;
      const continues = line.severity === 0 && CONTINUES.test(line.text);
      const isSevere = continues ? wasSevere.get(source) === true : line.severity >= least;
      wasSevere.set(source, isSevere);
      if (!isSevere) return false;
    }
    return fits === undefined || fits.test(line.text);
  };
}

class LogPrinter {
  private readonly options: LogsOptions;
  private readonly paints: Readonly<Record<DisplayLine['stream'], Paint>>;
  /** Columns of names; 0 where there is only one. */
  private readonly names: number;

  constructor(options: LogsOptions, names: readonly string[]) {
    this.options = options;
    this.paints = { stdout: paintFor(process.stdout), stderr: paintFor(process.stderr) };
    const longest = process.stdout.isTTY ? LONGEST_NAME : Number.POSITIVE_INFINITY;
    this.names = names.length > 1 ? Math.min(longest, Math.max(...names.map(width))) : 0;
  }

  /** @returns whether there is room for more at once */
  print(line: DisplayLine): boolean {
    if (this.options.output === 'json') {
      const { container, stream, text: body, severity } = line;
      const record = { time: formatTime(line), container, stream, severity: severityName(severity), body };
      return process.stdout.write(`${JSON.stringify(record)}\n`);
    }
    const out = process[line.stream];
    const paint = this.paints[line.stream];
    // A log line must not command the terminal of whoever reads it.
    const text = out.isTTY ? plain(line.text) : line.text;
    const style = styleOfSeverity(line.severity);
    const time = this.options.timestamps === true ? `${paint('dim', formatTime(line))} ` : '';
    const name =
      this.names === 0
        ? ''
        : `${paint(colourOf(line.container), pad(line.container, this.names))} ${paint(line.stream === 'stderr' ? 'red' : 'dim', '|')} `;
    return out.write(`${time}${name}${style === undefined ? text : paint(style, text)}\n`);
  }
}

/** Resolves when there is room for more, or nobody reads any more. */
const drained = (out: NodeJS.WritableStream): Promise<void> =>
  new Promise((resolve) => {
    out.once('drain', resolve);
    out.once('error', resolve);
  });

/** The logs of the containers that are called so, each once. */
async function logsOf(
  { docker, ask, scope }: Daemon,
  names: readonly string[],
  signal: AbortSignal,
): Promise<DaemonLog[]> {
  const { includes: selects } = await scope();
  const inspected = await Promise.all(
    names.map(async (name) => {
      const found = await ask(
        docker
          .getContainer(name)
          .inspect()
          .catch((error) => {
            if (!isNotFound(error)) throw error;
            return undefined;
          }),
      );
      if (found === undefined || !(await selects(fromInspect(found, undefined, {}))))
        throw new Error(`there is no container ${name}`);
      return found;
    }),
  );
  const byId = new Map(inspected.map((each) => [each.Id, each]));
  return [...byId.values()].map((each) => new DaemonLog(docker, each, signal));
}

const warnAboutGap = (oldest: number): void =>
  console.error(
    `portlight: the daemon cannot be asked, and the agent has lines since ${new Date(oldest).toISOString()} only`,
  );

export async function logs(names: readonly string[], options: LogsOptions, command: Command): Promise<void> {
  const past = { since: parseSince(options.since), tail: tailOf(options.tail) };
  const isWanted = lineFilter(options);
  const { config } = await loadCommandConfig(command);
  const stopping = new AbortController();
  const { signal } = stopping;
  // Whoever read us has gone (`| head`).
  process.stdout.on('error', () => stopping.abort());
  const follow = options.follow ?? false;
  const found = await daemonOrAgent(
    config,
    async (daemon) => {
      const all = await logsOf(daemon, names, signal);
      return { called: all.map(({ name }) => name), lines: readDaemonLogs(all, past, follow) };
    },
    async (agent) => ({
      called: names,
      lines: readAgentLogs(agent, names, past, follow, signal, warnAboutGap),
    }),
  );
  const printer = new LogPrinter(options, found.called);
  try {
    for await (const line of found.lines) {
      if (signal.aborted) return;
      if (isWanted(line) && !printer.print(line))
        await drained(options.output === 'json' ? process.stdout : process[line.stream]);
    }
  } catch (error) {
    if (!signal.aborted) throw error;
  }
}
