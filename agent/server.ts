/**
 * The HTTP endpoint: `/healthz` (the process works), `/readyz` (it sees its daemon), and the pages that are
 * given to it.
 */
import { createServer, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface Page {
  readonly status?: number;
  readonly contentType?: string;
  readonly body: string;
}

/** Answers by path. */
export type Pages = Readonly<Record<string, (request: IncomingMessage) => Page>>;

/** @param ready whether the daemon's events are subscribed and its containers known */
export function healthPages(ready: () => boolean): Pages {
  return {
    '/healthz': () => ({ body: 'ok\n' }),
    '/readyz': () =>
      ready() ? { body: 'ok\n' } : { status: 503, body: 'not connected to the Docker daemon\n' },
  };
}

/**
 * @returns the server, listening
 * @throws when the address cannot be listened on
 */
export async function listen(address: { host: string; port: number }, pages: Pages): Promise<Server> {
  const server = createServer((request, response) => {
    const path = request.url?.split('?')[0] ?? '';
    const page = Object.hasOwn(pages, path) ? pages[path] : undefined;
    const isRead = request.method === 'GET' || request.method === 'HEAD';
    const {
      status = 200,
      contentType = 'text/plain; charset=utf-8',
      body,
    } = !isRead
      ? { status: 405, body: 'only GET\n' }
      : (page?.(request) ?? { status: 404, body: `try ${Object.keys(pages).join(', ')}\n` });
    response.writeHead(status, { 'content-type': contentType });
    response.end(body);
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(address.port, address.host, resolve);
  });
  return server;
}

/** `http://127.0.0.1:9797` */
export function urlOf(server: Server): string {
  const { address, family, port } = server.address() as AddressInfo;
  return `http://${family === 'IPv6' ? `[${address}]` : address}:${port}`;
}
