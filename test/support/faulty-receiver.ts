/** A receiver that fails on command, in the ways that receivers and the proxies before them fail. */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import {
  createServer as createHttp,
  type IncomingMessage,
  type Server,
  type ServerResponse,
} from 'node:http';
import { createServer as createHttps, type Server as HttpsServer } from 'node:https';
import type { AddressInfo, Socket } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { gunzipSync } from 'node:zlib';
import type { Signal } from '../../config/destinations.ts';
import { Receiver } from './receiver.ts';

export const faults = [
  'refuses connections',
  'resets connections',
  'answers late',
  'answers 400',
  'answers 401',
  'answers 413',
  'answers 429 with Retry-After',
  'answers 500',
  'answers 503 with Retry-After',
  'rejects records by partial success',
  'accepts, and cuts off its answer',
  'has an untrusted certificate',
  'accepts, and never answers',
] as const;
export type FaultName = (typeof faults)[number];

const LATE_MS = 700;

export interface Certificates {
  /** The authority that the agent trusts. */
  readonly ca: string;
  readonly good: { readonly cert: Buffer; readonly key: Buffer };
  readonly wrong: { readonly cert: Buffer; readonly key: Buffer };
}

/** Creates certificates for 127.0.0.1: one that is trusted, and one that is not. */
export function makeCertificates(directory: string): Certificates {
  const make = (name: string) => {
    const [key, cert] = [join(directory, `${name}.key`), join(directory, `${name}.pem`)];
    execFileSync(
      'openssl',
      [
        ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2'],
        [
          '-subj',
          '/CN=portlight-test',
          '-addext',
          'subjectAltName=IP:127.0.0.1',
          '-keyout',
          key,
          '-out',
          cert,
        ],
      ].flat(),
      { stdio: 'ignore' },
    );
    return { cert: readFileSync(cert), key: readFileSync(key) };
  };
  return { ca: join(directory, 'good.pem'), good: make('good'), wrong: make('wrong') };
}

export class FaultyReceiver {
  /** The accepted requests. */
  readonly receiver: Receiver;
  /** The records that were rejected by a partial success. */
  readonly rejected: Receiver;
  /** Number of requests during each fault. */
  readonly requestsByFault = new Map<FaultName, number>();
  /** When a request was last accepted, ms since the epoch. */
  lastAcceptedAt = 0;
  /** What the test did, with the time, to analyse a failure. */
  readonly journal: string[] = [];
  private fault: FaultName | undefined;
  private readonly server: Server | HttpsServer;
  private readonly certificates: Certificates | undefined;
  private readonly sockets = new Set<Socket>();
  private port = 0;

  private constructor(receiver: Receiver, rejected: Receiver, certificates: Certificates | undefined) {
    this.receiver = receiver;
    this.rejected = rejected;
    this.certificates = certificates;
    const handle = (request: IncomingMessage, response: ServerResponse) => {
      this.handle(request, response).catch(() => response.destroy());
    };
    this.server = certificates === undefined ? createHttp(handle) : createHttps(certificates.good, handle);
    this.server.on('connection', (socket: Socket) => {
      this.sockets.add(socket);
      socket.on('close', () => this.sockets.delete(socket));
      socket.on('error', () => {});
      if (this.fault === 'resets connections') {
        this.countRequest();
        socket.resetAndDestroy();
      } else if (this.fault === 'has an untrusted certificate') this.countRequest();
    });
    this.server.on('tlsClientError', () => {});
  }

  /** @param certificates for TLS; plain HTTP without */
  static async start(certificates?: Certificates): Promise<FaultyReceiver> {
    const faultyReceiver = new FaultyReceiver(await Receiver.start(), await Receiver.start(), certificates);
    await faultyReceiver.listen();
    return faultyReceiver;
  }

  get endpoint(): string {
    return `${this.certificates === undefined ? 'http' : 'https'}://127.0.0.1:${this.port}`;
  }

  async stop(): Promise<void> {
    await this.close();
    await this.receiver.stop();
    await this.rejected.stop();
  }

  /** Sets the fault; undefined ends it. */
  async setFault(fault: FaultName | undefined): Promise<void> {
    const last = this.fault;
    this.fault = fault;
    this.note(fault ?? 'works');
    if (last === 'refuses connections') await this.listen();
    if (last === 'has an untrusted certificate') this.useCertificate('good');
    if (fault === 'refuses connections') await this.close();
    else if (fault === 'has an untrusted certificate') this.useCertificate('wrong');
    else if (fault === 'resets connections' || last !== undefined) this.closeConnections();
  }

  note(what: string): void {
    this.journal.push(`${Date.now()} ${what}`);
  }

  private countRequest(): void {
    if (this.fault !== undefined)
      this.requestsByFault.set(this.fault, (this.requestsByFault.get(this.fault) ?? 0) + 1);
  }

  private useCertificate(which: 'good' | 'wrong'): void {
    if (this.certificates !== undefined)
      (this.server as HttpsServer).setSecureContext(this.certificates[which]);
    this.closeConnections();
  }

  private closeConnections(): void {
    for (const socket of this.sockets) socket.destroy();
  }

  private listen(): Promise<void> {
    return new Promise((resolve) =>
      this.server.listen(this.port, '127.0.0.1', () => {
        this.port = (this.server.address() as AddressInfo).port;
        resolve();
      }),
    );
  }

  private close(): Promise<void> {
    return new Promise((resolve) => {
      this.server.close(() => resolve());
      this.closeConnections();
    });
  }

  private async handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { fault } = this;
    this.countRequest();
    const [, status, wait] = /^answers (\d+)( with Retry-After)?$/.exec(fault ?? '') ?? [];
    if (status !== undefined) {
      request.resume();
      await new Promise((resolve) => request.on('end', resolve));
      response.writeHead(Number(status), wait === undefined ? {} : { 'retry-after': '1' }).end();
      return;
    }
    switch (fault) {
      case 'answers late':
        await sleep(LATE_MS);
        break;
      case 'accepts, and never answers':
        request.resume();
        return;
      case 'rejects records by partial success':
        await this.reject(request, response);
        return;
      case 'accepts, and cuts off its answer': {
        const [signal, message] = await this.read(request);
        this.receiver.accept(signal, message);
        response.socket?.end('HTTP/1.1 200 OK\r\ncontent-length: 40\r\n\r\nxx');
        return;
      }
    }
    await this.receiver.handle(request, response);
    this.lastAcceptedAt = Date.now();
  }

  private async read(request: IncomingMessage): Promise<[Signal, ReturnType<Receiver['decode']>]> {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk);
    const signal = request.url!.replace('/v1/', '') as Signal;
    const sent = Buffer.concat(chunks);
    const bytes = request.headers['content-encoding'] === 'gzip' ? gunzipSync(sent) : sent;
    return [signal, this.receiver.decode(signal, bytes)];
  }

  /** Accepts the request, and rejects all of its records. */
  private async reject(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const [signal, message] = await this.read(request);
    const records = () =>
      this.rejected.logs.length + this.rejected.points.length + this.rejected.spans.length;
    const before = records();
    this.rejected.accept(signal, message);
    response.writeHead(200, { 'content-type': 'application/x-protobuf' });
    response.end(this.receiver.encodeAnswer(signal, { status: 200, rejected: records() - before }));
  }
}
