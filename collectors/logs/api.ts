/**
 * Follows the log of one container through the Engine API, from a position on: for drivers that keep no file
 * that we could read.
 * Source: https://docs.docker.com/reference/api/engine/ (GET /containers/{id}/logs).
 */
import { isUtf8 } from 'node:buffer';
import type Docker from 'dockerode';
import type { LogSink } from '../records/collector.ts';
import type { Container, LogPosition } from '../records/records.ts';
import { Backoff } from '../shared/backoff.ts';
import { attach } from './attach.ts';
import type { Follower } from './follower.ts';
import { FrameSplitter, type LineSplitter, type OnLine, RawSplitter } from './frames.ts';
import { Handed } from './handed.ts';
import { compareTimes, lineAfter, moveBehind, stamp } from './line.ts';
import type { Timestamp } from './timestamp.ts';

const LONGEST_WAIT_MS = 10_000;

export interface ApiOptions {
  readonly docker: Docker;
  readonly container: Container;
  readonly sink: LogSink;
  /** Where to go on; kept up to date. */
  readonly position: LogPosition;
  /** Called with what went wrong; reading goes on, or ends where that is final. */
  readonly onFault: (error: unknown) => void;
}

export class ApiFollower implements Follower {
  readonly finished: Promise<void>;
  private readonly options: ApiOptions;
  private readonly stopping = new AbortController();
  /** Whether the container has started (again) since the current stream was opened. */
  private isStarted = true;
  /** Whether the driver keeps nothing that could be read. */
  private isUnreadable = false;
  /** Whether anything of the log was ever read. */
  private hasRead = false;
  private readonly handed = new Handed();

  constructor(options: ApiOptions) {
    this.options = options;
    this.finished = this.follow();
  }

  started(): void {
    this.isStarted = true;
  }

  /** The stream ends by itself when the daemon has sent the last line. */
  ended(): void {}

  async stop(): Promise<void> {
    this.stopping.abort();
    await this.finished;
  }

  /** Reads one stream after the other until the container has ended and its log is read. */
  private async follow(): Promise<void> {
    const { container, sink, onFault } = this.options;
    const { signal } = this.stopping;
    const backoff = new Backoff(LONGEST_WAIT_MS, signal);
    let isClean = false;
    // Until a stream has ended as it should, there may be more.
    while (!signal.aborted && (this.isStarted || container.pid !== 0 || !isClean)) {
      const again = !this.isStarted;
      if (again) await backoff.wait();
      this.isStarted = false;
      isClean = false;
      try {
        if (this.isUnreadable) await attach({ ...this.options, signal });
        else {
          await this.read(true, () => backoff.reset());
          // A daemon that is busy ends the following of a container that ended before its last lines are sent.
          if (!signal.aborted) await this.read(false, () => {});
        }
        isClean = true;
      } catch (error) {
        if (signal.aborted) return;
        const { statusCode } = error as { statusCode?: number };
        if (statusCode === 501 && !this.isUnreadable) {
          // A driver that keeps nothing to read leaves what is written from now on.
          onFault(
            new Error('the log driver keeps nothing to read: only what is written from now on is followed'),
          );
          this.isUnreadable = true;
          this.isStarted = true;
          continue;
        }
        // Gone before its log could be read is said, and final.
        const isGone = statusCode === 404 || statusCode === 409;
        if (!isGone || !(this.hasRead || this.isUnreadable)) onFault(error);
        if (isGone) break;
      }
    }
    if (!signal.aborted) sink.finishRecord();
  }

  private async read(follow: boolean, reading: () => void): Promise<void> {
    const { docker, container, sink, position } = this.options;
    const { signal } = this.stopping;
    const { since, count } = this.handed.resume(position);
    const stream = await docker.getContainer(container.id).logs({
      follow: follow as true,
      stdout: true,
      stderr: true,
      timestamps: true,
      since: `${since.seconds}.${String(since.nanos).padStart(9, '0')}` as unknown as number,
      abortSignal: signal,
    });
    const splitter: LineSplitter = new (container.tty ? RawSplitter : FrameSplitter)(
      this.handOver(since, count, () => splitter.isWithinLine),
      sink.maxLineBytes,
    );
    // Without following, the answer comes as a whole.
    const chunks = (Buffer.isBuffer(stream) ? [stream] : stream) as AsyncIterable<Buffer> | Buffer[];
    for await (const chunk of chunks) {
      reading();
      this.hasRead = true;
      splitter.push(chunk);
      sink.checkpoint();
      await sink.waitForCapacity(signal);
    }
    // A stream that broke is read again from the position; one that ended has nothing more to come.
    if (signal.aborted) return;
    splitter.end();
    sink.checkpoint();
  }

  /** @param count how many of the lines from `since` on were handed over already: they are passed over */
  private handOver(since: Readonly<Timestamp>, count: number, isWithinLine: () => boolean): OnLine {
    const { position, sink } = this.options;
    const newest = this.handed.newest(position);
    const isFirst = this.handed.isEmpty;
    let repeats = count;
    const line = lineAfter({ ...since, count: 0 });
    return (time, stream, source, start, end, cut) => {
      stamp(line, time);
      // Where the log's oldest file is gone meanwhile, there are fewer of them.
      if (repeats > 0 && compareTimes(time, newest) <= 0) {
        repeats--;
        // Those of an agent before this one.
        if (isFirst) this.handed.add(time);
        return;
      }
      line.ordinal = line.count - 1;
      line.stream = stream;
      line.source = source;
      line.start = start;
      line.end = end;
      line.cut = cut;
      line.utf8 = isUtf8(source.subarray(start, end));
      sink.addLine(line);
      this.handed.add(time);
      // Not before the other stream's line is whole, whose first piece lies before this one.
      if (isWithinLine()) return;
      // A line that was overtaken is no place to go on from.
      if (compareTimes(time, position) >= 0) moveBehind(line, position, -1);
    };
  }
}
