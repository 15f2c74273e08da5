/** Logs of containers from the daemon: past lines merged by time, then new lines. */
import { setTimeout as sleep } from 'node:timers/promises';
import type Docker from 'dockerode';
import type { ContainerInspectInfo } from 'dockerode';
import { formatSince } from '../../../collectors/engine/time.ts';
import {
  FrameSplitter,
  type LineSplitter,
  type OnLine,
  RawSplitter,
} from '../../../collectors/logs/api/frames.ts';
import { parseLine } from '../../logs/parse.ts';
import { compareTime, type DisplayLine } from './log-line.ts';

/** Longer lines are cut, bytes. */
const MAX_LINE = 1024 * 1024;
/** How long new lines wait for older lines of other logs, ms. */
const REORDER_MS = 50;
/** Limit of lines that wait to be printed. */
const MAX_WAITING = 10_000;

export interface LogRange {
  /** ms since the epoch; undefined for all. */
  readonly since: number | undefined;
  /** Number of lines; undefined for all. */
  readonly tail: number | undefined;
}

interface Request extends LogRange {
  readonly follow: boolean;
}

const nanosOf = (milliseconds: number): bigint => BigInt(Math.round(milliseconds)) * 1_000_000n;

export class DaemonLog {
  readonly name: string;
  private readonly docker: Docker;
  private readonly inspected: ContainerInspectInfo;
  private readonly signal: AbortSignal;
  /** The last line that was returned, and the number of consecutive lines with its time. */
  private last: DisplayLine | undefined;
  private count = 0;

  constructor(docker: Docker, inspected: ContainerInspectInfo, signal: AbortSignal) {
    this.name = inspected.Name.replace(/^\//, '');
    this.docker = docker;
    this.inspected = inspected;
    this.signal = signal;
  }

  /** All existing lines. */
  async *readPast(past: LogRange): AsyncGenerator<DisplayLine> {
    for await (const line of this.lines({ ...past, follow: false })) yield this.remember(line);
  }

  /** New lines after those already returned; if there are none, existing lines from `past` on, then new ones. */
  async *follow(past: LogRange): AsyncGenerator<DisplayLine> {
    const { last } = this;
    if (last === undefined) {
      for await (const line of this.lines({ ...past, follow: true })) yield this.remember(line);
      return;
    }
    let known = this.count;
    const since = BigInt(last.seconds) * 1_000_000_000n + BigInt(last.nanos);
    for await (const line of this.lines({ since, tail: undefined, follow: true })) {
      const order = compareTime(line, last);
      if (order < 0 || (order === 0 && known-- > 0)) continue;
      yield this.remember(line);
    }
  }

  private remember(line: DisplayLine): DisplayLine {
    this.count = this.last !== undefined && compareTime(this.last, line) === 0 ? this.count + 1 : 1;
    this.last = line;
    return line;
  }

  /** @throws {Error} if the log driver does not support reading, or the daemon does not answer */
  private async *lines({ since, tail, follow }: Omit<Request, 'since'> & { since?: number | bigint }) {
    const { Config, HostConfig } = this.inspected;
    let lines: DisplayLine[] = [];
    const onLine: OnLine = ({ seconds, nanos }, stream, source, start, end) => {
      const text = source.toString('utf8', start, end);
      const severity = parseLine('auto', text)?.severity ?? 0;
      lines.push({ container: this.name, seconds, nanos, stream, text, severity });
    };
    const splitter: LineSplitter = new (Config.Tty ? RawSplitter : FrameSplitter)(onLine, MAX_LINE);
    const from = typeof since === 'number' ? nanosOf(since) : since;
    const stream = await this.open({
      follow,
      stdout: true,
      stderr: true,
      timestamps: true,
      ...(from === undefined ? {} : { since: formatSince(from) }),
      ...(tail === undefined ? {} : { tail }),
    }).catch((error) => {
      if ((error as { statusCode?: number }).statusCode !== 501) throw error;
      throw new Error(
        `the log driver ${HostConfig.LogConfig?.Type} of ${this.name} does not support reading`,
      );
    });
    for await (const chunk of stream) {
      splitter.addChunk(chunk);
      yield* lines;
      lines = [];
    }
    splitter.flush();
    yield* lines;
  }

  /** Streams the response; dockerode's `logs` returns all past lines as one buffer. */
  private open(options: object): Promise<AsyncIterable<Buffer>> {
    const path = `/containers/${this.inspected.Id}/logs?`;
    const statusCodes = { 200: true, 404: 'no such container', 500: 'server error', 501: 'not supported' };
    const request = { path, method: 'GET', isStream: true, abortSignal: this.signal, statusCodes, options };
    return new Promise((resolve, reject) =>
      this.docker.modem.dial(request, (error: unknown, data: unknown) =>
        error ? reject(error) : resolve(data as AsyncIterable<Buffer>),
      ),
    );
  }
}

/** Merges logs that are each in the order of time. */
async function* mergeByTime(logs: readonly AsyncGenerator<DisplayLine>[]): AsyncGenerator<DisplayLine> {
  const heads = await Promise.all(
    logs.map(async (log) => ({ log, line: (await log.next()).value as DisplayLine | undefined })),
  );
  for (;;) {
    let first: (typeof heads)[number] | undefined;
    for (const head of heads)
      if (head.line !== undefined && (first?.line === undefined || compareTime(head.line, first.line) < 0))
        first = head;
    if (first?.line === undefined) return;
    yield first.line;
    first.line = (await first.log.next()).value as DisplayLine | undefined;
  }
}

/** Interleaves logs as lines arrive; lines that arrive together are sorted by time. */
async function* interleave(logs: readonly AsyncGenerator<DisplayLine>[]): AsyncGenerator<DisplayLine> {
  let waiting: DisplayLine[] = [];
  let open = logs.length;
  const failed: unknown[] = [];
  for (const log of logs) {
    const read = async () => {
      for await (const line of log) {
        waiting.push(line);
        while (waiting.length > MAX_WAITING) await sleep(REORDER_MS);
      }
    };
    void read()
      .catch((error) => failed.push(error))
      .finally(() => open--);
  }
  while (open > 0 || waiting.length > 0) {
    await sleep(REORDER_MS);
    const lines = waiting.sort(compareTime);
    waiting = [];
    yield* lines;
    if (failed.length > 0) throw failed[0];
  }
}

/** Reads several logs; with `follow`, until all containers have exited. */
export async function* readDaemonLogs(
  logs: readonly DaemonLog[],
  past: LogRange,
  follow: boolean,
): AsyncGenerator<DisplayLine> {
  const [only] = logs;
  if (only !== undefined && logs.length === 1) {
    yield* follow ? only.follow(past) : only.readPast(past);
    return;
  }
  if (past.tail !== 0) yield* mergeByTime(logs.map((log) => log.readPast(past)));
  if (follow) yield* interleave(logs.map((log) => log.follow(past)));
}
