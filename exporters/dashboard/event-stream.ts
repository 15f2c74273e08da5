/**
 * Server-sent events for connected viewers. A viewer that reads too slowly is disconnected; it reconnects and receives
 * the complete state.
 * Source: https://html.spec.whatwg.org/multipage/server-sent-events.html
 */
import type { ServerResponse } from 'node:http';
import { splitRecords } from '../otlp/wire/split.ts';
import type { LogEntry, Messages } from './api.ts';
import { decodeLogEntries } from './decode-entries.ts';

/** Maximum number of open streams. */
const MAX_STREAMS = 64;
/** Bytes that may be buffered for a viewer before it is disconnected. */
const MAX_BUFFERED_BYTES = 4 * 1024 * 1024;
/** Buffered bytes above which log lines are skipped: a slow viewer sees the newest lines, and stays connected. */
const SKIP_LINES_ABOVE_BYTES = 256 * 1024;
/** Characters of log lines in one message. */
const MAX_MESSAGE_LENGTH = 1024 * 1024;
/** Log lines per second and viewer: no one reads more, and each line has to be decoded. */
const LINES_PER_SECOND = 500;
/** Interval of heartbeats, which let both ends detect a lost connection. */
const HEARTBEAT_MS = 15_000;
/** Delay before a browser reconnects. */
const RETRY_MS = 1000;

export const ALL_CONTAINERS = '*';

class StreamConnection {
  private readonly response: ServerResponse;
  private readonly followed: ReadonlySet<string>;
  private lines: LogEntry[] = [];
  private skipped = 0;
  /** Lines that may still be sent in the current second. */
  private remaining = LINES_PER_SECOND;
  private second = 0;

  constructor(response: ServerResponse, followed: ReadonlySet<string>) {
    this.response = response;
    this.followed = followed;
  }

  write(text: string): void {
    if (this.response.writableLength > MAX_BUFFERED_BYTES) this.response.destroy();
    else this.response.write(text);
  }

  follows(id: string): boolean {
    return this.followed.has(id) || this.followed.has(ALL_CONTAINERS);
  }

  /** Applies the rate limit. @returns how many of `count` lines may be sent; the others count as skipped */
  reserveLines(count: number, now: number): number {
    const second = Math.floor(now / 1000);
    if (second !== this.second) this.remaining = LINES_PER_SECOND;
    this.second = second;
    const reserved = Math.min(count, this.remaining);
    this.remaining -= reserved;
    this.skipped += count - reserved;
    return reserved;
  }

  addLines(entries: readonly LogEntry[]): void {
    this.lines.push(...entries);
  }

  flush(): void {
    if (this.lines.length === 0 && this.skipped === 0) return;
    this.dropExcess();
    if (this.lines.length === 0 && this.response.writableLength > SKIP_LINES_ABOVE_BYTES) return;
    this.write(messageOf('lines', { lines: this.lines, skipped: this.skipped }));
    this.lines = [];
    this.skipped = 0;
  }

  /** Skips all lines while much is buffered, and the oldest lines of a message that is too long. */
  private dropExcess(): void {
    const before = this.lines.length;
    if (this.response.writableLength > SKIP_LINES_ABOVE_BYTES) this.lines = [];
    let size = 0;
    const first = this.lines.findLastIndex(({ text }) => {
      size += text.length;
      return size > MAX_MESSAGE_LENGTH;
    });
    this.lines = this.lines.slice(first + 1);
    this.skipped += before - this.lines.length;
  }
}

const messageOf = <Name extends keyof Messages>(name: Name, data: Messages[Name]): string =>
  `event: ${name}\ndata: ${JSON.stringify(data)}\n\n`;

/** Lines are collected for this long and sent as one message. */
const COLLECT_MS = 100;

export class EventStreams {
  private readonly all = new Set<StreamConnection>();
  private readonly heartbeat: NodeJS.Timeout;
  private flushTimer: NodeJS.Timeout | undefined;
  private readonly onOpened: () => void;

  constructor(onOpened: () => void) {
    this.onOpened = onOpened;
    this.heartbeat = setInterval(() => {
      for (const stream of this.all) stream.write(messageOf('beat', {}));
    }, HEARTBEAT_MS).unref();
  }

  /** Number of open streams. */
  get count(): number {
    return this.all.size;
  }

  /**
   * @param followed ids of the containers whose log lines are sent
   * @returns false if too many streams are open
   */
  openStream(
    response: ServerResponse,
    followed: ReadonlySet<string>,
    snapshot: Messages['snapshot'],
  ): boolean {
    if (this.all.size >= MAX_STREAMS) return false;
    response.writeHead(200, {
      'content-type': 'text/event-stream; charset=utf-8',
      'cache-control': 'no-store',
      // Without it, nginx buffers the stream.
      'x-accel-buffering': 'no',
    });
    const stream = new StreamConnection(response, followed);
    this.all.add(stream);
    response.on('close', () => this.all.delete(stream));
    stream.write(`retry: ${RETRY_MS}\n\n${messageOf('snapshot', snapshot)}`);
    this.onOpened();
    return true;
  }

  broadcast<Name extends keyof Messages>(name: Name, data: () => Messages[Name]): void {
    if (this.all.size === 0) return;
    const text = messageOf(name, data());
    for (const stream of this.all) stream.write(text);
  }

  /** @param records encoded `log_records` fields of one container */
  sendLines(id: string, records: Buffer, count: number): void {
    const following = [...this.all].filter((stream) => stream.follows(id));
    if (following.length === 0) return;
    const now = Date.now();
    const reserved = following.map((stream) => stream.reserveLines(count, now));
    const maximum = Math.max(...reserved);
    if (maximum > 0) {
      const newest = maximum === count ? records : Buffer.concat(splitRecords(records).slice(-maximum));
      const entries = decodeLogEntries(id, newest);
      following.forEach((stream, index) => {
        if (reserved[index]! > 0) stream.addLines(entries.slice(-reserved[index]!));
      });
    }
    this.flushTimer ??= setTimeout(() => {
      this.flushTimer = undefined;
      for (const stream of this.all) stream.flush();
    }, COLLECT_MS);
  }

  close(): void {
    clearInterval(this.heartbeat);
    clearTimeout(this.flushTimer);
  }
}
