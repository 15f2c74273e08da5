/** A socket in front of a daemon, whose connections a test can break. */
import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import { join } from 'node:path';
import type { ExecutionContext } from 'ava';
import { temporaryDirectory } from './temporary.ts';

export interface DaemonProxy {
  /** As `--docker-host` has it. */
  readonly host: string;
  /** Breaks every connection. New ones can be made at once. */
  cut(): void;
  /** Breaks every connection, and refuses new ones for that time. */
  disappear(ms: number): void;
}

/**
 * @param host the daemon's, a unix socket
 * @param isForwarded called with what a client sends: whether it reaches the daemon
 */
export async function daemonProxy(
  t: ExecutionContext,
  host: string,
  isForwarded: (request: Buffer) => boolean = () => true,
): Promise<DaemonProxy> {
  const path = join(temporaryDirectory(t), 'docker.sock');
  const open = new Set<Socket>();
  let isOver = false;
  const server = createServer({ allowHalfOpen: true }, (client) => {
    const daemon = connect({ path: new URL(host).pathname, allowHalfOpen: true });
    for (const socket of [client, daemon]) {
      open.add(socket);
      socket
        .on('error', () => {})
        .on('close', () => {
          open.delete(socket);
          client.destroy();
          daemon.destroy();
        });
    }
    client.on('data', (request) => isForwarded(request) && daemon.write(request));
    client.on('end', () => daemon.end());
    daemon.pipe(client);
  });
  const listen = () => server.listen(path);
  const cut = () => {
    for (const socket of open) socket.destroy();
  };
  listen();
  await once(server, 'listening');
  t.teardown(() => {
    isOver = true;
    server.close();
    cut();
  });
  return {
    host: `unix://${path}`,
    cut,
    disappear: (ms) => {
      server.close();
      cut();
      setTimeout(() => !isOver && listen(), ms);
    },
  };
}
