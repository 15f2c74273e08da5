/** What is answered, and by what. */
import type { IncomingMessage, ServerResponse } from 'node:http';

export interface HttpResponse {
  readonly status?: number;
  readonly contentType?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body: string | Buffer;
}

/** Undefined where it has answered by itself, or goes on to. */
export type RouteHandler = (
  request: IncomingMessage,
  response: ServerResponse,
) => HttpResponse | undefined | Promise<HttpResponse | undefined>;

/** Answers by path. */
export type Routes = Readonly<Record<string, RouteHandler>>;
