/** HTTP routes and their handlers. */
import type { IncomingMessage, ServerResponse } from 'node:http';

export interface HttpResponse {
  readonly status?: number;
  readonly contentType?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body: string | Buffer;
}

/** Returns undefined if it writes the response itself. */
export type RouteHandler = (
  request: IncomingMessage,
  response: ServerResponse,
) => HttpResponse | undefined | Promise<HttpResponse | undefined>;

/** Handlers by path. */
export type Routes = Readonly<Record<string, RouteHandler>>;
