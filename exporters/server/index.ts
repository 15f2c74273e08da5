/**
 * The HTTP server: `/healthz` (the process is alive), `/readyz` (it is connected to its daemon), and the given routes.
 * It answers GET and HEAD only, and controls access (access.ts).
 */

import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { hostname } from 'node:os';
import { errorMessage } from '../../collectors/shared/error-message.ts';
import { http, httpUrl } from '../../collectors/shared/http.ts';
import type { AccessControl } from './access.ts';
import type { RouteHandler, RouteResponse, Routes } from './route.ts';

export interface Address {
  readonly host: string;
  readonly port: number;
}

export interface ServerOptions {
  /** Open to everyone, under any host name: orchestrators use addresses of their own. */
  readonly health: Routes;
  /** Require a known host name, but no token: they contain no data. */
  readonly public: Routes;
  /** Require a known host name and, beyond loopback, the token. */
  readonly protected: Routes;
  readonly access: AccessControl;
  readonly onError: (error: unknown) => void;
}

/** Headers of every response. They allow the page's own scripts and styles only, and neither frames nor referrers. */
const HEADERS = {
  'content-security-policy':
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'",
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
  'cross-origin-resource-policy': 'same-origin',
  'permissions-policy': 'camera=(), geolocation=(), microphone=()',
} as const;

/** @param ready whether the daemon's events are subscribed and its containers are known */
export function healthRoutes(ready: () => boolean): Routes {
  return {
    '/healthz': () => ({ body: 'ok\n' }),
    '/readyz': () =>
      ready() ? { body: 'ok\n' } : { status: 503, body: 'not connected to the Docker daemon\n' },
  };
}

/** Paths that are not listed for an unknown path. */
const UNLISTED = /^\/(api|assets)\/|^\/index/;

const handlerOf = (routes: Routes, path: string): RouteHandler | undefined =>
  Object.hasOwn(routes, path) ? routes[path] : undefined;

async function handleRequest(
  options: ServerOptions,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const path = request.url?.split('?')[0] ?? '';
  const send = ({
    status = 200,
    contentType = 'text/plain; charset=utf-8',
    headers,
    body,
  }: RouteResponse) => {
    response.writeHead(status, {
      ...HEADERS,
      'content-type': contentType,
      'cache-control': 'no-store',
      ...headers,
    });
    response.end(body);
  };
  if (request.method !== 'GET' && request.method !== 'HEAD') {
    send({ status: 405, headers: { allow: 'GET, HEAD' }, body: 'only GET and HEAD are allowed\n' });
    return;
  }
  const health = handlerOf(options.health, path);
  const open = handlerOf(options.public, path);
  const refusal =
    health === undefined
      ? (options.access.refuseForeign(request) ??
        (open === undefined ? options.access.refuseUnauthenticated(request) : undefined))
      : undefined;
  if (refusal !== undefined) {
    send(refusal);
    return;
  }
  const handler = health ?? open ?? handlerOf(options.protected, path);
  if (handler === undefined) {
    const known = Object.keys({ ...options.public, ...options.health, ...options.protected });
    send({
      status: 404,
      body: `not found; try ${known.filter((name) => !UNLISTED.test(name)).join(', ')}\n`,
    });
    return;
  }
  for (const [name, value] of Object.entries(HEADERS)) response.setHeader(name, value);
  const answer = await handler(request, response);
  if (answer !== undefined) send(answer);
}

/**
 * Starts listening.
 * @throws if the address is not available
 */
export async function startServer(address: Address, options: ServerOptions): Promise<Server> {
  const server = http.createServer((request, response) => {
    handleRequest(options, request, response).catch((error: unknown) => {
      options.onError(error);
      if (!response.headersSent) response.writeHead(503, { 'content-type': 'application/json' });
      response.end(`${JSON.stringify({ error: errorMessage(error) })}\n`);
    });
  });
  await listenOn(server, address);
  return server;
}

function listenOn(server: Server, { host, port }: Address): Promise<void> {
  return new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, resolve);
  });
}

/** @throws if the address is not available */
export async function checkAddress(address: Address): Promise<void> {
  const server = http.createServer();
  await listenOn(server, address);
  await new Promise((resolve) => server.close(resolve));
}

/** The URL for a browser; it has this machine's name if the server listens on all addresses. */
export function browserUrlOf(server: Server): string {
  const { address, port } = server.address() as AddressInfo;
  return address === '0.0.0.0' || address === '::' ? `http://${hostname()}:${port}` : urlOf(server);
}

/** `http://127.0.0.1:9797` */
export function urlOf(server: Server): string {
  const { address, port } = server.address() as AddressInfo;
  return httpUrl(address, port);
}
