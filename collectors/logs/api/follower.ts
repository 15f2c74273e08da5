/**
 * Follows the log of one container through the Engine API, from a position on: for drivers that keep no file
 * that we could read.
 * Source: https://docs.docker.com/reference/api/engine/ (GET /containers/{id}/logs).
 */
import { isUtf8 } from 'node:buffer';
import type Docker from 'dockerode';
import type { LogSink } from '../../records/collector.ts';
import type { Container, LogPosition } from '../../records/records.ts';
import { Backoff } from '../../shared/backoff.ts';
import type { Follower } from '../shared/follower.ts';
import { advancePosition, compareTimes, emptyLineAfter, setLineTime } from '../shared/line.ts';
import type { Timestamp } from '../shared/timestamp.ts';
import { attachToContainer } from './attach.ts';
import { FrameSplitter, type LineSplitter, type OnLine, RawSplitter } from './frames.ts';
import { RecentLines } from './recent-lines.ts';

const MAX_BACKOFF_MS = 10_000;

export interface ApiFollowerOptions {
  readonly docker: Docker;
  readonly container: Container;
  readonly sink: LogSink;
  /** Where to go on; kept up to date. */
  readonly position: LogPosition;
  /** Called with what went wrong; reading goes on, or ends where that is final. */
  readonly onError: (error: unknown) => void;
}

export class ApiFollower implements Follower {
  readonly finished: Promise<void>;
  private readonly options: ApiFollowerOptions;
  private readonly stopping = new AbortController();
  /** Whether the container has started (again) since the current stream was opened. */
  private hasStarted = true;
  /** Whether the driver keeps nothing that could be read. */
  private isUnreadable = false;
  /** Whether anything of the log was ever read. */
  private hasRead = false;
  private readonly recentLines = new RecentLines();

  constructor(options: ApiFollowerOptions) {
    this.options = options;
    this.finished = this.follow();
  }

  containerStarted(): void {
    this.hasStarted = true;
  }

  /** The stream ends by itself when the daemon has sent the last line. */
  containerEnded(): void {}

  async close(): Promise<void> {
    this.stopping.abort();
    await this.finished;
  }

  /** Reads one stream after the other until the container has ended and its log is read. */
  private async follow(): Promise<void> {
    const { container, sink, onError: onFault } = this.options;
    const { signal } = this.stopping;
    const backoff = new Backoff(MAX_BACKOFF_MS, signal);
    let isClean = false;
    // Until a stream has ended as it should, there may be more.
    while (!signal.aborted && (this.hasStarted || container.pid !== 0 || !isClean)) {
      const again = !this.hasStarted;
      if (again) await backoff.wait();
      this.hasStarted = false;
      isClean = false;
      try {
        if (this.isUnreadable) await attachToContainer({ ...this.options, signal });
        else {
          await this.readStream(true, () => backoff.reset());
          // A daemon that is busy ends the following of a container that ended before its last lines are sent.
          if (!signal.aborted) await this.readStream(false, () => {});
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
          this.hasStarted = true;
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

  private async readStream(follow: boolean, reading: () => void): Promise<void> {
    const { docker, container, sink, position } = this.options;
    const { signal } = this.stopping;
    const { since, count } = this.recentLines.resumePoint(position);
    const stream = await docker.getContainer(container.id).logs({
      follow: follow as true,
      stdout: true,
      stderr: true,
      timestamps: true,
      since: `${since.seconds}.${String(since.nanos).padStart(9, '0')}` as unknown as number,
      abortSignal: signal,
    });
    const splitter: LineSplitter = new (container.tty ? RawSplitter : FrameSplitter)(
      this.lineHandler(since, count, () => splitter.hasPartialLine),
      sink.maxLineBytes,
    );
    // Without following, the answer comes as a whole.
    const chunks = (Buffer.isBuffer(stream) ? [stream] : stream) as AsyncIterable<Buffer> | Buffer[];
    for await (const chunk of chunks) {
      reading();
      this.hasRead = true;
      splitter.addChunk(chunk);
      sink.checkpoint();
      await sink.waitForCapacity(signal);
    }
    // A stream that broke is read again from the position; one that ended has nothing more to come.
    if (signal.aborted) return;
    splitter.flush();
    sink.checkpoint();
  }

  /** @param count how many of the lines from `since` on were handed over already: they are passed over */
  private lineHandler(since: Readonly<Timestamp>, count: number, isWithinLine: () => boolean): OnLine {
    const { position, sink } = this.options;
    const newest = this.recentLines.newestTime(position);
    const isFirst = this.recentLines.isEmpty;
    let repeats = count;
    const line = emptyLineAfter({ ...since, count: 0 });
    return (time, stream, source, start, end, cut) => {
      setLineTime(line, time);
      // Where the log's oldest file is gone meanwhile, there are fewer of them.
      if (repeats > 0 && compareTimes(time, newest) <= 0) {
        repeats--;
        // Those of an agent before this one.
        if (isFirst) this.recentLines.add(time);
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
      this.recentLines.add(time);
      // Not before the other stream's line is whole, whose first piece lies before this one.
      if (isWithinLine()) return;
      // A line that was overtaken is no place to go on from.
      if (compareTimes(time, position) >= 0) advancePosition(line, position, -1);
    };
  }
}
