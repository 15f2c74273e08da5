/** HTTP routes and their handlers. */
import type { IncomingMessage, ServerResponse } from 'node:http';

export interface RouteResponse {
  readonly status?: number;
  readonly contentType?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body: string | Buffer;
}

/** Returns undefined if it writes the response itself. */
export type RouteHandler = (
  request: IncomingMessage,
  response: ServerResponse,
) => RouteResponse | undefined | Promise<RouteResponse | undefined>;

/** Handlers by path. */
export type Routes = Readonly<Record<string, RouteHandler>>;
