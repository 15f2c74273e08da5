/** What is answered, and by what. */
import type { IncomingMessage, ServerResponse } from 'node:http';

export interface Page {
  readonly status?: number;
  readonly contentType?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body: string | Buffer;
}

/** Undefined where it has answered by itself, or goes on to. */
export type Handler = (
  request: IncomingMessage,
  response: ServerResponse,
) => Page | undefined | Promise<Page | undefined>;

/** Answers by path. */
export type Pages = Readonly<Record<string, Handler>>;
