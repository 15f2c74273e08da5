/**
 * Follows what a container writes from now on, where its log driver stores no logs. What the container writes while nobody
 * is attached is lost, and its two streams arrive as one.
 * Source: https://docs.docker.com/reference/api/engine/ (GET /containers/{id}/attach/ws).
 */
import { isUtf8 } from 'node:buffer';
import type { Agent } from 'node:http';
import type Docker from 'dockerode';
import { findRequest, RefusedError } from '../../engine/requests.ts';
import type { LogSink } from '../../records/collector.ts';
import type { Container, LogLine, LogPosition } from '../../records/records.ts';
import { CARRIAGE_RETURN, NEWLINE } from '../../shared/ascii.ts';
import { advancePosition, emptyLineAfter, setLineTime } from '../shared/line.ts';
import { timestampOf } from '../shared/timestamp.ts';

export interface AttachOptions {
  readonly docker: Docker;
  readonly container: Container;
  readonly sink: LogSink;
  /** Kept at the time of the last line, for the uids of lines. Nothing can be read again from there. */
  readonly position: LogPosition;
  readonly signal: AbortSignal;
}

/** Where dockerode's requests go; missing in its types. */
interface Modem {
  readonly socketPath?: string;
  readonly protocol: string;
  readonly host?: string;
  readonly port?: number;
  readonly ca?: string;
  readonly cert?: string;
  readonly key?: string;
  readonly agent?: Agent;
}

const attachPath = (id: string): string => `/containers/${id}/attach/ws?stream=1&stdout=1&stderr=1`;

function attachUrl({ modem }: Docker, id: string): string {
  const { socketPath, protocol, host, port } = modem as unknown as Modem;
  const path = attachPath(id);
  if (socketPath !== undefined) return `ws+unix:${socketPath}:${path}`;
  return `${protocol === 'https' ? 'wss' : 'ws'}://${host}${port === undefined ? '' : `:${port}`}${path}`;
}

/**
 * Resolves when the container has ended, or when `signal` aborts.
 * @throws when the daemon refuses
 */
export async function attachToContainer(options: AttachOptions): Promise<void> {
  const { docker, container, sink, signal } = options;
  const { ca, cert, key, agent } = docker.modem as unknown as Modem;
  const origin = 'http://localhost';
  // Loaded here because few containers need it, and it loads TLS.
  const { WebSocket } = await import('ws');
  const socket = new WebSocket(attachUrl(docker, container.id), { origin, ca, cert, key, agent });
  const lines = new AttachedLines(options);
  const close = () => socket.terminate();
  signal.addEventListener('abort', close);
  try {
    await new Promise<void>((resolve, reject) => {
      socket.on('message', (data: Buffer) => {
        lines.addChunk(data);
        const capacity = sink.waitForCapacity(signal);
        if (capacity === undefined) return;
        // What is not read waits in the daemon.
        socket.pause();
        void capacity.then(() => socket.resume());
      });
      socket.on('unexpected-response', (_request, { statusCode, statusMessage }) => {
        reject(
          statusCode === 403
            ? new RefusedError(findRequest(attachPath(container.id))!)
            : Object.assign(new Error(`attach: ${statusCode} ${statusMessage}`), { statusCode }),
        );
        socket.terminate();
      });
      socket.on('error', reject);
      socket.on('close', () => resolve());
    });
  } finally {
    signal.removeEventListener('abort', close);
  }
  lines.flushAll();
}

class AttachedLines {
  private readonly options: AttachOptions;
  private pending: Buffer = Buffer.alloc(0);
  private readonly line: LogLine;

  constructor(options: AttachOptions) {
    this.options = options;
    this.line = emptyLineAfter(options.position);
  }

  addChunk(data: Buffer): void {
    const bytes = this.pending.length === 0 ? data : Buffer.concat([this.pending, data]);
    let start = 0;
    for (let end = bytes.indexOf(NEWLINE); end !== -1; end = bytes.indexOf(NEWLINE, start)) {
      this.emitLine(bytes, start, end);
      start = end + 1;
    }
    this.pending = Buffer.from(bytes.subarray(start));
    if (this.pending.length > this.options.sink.maxLineBytes) this.flush();
    this.options.sink.checkpoint();
  }

  flushAll(): void {
    this.flush();
    this.options.sink.checkpoint();
  }

  private flush(): void {
    if (this.pending.length > 0) this.emitLine(this.pending, 0, this.pending.length);
    this.pending = Buffer.alloc(0);
  }

  /** The daemon sends no time: the line gets that of its arrival. */
  private emitLine(source: Buffer, start: number, end: number): void {
    const { container, position, sink } = this.options;
    const last = container.tty && end > start && source[end - 1] === CARRIAGE_RETURN ? end - 1 : end;
    const { line } = this;
    setLineTime(line, timestampOf(Date.now()));
    line.ordinal = line.count - 1;
    line.source = source;
    line.start = start;
    line.cut = Math.max(0, last - start - sink.maxLineBytes);
    line.end = last - line.cut;
    line.utf8 = isUtf8(source.subarray(start, line.end));
    sink.addLine(line);
    advancePosition(line, position, -1);
  }
}
