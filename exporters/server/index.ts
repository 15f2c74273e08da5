/**
 * The HTTP endpoint: `/healthz` (the process works), `/readyz` (it sees its daemon), and the pages that are
 * given to it. It only answers GET and HEAD, and only those who may look (access.ts).
 */

import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { hostname } from 'node:os';
import { errorMessage } from '../../collectors/shared/error-message.ts';
import { http, httpUrl } from '../../collectors/shared/http.ts';
import type { AccessControl } from './access.ts';
import type { HttpResponse, RouteHandler, Routes } from './route.ts';

export interface Address {
  readonly host: string;
  readonly port: number;
}

export interface ServerOptions {
  /** For whoever asks, by whatever name: orchestrators do. */
  readonly health: Routes;
  /** For whoever reaches the address by a name that is ours: they tell nothing of what is observed. */
  readonly public: Routes;
  /** For those who may look. */
  readonly protected: Routes;
  readonly access: AccessControl;
  readonly onError: (error: unknown) => void;
}

/** What every answer bears: nothing but our own scripts and styles is ever run, nothing is framed, guessed or told on. */
const HEADERS = {
  'content-security-policy':
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'",
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
  'cross-origin-resource-policy': 'same-origin',
  'permissions-policy': 'camera=(), geolocation=(), microphone=()',
} as const;

/** @param ready whether the daemon's events are subscribed and its containers known */
export function healthRoutes(ready: () => boolean): Routes {
  return {
    '/healthz': () => ({ body: 'ok\n' }),
    '/readyz': () =>
      ready() ? { body: 'ok\n' } : { status: 503, body: 'not connected to the Docker daemon\n' },
  };
}

/** Paths that nobody types. */
const PARTS = /^\/(api|assets)\/|^\/index/;

const handlerOf = (pages: Routes, path: string): RouteHandler | undefined =>
  Object.hasOwn(pages, path) ? pages[path] : undefined;

async function answer(
  site: ServerOptions,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const path = request.url?.split('?')[0] ?? '';
  const send = ({ status = 200, contentType = 'text/plain; charset=utf-8', headers, body }: HttpResponse) => {
    response.writeHead(status, {
      ...HEADERS,
      'content-type': contentType,
      'cache-control': 'no-store',
      ...headers,
    });
    response.end(body);
  };
  if (request.method !== 'GET' && request.method !== 'HEAD') {
    send({ status: 405, headers: { allow: 'GET, HEAD' }, body: 'only GET\n' });
    return;
  }
  const health = handlerOf(site.health, path);
  const open = handlerOf(site.public, path);
  const refusal =
    health === undefined
      ? (site.access.refuseForeign(request) ??
        (open === undefined ? site.access.refuseUnauthenticated(request) : undefined))
      : undefined;
  if (refusal !== undefined) {
    send(refusal);
    return;
  }
  const handler = health ?? open ?? handlerOf(site.protected, path);
  if (handler === undefined) {
    const known = Object.keys({ ...site.public, ...site.health, ...site.protected });
    send({ status: 404, body: `try ${known.filter((name) => !PARTS.test(name)).join(', ')}\n` });
    return;
  }
  for (const [name, value] of Object.entries(HEADERS)) response.setHeader(name, value);
  const page = await handler(request, response);
  if (page !== undefined) send(page);
}

/**
 * @returns the server, listening
 * @throws when the address cannot be listened on
 */
export async function startServer(address: Address, site: ServerOptions): Promise<Server> {
  const server = http.createServer((request, response) => {
    answer(site, request, response).catch((error: unknown) => {
      site.onError(error);
      if (!response.headersSent) response.writeHead(503, { 'content-type': 'application/json' });
      response.end(`${JSON.stringify({ error: errorMessage(error) })}\n`);
    });
  });
  await listening(server, address);
  return server;
}

function listening(server: Server, { host, port }: Address): Promise<void> {
  return new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, resolve);
  });
}

/** @throws when the address cannot be listened on */
export async function checkAddress(address: Address): Promise<void> {
  const server = http.createServer();
  await listening(server, address);
  await new Promise((resolve) => server.close(resolve));
}

/** What somebody can open; of all addresses, by this machine's name. */
export function browserUrlOf(server: Server): string {
  const { address, port } = server.address() as AddressInfo;
  return address === '0.0.0.0' || address === '::' ? `http://${hostname()}:${port}` : urlOf(server);
}

/** `http://127.0.0.1:9797` */
export function urlOf(server: Server): string {
  const { address, port } = server.address() as AddressInfo;
  return httpUrl(address, port);
}
