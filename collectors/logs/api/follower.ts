/**
 * Follows the log of one container through the Engine API, from a position on. For log drivers whose files the agent cannot
 * read.
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
  /** Where to resume; kept up to date. */
  readonly position: LogPosition;
  /** Called with what went wrong. Reading continues, unless the error is final. */
  readonly onError: (error: unknown) => void;
}

export class ApiFollower implements Follower {
  readonly finished: Promise<void>;
  private readonly options: ApiFollowerOptions;
  private readonly closing = new AbortController();
  /** Whether the container has started (again) since the current stream was opened. */
  private hasStarted = true;
  /** Whether the driver stores no logs. */
  private isUnreadable = false;
  /** Whether anything of the log was read. */
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
    this.closing.abort();
    await this.finished;
  }

  /** Reads one stream after another until the container has ended and its log is read. */
  private async follow(): Promise<void> {
    const { container, sink, onError } = this.options;
    const { signal } = this.closing;
    const backoff = new Backoff(MAX_BACKOFF_MS, signal);
    let isClean = false;
    // There may be more until a stream has ended without an error.
    while (!signal.aborted && (this.hasStarted || container.pid !== 0 || !isClean)) {
      const isRetry = !this.hasStarted;
      if (isRetry) await backoff.wait();
      this.hasStarted = false;
      isClean = false;
      try {
        if (this.isUnreadable) await attachToContainer({ ...this.options, signal });
        else {
          await this.readStream(true, () => backoff.reset());
          // A busy daemon closes the stream of a container that has ended before it has sent the last lines.
          if (!signal.aborted) await this.readStream(false, () => {});
        }
        isClean = true;
      } catch (error) {
        if (signal.aborted) return;
        const { statusCode } = error as { statusCode?: number };
        if (statusCode === 501 && !this.isUnreadable) {
          // A driver that stores no logs still allows to attach.
          onError(
            new Error('The log driver stores no logs: only lines that are written from now on are read'),
          );
          this.isUnreadable = true;
          this.hasStarted = true;
          continue;
        }
        // The container is gone. Final, and an error only if its log was not read before.
        const isGone = statusCode === 404 || statusCode === 409;
        if (!isGone || !(this.hasRead || this.isUnreadable)) onError(error);
        if (isGone) break;
      }
    }
    if (!signal.aborted) sink.finishRecord();
  }

  private async readStream(follow: boolean, onData: () => void): Promise<void> {
    const { docker, container, sink, position } = this.options;
    const { signal } = this.closing;
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
    // Without `follow`, the answer comes as a whole.
    const chunks = (Buffer.isBuffer(stream) ? [stream] : stream) as AsyncIterable<Buffer> | Buffer[];
    for await (const chunk of chunks) {
      onData();
      this.hasRead = true;
      splitter.addChunk(chunk);
      sink.checkpoint();
      await sink.waitForCapacity(signal);
    }
    // A stream that broke is read again from the position. One that ended has nothing more.
    if (signal.aborted) return;
    splitter.flush();
    sink.checkpoint();
  }

  /** @param count how many of the lines from `since` on were emitted before: they are skipped */
  private lineHandler(since: Readonly<Timestamp>, count: number, isWithinLine: () => boolean): OnLine {
    const { position, sink } = this.options;
    const newest = this.recentLines.newestTime(position);
    const isFirst = this.recentLines.isEmpty;
    let repeatsLeft = count;
    const line = emptyLineAfter({ ...since, count: 0 });
    return (time, stream, source, start, end, cut) => {
      setLineTime(line, time);
      // There are fewer of them where the log's oldest file is gone meanwhile.
      if (repeatsLeft > 0 && compareTimes(time, newest) <= 0) {
        repeatsLeft--;
        // Lines that an earlier agent emitted.
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
      // Not until the other stream's partial line is whole: its first piece is before this line.
      if (isWithinLine()) return;
      // A line that was overtaken by a newer one is not a place to resume.
      if (compareTimes(time, position) >= 0) advancePosition(line, position, -1);
    };
  }
}
