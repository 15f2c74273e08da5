/** A Docker daemon whose answers the test writes, for what no real daemon can be made to do. */
import { createServer, type RequestListener } from 'node:http';
import { join } from 'node:path';
import type { ExecutionContext } from 'ava';
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
