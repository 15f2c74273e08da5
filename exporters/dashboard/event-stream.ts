/**
 * Server-sent events: what is new, to whoever looks at the moment. One who does not take what is sent is let go, and
 * asks again for all of it.
 * Source: https://html.spec.whatwg.org/multipage/server-sent-events.html
 */
import type { ServerResponse } from 'node:http';
import { splitRecords } from '../otlp/wire/split.ts';
import type { LogEntry, Messages } from './api.ts';
import { decodeLogEntries } from './decode-entries.ts';

/** Who looks on at a time. */
const MAX_STREAMS = 64;
/** Bytes that may wait for one of them. */
const MAX_WAITING = 4 * 1024 * 1024;
/** From so many on, lines are left out: whoever reads slowly is to see the newest, and not to be let go for them. */
const MUCH_WAITING = 256 * 1024;
/** Of the lines of one moment, in characters. */
const MOST_AT_ONCE = 1024 * 1024;
/** Lines a second that one of them is sent: nobody reads more, and each has to be decoded. */
const LINES_A_SECOND = 500;
/** A message this often has both ends find out that the other is gone, or hangs. */
const BEAT_MS = 15_000;
/** How soon a browser asks again. */
const RETRY_MS = 1000;

export const ALL_CONTAINERS = '*';

class StreamConnection {
  private readonly response: ServerResponse;
  private readonly followed: ReadonlySet<string>;
  private lines: LogEntry[] = [];
  private skipped = 0;
  /** Lines that may still be sent in this second. */
  private left = LINES_A_SECOND;
  private second = 0;

  constructor(response: ServerResponse, followed: ReadonlySet<string>) {
    this.response = response;
    this.followed = followed;
  }

  write(text: string): void {
    if (this.response.writableLength > MAX_WAITING) this.response.destroy();
    else this.response.write(text);
  }

  follows(id: string): boolean {
    return this.followed.has(id) || this.followed.has(ALL_CONTAINERS);
  }

  /** How many of so many lines are to be sent; the others count as skipped. */
  reserveLines(count: number, now: number): number {
    const second = Math.floor(now / 1000);
    if (second !== this.second) this.left = LINES_A_SECOND;
    this.second = second;
    const taken = Math.min(count, this.left);
    this.left -= taken;
    this.skipped += count - taken;
    return taken;
  }

  addLines(entries: readonly LogEntry[]): void {
    this.lines.push(...entries);
  }

  flush(): void {
    if (this.lines.length === 0 && this.skipped === 0) return;
    this.leaveOut();
    if (this.lines.length === 0 && this.response.writableLength > MUCH_WAITING) return;
    this.write(messageOf('lines', { lines: this.lines, skipped: this.skipped }));
    this.lines = [];
    this.skipped = 0;
  }

  /** What is too much for whoever reads: all while much waits, and the oldest of what comes at once. */
  private leaveOut(): void {
    const before = this.lines.length;
    if (this.response.writableLength > MUCH_WAITING) this.lines = [];
    let size = 0;
    const first = this.lines.findLastIndex(({ text }) => {
      size += text.length;
      return size > MOST_AT_ONCE;
    });
    this.lines = this.lines.slice(first + 1);
    this.skipped += before - this.lines.length;
  }
}

const messageOf = <Name extends keyof Messages>(name: Name, data: Messages[Name]): string =>
  `event: ${name}\ndata: ${JSON.stringify(data)}\n\n`;

/** Lines of one moment are sent together. */
const GATHER_MS = 100;

export class EventStreams {
  private readonly all = new Set<StreamConnection>();
  private readonly beat: NodeJS.Timeout;
  private gathering: NodeJS.Timeout | undefined;
  private readonly onOpened: () => void;

  constructor(onOpened: () => void) {
    this.onOpened = onOpened;
    this.beat = setInterval(() => {
      for (const stream of this.all) stream.write(messageOf('beat', {}));
    }, BEAT_MS).unref();
  }

  /** How many look on. */
  get count(): number {
    return this.all.size;
  }

  /**
   * @param followed ids of containers whose lines are wanted
   * @returns whether there was room for one more
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
      // nginx would gather what is sent.
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
    const taken = following.map((stream) => stream.reserveLines(count, now));
    const most = Math.max(...taken);
    if (most > 0) {
      const wanted = most === count ? records : Buffer.concat(splitRecords(records).slice(-most));
      const entries = decodeLogEntries(id, wanted);
      following.forEach((stream, index) => {
        if (taken[index]! > 0) stream.addLines(entries.slice(-taken[index]!));
      });
    }
    this.gathering ??= setTimeout(() => {
      this.gathering = undefined;
      for (const stream of this.all) stream.flush();
    }, GATHER_MS);
  }

  close(): void {
    clearInterval(this.beat);
    clearTimeout(this.gathering);
  }
}
