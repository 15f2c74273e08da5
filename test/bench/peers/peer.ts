/** What a user would otherwise run: programs found on the machine, each told to do one of the agent's jobs. */
import { execFile } from 'node:child_process';
import { constants } from 'node:fs';
import { access, readFile, writeFile } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { promisify } from 'node:util';

export type PeerSearch = { readonly binary: string; readonly version: string } | { readonly absent: string };

/** What is started for a job: the command, and what its environment needs beside PATH. */
export interface Command {
  readonly argv: readonly [string, ...string[]];
  readonly env: Readonly<Record<string, string>>;
}

/** Logs that the json-file driver wrote, read from their beginning and shipped to an OTLP/HTTP receiver. */
export interface LogsJob {
  readonly binary: string;
  readonly files: readonly string[];
  /** Of the receiver, without a path. */
  readonly endpoint: string;
  /** An empty directory, for configuration and for what the peer keeps. */
  readonly data: string;
  /** `json`: the body is parsed into attributes; `multiline`: Java stack traces are joined. */
  readonly format: 'plain' | 'json' | 'multiline';
  readonly gzip: boolean;
  /** Whether what waits is kept on disk, not in memory. */
  readonly spool: boolean;
}

/** Metrics of all containers of a daemon on cgroups of this machine. */
export interface MetricsJob {
  readonly binary: string;
  /** `unix:///…` */
  readonly dockerHost: string;
  readonly intervalSeconds: number;
  /** Of an OTLP/HTTP receiver, without a path; peers that are scraped do not need it. */
  readonly endpoint: string;
  /** A free port of 127.0.0.1 for peers that are scraped. */
  readonly port: number;
  readonly data: string;
}

export interface Peer {
  readonly name: string;
  /**
   * @param path directories, as in PATH
   */
  find(path: string): Promise<PeerSearch>;
  /** Writes the configuration and tells the command. */
  logs?(job: LogsJob): Promise<Command>;
  /** As `logs`; `scrape` is the page of a peer that only measures for those who ask, once an interval. */
  metrics?(job: MetricsJob): Promise<Command & { readonly scrape?: string }>;
}

/** A program in one of the directories, if it tells its version. */
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
        ? { absent: `${binary} ${argument} tells no version` }
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
 * @throws {Error} where the template names a value that there is not
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
      if (value === undefined) throw new Error(`${template}: there is no value for ${name}`);
      return String(value);
    }),
  );
  return destination;
}
