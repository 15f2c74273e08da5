/** `portlight logs`: the log of one container as the daemon keeps it. */
import { stripVTControlCharacters } from 'node:util';
import type { Command } from 'commander';
import { isNotFound } from '../../collectors/docker/client.ts';
import { FrameSplitter, type LineSplitter, type OnLine, RawSplitter } from '../../collectors/logs/frames.ts';
import { parseDuration } from '../../config/duration.ts';
import { ConfigError } from '../../config/load.ts';
import { daemonOf } from './daemon.ts';
import { configOf } from './options.ts';

/** Bytes of a line above which the rest is left out. */
const MAX_LINE = 1024 * 1024;

export interface LogsOptions {
  readonly follow?: boolean;
  readonly tail: string;
  readonly since?: string;
  readonly timestamps?: boolean;
  readonly output: string;
}

/** `10m` ago, or a moment, as seconds since the epoch. */
function sinceSeconds(text: string | undefined): number {
  if (text === undefined) return 0;
  const duration = parseDuration(text);
  if (duration > 0) return Math.floor((Date.now() - duration) / 1000);
  const moment = Date.parse(text);
  if (!Number.isNaN(moment)) return Math.floor(moment / 1000);
  throw new ConfigError([
    `--since: "${text}" is not allowed; expected a duration such as 10m, or a time such as 2026-11-24T12:00:00Z`,
  ]);
}

function tailOf(text: string): number | undefined {
  if (text === 'all') return undefined;
  if (/^\d+$/.test(text)) return Number(text);
  throw new ConfigError([`--tail: "${text}" is not allowed; expected a number of lines, or all`]);
}

const timeOf = ({ seconds, nanos }: { seconds: number; nanos: number }): string =>
  `${new Date(seconds * 1000).toISOString().slice(0, 19)}.${String(nanos).padStart(9, '0')}Z`;

export async function logs(name: string, options: LogsOptions, command: Command): Promise<void> {
  const since = sinceSeconds(options.since);
  const tail = tailOf(options.tail);
  const { config } = await configOf(command);
  const { docker, endpoint, ask } = daemonOf(config);
  const container = docker.getContainer(name);
  const inspected = await ask(
    container.inspect().catch((error) => {
      if (!isNotFound(error)) throw error;
      return undefined;
    }),
  );
  if (inspected === undefined) throw new Error(`there is no container ${name}`);
  const { Config, HostConfig } = inspected;
  const print: OnLine = (time, stream, source, start, end) => {
    const body = source.toString('utf8', start, end);
    if (options.output === 'json') {
      process.stdout.write(`${JSON.stringify({ time: timeOf(time), stream, body })}\n`);
      return;
    }
    const out = stream === 'stderr' ? process.stderr : process.stdout;
    // A log line must not command the terminal of whoever reads it.
    const text = out.isTTY ? stripVTControlCharacters(body) : body;
    out.write(options.timestamps === true ? `${timeOf(time)} ${text}\n` : `${text}\n`);
  };
  const splitter: LineSplitter = new (Config.Tty ? RawSplitter : FrameSplitter)(print, MAX_LINE);
  const stopping = new AbortController();
  // Whoever read us has gone (`| head`).
  process.stdout.on('error', () => stopping.abort());
  let stream: unknown;
  try {
    stream = await container.logs({
      follow: (options.follow ?? false) as true,
      stdout: true,
      stderr: true,
      timestamps: true,
      since,
      ...(tail === undefined ? {} : { tail }),
      abortSignal: stopping.signal,
    });
  } catch (error) {
    if ((error as { statusCode?: number }).statusCode === 501)
      throw new Error(`the log driver ${HostConfig.LogConfig?.Type} of ${name} keeps nothing to read`);
    await ask(Promise.reject(error));
  }
  try {
    for await (const chunk of Buffer.isBuffer(stream) ? [stream] : (stream as AsyncIterable<Buffer>))
      splitter.push(chunk);
    splitter.end();
  } catch (error) {
    if (!stopping.signal.aborted) throw new Error(`${endpoint.host}: ${(error as Error).message}`);
  }
}
