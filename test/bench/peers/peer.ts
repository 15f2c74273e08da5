/** Peers: programs on the machine, each configured to do one of the agent's jobs. */
import { execFile } from 'node:child_process';
import { constants } from 'node:fs';
import { access, readFile, writeFile } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { promisify } from 'node:util';

export type PeerSearch = { readonly binary: string; readonly version: string } | { readonly absent: string };

/** The command for a job, and its environment besides PATH. */
export interface Command {
  readonly argv: readonly [string, ...string[]];
  readonly env: Readonly<Record<string, string>>;
}

/** Read json-file logs from the start and ship them to an OTLP/HTTP receiver. */
export interface LogsJob {
  readonly binary: string;
  readonly files: readonly string[];
  /** URL of the receiver, without a path. */
  readonly endpoint: string;
  /** An empty directory for the peer's configuration and state. */
  readonly data: string;
  /** `json`: the body is parsed into attributes; `multiline`: Java stack traces are joined. */
  readonly format: 'plain' | 'json' | 'multiline';
  readonly gzip: boolean;
  /** Whether the queue is on disk instead of in memory. */
  readonly spool: boolean;
}

/** Collect metrics of all containers of a daemon on this machine. */
export interface MetricsJob {
  readonly binary: string;
  /** `unix:///…` */
  readonly dockerHost: string;
  readonly intervalSeconds: number;
  /** URL of an OTLP/HTTP receiver, without a path; not needed by peers that are scraped. */
  readonly endpoint: string;
  /** A free port of 127.0.0.1, for peers that are scraped. */
  readonly port: number;
  readonly data: string;
}

export interface BenchPeer {
  readonly name: string;
  /**
   * @param path directories to search, in the format of PATH
   */
  find(path: string): Promise<PeerSearch>;
  /** Writes the configuration and returns the command. */
  logs?(job: LogsJob): Promise<Command>;
  /** As `logs`; `scrape` is the page of a peer that measures on request. */
  metrics?(job: MetricsJob): Promise<Command & { readonly scrape?: string }>;
}

/** Searches a program in the directories and asks its version. */
export async function findProgram(
  path: string,
  program: string,
  argument: string,
  version: RegExp,
): Promise<PeerSearch> {
  for (const directory of path.split(delimiter)) {
    const binary = join(directory, program);
    if (
      !(await access(binary, constants.X_OK).then(
        () => true,
        () => false,
      ))
    )
      continue;
    try {
      const { stdout, stderr } = await promisify(execFile)(binary, [argument]);
      const found = version.exec(stdout + stderr)?.[1];
      return found === undefined
        ? { absent: `${binary} ${argument} prints no version` }
        : { binary, version: found };
    } catch (error) {
      return { absent: `${binary} ${argument}: ${(error as Error).message.trim()}` };
    }
  }
  return { absent: `no ${program} on PATH` };
}

/**
 * Writes a template with each `{{name}}` replaced.
 *
 * @throws {Error} if the template names an unknown value
 */
export async function fill(
  template: string,
  destination: string,
  values: Readonly<Record<string, string | number | boolean>>,
): Promise<string> {
  const text = await readFile(join(import.meta.dirname, template), 'utf8');
  await writeFile(
    destination,
    text.replaceAll(/\{\{(\w+)\}\}/g, (_, name: string) => {
      const value = values[name];
      if (value === undefined) throw new Error(`${template}: no value for ${name}`);
      return String(value);
    }),
  );
  return destination;
}
