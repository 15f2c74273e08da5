/** `portlight logs`: logs of containers, merged by time. */

import type { Command } from 'commander';
import { isNotFound } from '../../collectors/engine/client.ts';
import { fromInspect } from '../../collectors/lifecycle/identity.ts';
import type { LinearPattern } from '../../config/linear-pattern.ts';
import { ConfigError } from '../../config/load.ts';
import { compilePattern } from '../../config/pattern.ts';
import { numberOfRange } from '../../config/severity.ts';
import { colourOf, createPaint, type Paint } from '../../exporters/console/colours.ts';
import { pad, stripControls, width } from '../../exporters/console/text.ts';
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

/** Longer names are cut on a terminal. */
const MAX_NAME_WIDTH = 24;

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

/** Start of a line that continues the previous one, such as a line of a stack trace. */
const CONTINUATION = /^(\s+\S|Caused by: |Traceback )/;

/** Creates the filter for `--grep` and `--severity`. A continuation line follows the line before it. */
function lineFilter({ grep, severity }: LogsOptions): (line: DisplayLine) => boolean {
  const pattern = patternOf(grep);
  const least = severity === undefined ? 0 : numberOfRange(severity);
  const wasSevere = new Map<string, boolean>();
  return (line) => {
    if (least > 0) {
      const source = `${line.container} ${line.stream}`;
      const continues = line.severity === 0 && CONTINUATION.test(line.text);
      const isSevere = continues ? wasSevere.get(source) === true : line.severity >= least;
      wasSevere.set(source, isSevere);
      if (!isSevere) return false;
    }
    return pattern === undefined || pattern.test(line.text);
  };
}

class LogPrinter {
  private readonly options: LogsOptions;
  private readonly paints: Readonly<Record<DisplayLine['stream'], Paint>>;
  /** Columns of container names; 0 for a single container. */
  private readonly names: number;

  constructor(options: LogsOptions, names: readonly string[]) {
    this.options = options;
    this.paints = { stdout: createPaint(process.stdout), stderr: createPaint(process.stderr) };
    const longest = process.stdout.isTTY ? MAX_NAME_WIDTH : Number.POSITIVE_INFINITY;
    this.names = names.length > 1 ? Math.min(longest, Math.max(...names.map(width))) : 0;
  }

  /** @returns false if the output's buffer is full */
  print(line: DisplayLine): boolean {
    if (this.options.output === 'json') {
      const { container, stream, text: body, severity } = line;
      const record = { time: formatTime(line), container, stream, severity: severityName(severity), body };
      return process.stdout.write(`${JSON.stringify(record)}\n`);
    }
    const out = process[line.stream];
    const paint = this.paints[line.stream];
    // A log line must not control the reader's terminal.
    const text = out.isTTY ? stripControls(line.text) : line.text;
    const style = styleOfSeverity(line.severity);
    const time = this.options.timestamps === true ? `${paint('dim', formatTime(line))} ` : '';
    const name =
      this.names === 0
        ? ''
        : `${paint(colourOf(line.container), pad(line.container, this.names))} ${paint(line.stream === 'stderr' ? 'red' : 'dim', '|')} `;
    return out.write(`${time}${name}${style === undefined ? text : paint(style, text)}\n`);
  }
}

/** Resolves once the output accepts more, or is closed. */
const drained = (out: NodeJS.WritableStream): Promise<void> =>
  new Promise((resolve) => {
    out.once('drain', resolve);
    out.once('error', resolve);
  });

/** The logs of the named containers, each once. */
async function logsOf(
  { docker, request, scope }: Daemon,
  names: readonly string[],
  signal: AbortSignal,
): Promise<DaemonLog[]> {
  const { includes: selects } = await scope();
  const inspected = await Promise.all(
    names.map(async (name) => {
      const found = await request(
        docker
          .getContainer(name)
          .inspect()
          .catch((error) => {
            if (!isNotFound(error)) throw error;
            return undefined;
          }),
      );
      if (found === undefined || !(await selects(fromInspect(found, undefined, {}))))
        throw new Error(`no such container: ${name}`);
      return found;
    }),
  );
  const byId = new Map(inspected.map((each) => [each.Id, each]));
  return [...byId.values()].map((each) => new DaemonLog(docker, each, signal));
}

const warnAboutGap = (oldest: number): void =>
  console.error(
    `portlight: no access to the daemon; the agent has only lines since ${new Date(oldest).toISOString()}`,
  );

export async function printLogs(
  names: readonly string[],
  options: LogsOptions,
  command: Command,
): Promise<void> {
  const past = { since: parseSince(options.since), tail: tailOf(options.tail) };
  const isWanted = lineFilter(options);
  const { config } = await loadCommandConfig(command);
  const stopping = new AbortController();
  const { signal } = stopping;
  // The reader of a pipe has closed it (`| head`).
  process.stdout.on('error', () => stopping.abort());
  const follow = options.follow ?? false;
  const found = await daemonOrAgent(
    config,
    async (daemon) => {
      const all = await logsOf(daemon, names, signal);
      return { names: all.map(({ name }) => name), lines: readDaemonLogs(all, past, follow) };
    },
    async (agent) => ({
      names,
      lines: readAgentLogs(agent, names, past, follow, signal, warnAboutGap),
    }),
  );
  const printer = new LogPrinter(options, found.names);
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
