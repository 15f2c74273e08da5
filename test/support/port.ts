/** Ports for programs that cannot choose a free port themselves. */
import { createServer } from 'node:net';

/** A free port of loopback. */
export function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const { port } = server.address() as { port: number };
      server.close(() => resolve(port));
    });
  });
}
