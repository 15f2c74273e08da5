/** Docker daemons whose answers the test writes, for what no real daemon can be made to do. */
import { createServer, type RequestListener } from 'node:http';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import type { ExecutionContext } from 'ava';
import type Docker from 'dockerode';
import { connectToDaemon, type RequestObserver } from '../../collectors/engine/client.ts';
import { temporaryDirectory } from './temporary.ts';

/** Answers on a unix socket until the test ends. @returns a client that is connected to it */
export async function fakeDaemon(t: ExecutionContext, answer: RequestListener, onRequest?: RequestObserver) {
  const server = createServer(answer);
  const socket = join(temporaryDirectory(t), 'docker.sock');
  await new Promise<void>((resolve) => server.listen(socket, resolve));
  t.teardown(() => {
    server.closeAllConnections();
    server.close();
  });
  return connectToDaemon({ host: `unix://${socket}`, origin: 'test' }, onRequest);
}

/** What the daemon shows of a container. */
interface ShownState {
  name: string;
  pid: number;
  startedAt: string;
  finishedAt: string;
  status: string;
  exitCode: number;
  memoryLimit?: number;
}

/** The time of what has not happened, as the daemon shows it. */
export const NEVER = '0001-01-01T00:00:00Z';
/** Now, or `offset` ms later. */
export const iso = (offset = 0): string => new Date(Date.now() + offset).toISOString();

/** A daemon without a socket: containers, events, and the moments between an answer's making and its sending. */
export class ScriptedDaemon {
  readonly states = new Map<string, ShownState>();
  /** Lines that GET /events has sent, and sends again for a past time. */
  readonly lines: string[] = [];
  private readonly streams = new Set<PassThrough>();
  /** How many of the next list requests fail. */
  failures = 0;
  /** Called after the list of containers is made, before it is sent. */
  whileListing: (() => void) | undefined;
  /** Called after a container's description is made, before it is sent. */
  whileDescribing: ((id: string) => void) | undefined;

  emitEvent(action: string, id: string, time: bigint, attributes: Record<string, string> = {}): void {
    const name = this.states.get(id)?.name ?? id;
    const Actor = { ID: id, Attributes: { name, image: 'i', ...attributes } };
    const line = JSON.stringify({ Type: 'container', Action: action, Actor, scope: 'local' }).replace(
      /}$/,
      `,"timeNano":${time}}`,
    );
    this.write(line);
  }

  write(line: string): void {
    this.lines.push(line);
    for (const stream of this.streams) stream.write(`${line}\n`);
  }

  add(id: string, state: Partial<ShownState> = {}): void {
    const startedAt = iso(-60_000);
    this.states.set(id, {
      name: id,
      pid: 7,
      startedAt,
      finishedAt: NEVER,
      status: 'running',
      exitCode: 0,
      ...state,
    });
  }

  get docker(): Docker {
    const missing = () => Object.assign(new Error('no such container'), { statusCode: 404 });
    return {
      version: async () => ({ Version: '1', Components: [{ Name: 'Engine' }] }),
      listContainers: async () => {
        const list = [...this.states.keys()].map((Id) => ({ Id }));
        if (this.failures-- > 0) throw new Error('no answer in time');
        this.whileListing?.();
        await new Promise((resolve) => setTimeout(resolve, 20));
        return list;
      },
      getImage: () => ({ inspect: () => Promise.reject(missing()) }),
      getContainer: (id: string) => ({
        inspect: async () => {
          const state = this.states.get(id);
          if (state === undefined) throw missing();
          const { name, pid, startedAt, finishedAt, status, exitCode, memoryLimit } = { ...state };
          this.whileDescribing?.(id);
          await new Promise((resolve) => setTimeout(resolve, 20));
          return {
            Id: id,
            Name: `/${name}`,
            Created: iso(-120_000),
            Image: 'sha256:1',
            Config: { Image: 'i', Labels: {} },
            HostConfig: { Memory: memoryLimit },
            State: {
              Running: pid !== 0,
              Pid: pid,
              StartedAt: startedAt,
              FinishedAt: finishedAt,
              Status: status,
              ExitCode: exitCode,
              OOMKilled: false,
            },
          };
        },
      }),
      getEvents: async ({
        since,
        until,
        abortSignal,
      }: {
        since: string;
        until?: string;
        abortSignal: AbortSignal;
      }) => {
        const stream = new PassThrough();
        const from = BigInt(since.replace('.', ''));
        for (const line of this.lines) {
          const time = /"timeNano":(\d+)/.exec(line)?.[1];
          if (time === undefined || BigInt(time) >= from) stream.write(`${line}\n`);
        }
        if (until !== undefined) stream.end();
        else {
          this.streams.add(stream);
          abortSignal.addEventListener('abort', () => stream.destroy());
        }
        return stream;
      },
    } as unknown as Docker;
  }
}
