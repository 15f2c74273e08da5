/** Client of a running agent's HTTP API (exporters/dashboard/api.ts). */

import { EventSourceParserStream } from 'eventsource-parser/stream';
import { errorMessage } from '../../../collectors/shared/error-message.ts';
import { httpUrl } from '../../../collectors/shared/http.ts';
import type { Config } from '../../../config/schema.ts';
import type { Failure, Messages } from '../../../exporters/dashboard/api.ts';
import { isLoopback, readToken } from '../../../exporters/server/token.ts';
import type { Status } from '../../../exporters/shared/status.ts';
import { mainEndpoint } from '../../targets/endpoints.ts';

const ANSWER_MS = 5000;
/** Timeout of the search for a running agent: commands must not be slow without one. */
const FIND_MS = 1000;
/** The agent sends a heartbeat every 15 s: a stream without data for this long is dead. */
const SILENCE_MS = 40_000;

type Query = Readonly<Record<string, string | number | readonly string[] | undefined>>;

/** One message of the stream. */
export type StreamMessage = {
  [K in keyof Messages]: { readonly kind: K; readonly data: Messages[K] };
}[keyof Messages];

/** The agent answered with an error status. */
export class AgentRefusal extends Error {
  override readonly name = 'Refused';
  readonly status: number;

  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

export class AgentClient {
  readonly url: string;
  private readonly headers: Readonly<Record<string, string>>;
  private readonly host: string;
  private readonly silenceMs: number;

  /**
   * @param silence timeout of a stream without data, ms
   * @throws {Error} if a token is required, and its file cannot be read
   */
  constructor(
    { listen: { host, port }, data_dir }: Pick<Config, 'listen' | 'data_dir'>,
    silence = SILENCE_MS,
  ) {
    this.host = host;
    this.silenceMs = silence;
    this.url = httpUrl(host, port);
    // On loopback another process could listen on the port, and must not receive the token.
    const token = isLoopback(host) ? undefined : readToken(data_dir);
    this.headers = token === undefined ? {} : { authorization: `Bearer ${token}` };
  }

  /** @throws {AgentRefusal} for an error status; {Error} without an answer */
  async get<T>(path: string, query: Query = {}, signal = AbortSignal.timeout(ANSWER_MS)): Promise<T> {
    const response = await this.request(path, query, signal);
    return (await response.json()) as T;
  }

  /**
   * Subscribes to `/api/stream`; ends when the agent closes the connection.
   * @param follow ids of the containers whose log lines are sent
   * @throws as `get`, and if no data arrives for too long
   */
  async *stream(follow: readonly string[], signal: AbortSignal): AsyncGenerator<StreamMessage> {
    const silent = new AbortController();
    const wait = () =>
      setTimeout(() => silent.abort(new Error(`no data for ${this.silenceMs / 1000} s`)), this.silenceMs);
    let timer = wait();
    try {
      const response = await this.request(
        '/api/stream',
        { follow },
        AbortSignal.any([signal, silent.signal]),
      );
      const events = response
        .body!.pipeThrough(new TextDecoderStream())
        .pipeThrough(new EventSourceParserStream());
      for await (const { event, data } of events) {
        // Time that the consumer spends on a message is not the agent's silence.
        clearTimeout(timer);
        if (event !== undefined && event !== 'beat')
          yield { kind: event, data: JSON.parse(data) } as StreamMessage;
        timer = wait();
      }
    } finally {
      clearTimeout(timer);
    }
  }

  private async request(path: string, query: Query, signal: AbortSignal): Promise<Response> {
    const url = new URL(path, this.url);
    for (const [key, value] of Object.entries(query))
      for (const each of [value ?? []].flat()) url.searchParams.append(key, String(each));
    let response: Response;
    try {
      response = await fetch(url, { headers: this.headers, signal });
    } catch (error) {
      const reason = error instanceof Error && error.cause !== undefined ? error.cause : error;
      throw new Error(errorMessage(reason));
    }
    if (response.ok) return response;
    const text = await response.text();
    if (response.status === 401 && isLoopback(this.host))
      throw new AgentRefusal(401, 'a token is required; set --listen to the same address as the agent');
    throw new AgentRefusal(response.status, reasonOf(text) ?? `HTTP ${response.status}`);
  }
}

function reasonOf(body: string): string | undefined {
  try {
    return (JSON.parse(body) as Failure).error;
  } catch {
    return undefined;
  }
}

/** Finds a running agent that observes the configured daemon; undefined if there is none, or access is denied. */
export async function findAgent(config: Config): Promise<AgentClient | undefined> {
  if (config.listen.port === 0) return undefined;
  const { host } = mainEndpoint(config);
  try {
    const client = new AgentClient(config);
    const { status } = await client.get<{ status: Status }>('/api/agent', {}, AbortSignal.timeout(FIND_MS));
    return status.daemons.some((daemon) => daemon.host === host) ? client : undefined;
  } catch {
    return undefined;
  }
}
