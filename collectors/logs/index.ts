/**
 * Follows the log of every container through the Engine API, from where it was left.
 * Source: https://docs.docker.com/reference/api/engine/ (GET /containers/{id}/logs).
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type Docker from 'dockerode';
import { Backoff } from '../../agent/backoff.ts';
import type { Container } from '../../agent/records.ts';
import type { Collector, LogSink, Sink } from '../collector.ts';
import { FrameSplitter, type OnLine, RawSplitter } from './frames.ts';

const LONGEST_WAIT_MS = 10_000;
const STOP_MS = 500;

/** How far a container's log was handed over: the time of the last line, and how many lines bear that time. */
export interface LogPosition {
  seconds: number;
  nanos: number;
  count: number;
}

export const formatPosition = ({ seconds, nanos, count }: LogPosition): string =>
  `${seconds}.${nanos}#${count}`;

/** The position in the text that `formatPosition` makes; undefined when it is anything else. */
export function parsePosition(text: string): LogPosition | undefined {
  const match = /^(\d+)\.(\d+)#(\d+)$/.exec(text);
  if (match === null) return undefined;
  return { seconds: Number(match[1]), nanos: Number(match[2]), count: Number(match[3]) };
}

/** Where the positions are kept. */
export interface LogPositions {
  load(id: string): string | undefined;
  forget(container: Container): void;
}

interface Followed {
  readonly container: Container;
  readonly sink: LogSink;
  readonly position: LogPosition;
  readonly stopping: AbortController;
  /** Whether the container has started (again) since the current stream was opened. */
  started: boolean;
  /** Whether the start that comes next is being followed already. */
  anticipated: boolean;
  /** Whether anything of the log was ever read. */
  read: boolean;
  finished: Promise<void>;
}

/** Where to begin with a container that was running before the agent first saw it. */
export type FirstSight = 'start' | 'now';

export class LogCollector implements Collector {
  readonly name = 'logs';
  private readonly docker: Docker;
  private readonly sink: Sink;
  private readonly positions: LogPositions;
  private readonly firstSight: FirstSight;
  private readonly agentStarted = Date.now() / 1000;
  private readonly ownId: string | undefined;
  private readonly followed = new Map<string, Followed>();

  /** @param ownId the container that the agent itself runs in, if it does: its log is left alone */
  constructor(
    docker: Docker,
    sink: Sink,
    positions: LogPositions,
    firstSight: FirstSight,
    ownId: string | undefined,
  ) {
    this.ownId = ownId;
    this.docker = docker;
    this.sink = sink;
    this.positions = positions;
    this.firstSight = firstSight;
  }

  anticipate(container: Container): void {
    this.attach(container);
    const followed = this.followed.get(container.id);
    if (followed !== undefined) followed.anticipated = true;
  }

  attach(container: Container): void {
    // The agent's own output would come round and round.
    if (container.id === this.ownId) return;
    const known = this.followed.get(container.id);
    if (known !== undefined) {
      // A start that was anticipated is no other start.
      known.started ||= !known.anticipated;
      known.anticipated = false;
      return;
    }
    const followed: Followed = {
      container,
      sink: this.sink.logs(container),
      position: this.begin(container),
      stopping: new AbortController(),
      started: true,
      anticipated: false,
      read: false,
      finished: Promise.resolve(),
    };
    this.followed.set(container.id, followed);
    followed.finished = this.follow(followed).finally(() => {
      this.followed.delete(container.id);
      // It started once more in the moment between the last stream's end and now.
      if (followed.started && !followed.stopping.signal.aborted) this.attach(container);
    });
  }

  remove(container: Container): void {
    // The stream ends by itself when the daemon has sent the last line.
    const forget = () => this.positions.forget(container);
    const followed = this.followed.get(container.id);
    if (followed === undefined) forget();
    else void followed.finished.then(forget);
  }

  async stop(): Promise<void> {
    const all = [...this.followed.values()];
    for (const { stopping } of all) stopping.abort();
    // A daemon that does not answer must not keep us.
    await Promise.race([
      Promise.all(all.map(({ finished }) => finished)),
      sleep(STOP_MS, undefined, { ref: false }),
    ]);
  }

  private begin(container: Container): LogPosition {
    const kept = this.positions.load(container.id);
    const position = kept === undefined ? undefined : parsePosition(kept);
    if (position !== undefined) return position;
    const ranBefore =
      container.startedAt !== 0n && Number(container.startedAt / 1_000_000_000n) < this.agentStarted;
    const seconds = this.firstSight === 'now' && ranBefore ? Math.floor(this.agentStarted) : 0;
    return { seconds, nanos: 0, count: 0 };
  }

  /** Reads one stream after the other until the container has ended and its log is read. */
  private async follow(followed: Followed): Promise<void> {
    const { container, stopping } = followed;
    const backoff = new Backoff(LONGEST_WAIT_MS, stopping.signal);
    while (!stopping.signal.aborted && (followed.started || container.pid !== 0)) {
      const again = !followed.started;
      if (again) await backoff.wait();
      followed.started = false;
      try {
        await this.read(followed, () => backoff.reset());
      } catch (error) {
        if (stopping.signal.aborted) return;
        // Gone before its log could be read, or a log driver that keeps nothing to read: said, and final.
        const { statusCode } = error as { statusCode?: number };
        const isGone = statusCode === 404 || statusCode === 409;
        if (!(isGone && followed.read)) this.sink.fault(this.name, error, container);
        if (isGone || statusCode === 501) return;
      }
    }
  }

  private async read(followed: Followed, reading: () => void): Promise<void> {
    const { container, sink, position, stopping } = followed;
    const stream = await this.docker.getContainer(container.id).logs({
      follow: true,
      stdout: true,
      stderr: true,
      timestamps: true,
      since: `${position.seconds}.${String(position.nanos).padStart(9, '0')}` as unknown as number,
      abortSignal: stopping.signal,
    });
    const splitter = new (container.tty ? RawSplitter : FrameSplitter)(this.handOver(sink, position));
    for await (const chunk of stream as unknown as AsyncIterable<Buffer>) {
      reading();
      followed.read = true;
      splitter.push(chunk);
      sink.position(formatPosition(position));
      await sink.room(stopping.signal);
    }
    // A stream that broke is read again from the position; one that ended has nothing more to come.
    if (stopping.signal.aborted) return;
    splitter.end();
    sink.position(formatPosition(position));
  }

  /**
   * `since` includes the lines of its very moment: as many of them as were handed over already are passed
   * over.
   */
  private handOver(sink: LogSink, position: LogPosition): OnLine {
    const resumed = { ...position };
    let repeats = resumed.count;
    return (time, stream, source, start, end) => {
      const sameMoment = time.seconds === position.seconds && time.nanos === position.nanos;
      if (repeats > 0 && time.seconds === resumed.seconds && time.nanos === resumed.nanos) {
        repeats--;
        return;
      }
      repeats = 0;
      position.count = sameMoment ? position.count + 1 : 1;
      position.seconds = time.seconds;
      position.nanos = time.nanos;
      sink.line(time.seconds, time.nanos, stream, source, start, end);
    };
  }
}
