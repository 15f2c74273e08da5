/** The HTTP endpoint for whoever watches the agent: `/healthz` (the process works), `/readyz` (it sees its daemon). */
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface HealthState {
  /** Whether the daemon's events are subscribed and its containers known. */
  ready(): boolean;
}

/**
 * @returns the server, listening
 * @throws when the address cannot be listened on
 */
export async function listen(address: { host: string; port: number }, state: HealthState): Promise<Server> {
  const server = createServer((request, response) => {
    const answer = (status: number, text: string) => {
      response.writeHead(status, { 'content-type': 'text/plain; charset=utf-8' });
      response.end(`${text}\n`);
    };
    if (request.method !== 'GET' && request.method !== 'HEAD') answer(405, 'only GET');
    else if (request.url === '/healthz') answer(200, 'ok');
    else if (request.url === '/readyz') {
      if (state.ready()) answer(200, 'ok');
      else answer(503, 'not connected to the Docker daemon');
    } else answer(404, 'try /healthz or /readyz');
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
