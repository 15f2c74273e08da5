/** The running agent as commands ask it: what it answers is in exporters/dashboard/api.ts. */

import { EventSourceParserStream } from 'eventsource-parser/stream';
import { errorMessage } from '../../../collectors/shared/error-message.ts';
import { httpUrl } from '../../../collectors/shared/http.ts';
import type { Config } from '../../../config/schema.ts';
import type { Failure, Messages } from '../../../exporters/dashboard/api.ts';
import { isLoopback, readToken } from '../../../exporters/server/token.ts';
import type { Status } from '../../../exporters/shared/status.ts';
import { mainEndpoint } from '../../targets/endpoints.ts';

const ANSWER_MS = 5000;
/** How long it may take to find out whether there is one: nobody is to wait for what does not run. */
const FIND_MS = 1000;
/** The agent sends a beat every 15 s where nothing else is new: one that sends nothing for so long hangs. */
const SILENCE_MS = 40_000;

type Query = Readonly<Record<string, string | number | readonly string[] | undefined>>;

/** One message of the stream. */
export type StreamMessage = {
  [K in keyof Messages]: { readonly kind: K; readonly data: Messages[K] };
}[keyof Messages];

/** The agent answered, and not with what was asked for. */
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
   * @param silence after how long without a word a stream has ended, ms
   * @throws {Error} when the agent wants a token, and the file of it may not be read
   */
  constructor(
    { listen: { host, port }, data_dir }: Pick<Config, 'listen' | 'data_dir'>,
    silence = SILENCE_MS,
  ) {
    this.host = host;
    this.silenceMs = silence;
    this.url = httpUrl(host, port);
    // On loopback anybody could listen in its place, and needs not be told.
    const token = isLoopback(host) ? undefined : readToken(data_dir);
    this.headers = token === undefined ? {} : { authorization: `Bearer ${token}` };
  }

  /** @throws {AgentRefusal} when it answers with a mistake, {Error} when it does not answer */
  async get<T>(path: string, query: Query = {}, signal = AbortSignal.timeout(ANSWER_MS)): Promise<T> {
    const response = await this.request(path, query, signal);
    return (await response.json()) as T;
  }

  /**
   * What happens from now on; ends when the agent closes the connection.
   * @param follow ids of containers whose lines are wanted
   * @throws as `get`, and when nothing comes for too long
   */
  async *stream(follow: readonly string[], signal: AbortSignal): AsyncGenerator<StreamMessage> {
    const silent = new AbortController();
    const wait = () =>
      setTimeout(
        () => silent.abort(new Error(`nothing came for ${this.silenceMs / 1000} s`)),
        this.silenceMs,
      );
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
        // Whoever takes long with a message is not to take that for the agent's silence.
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
      throw new AgentRefusal(401, 'it listens beyond loopback: name the same --listen as the agent has');
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

/** The agent that runs here and observes the daemon that is meant; undefined where there is none, or it may not be asked. */
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
