/** The paths below /api, as api.ts has them. */
import type { IncomingMessage } from 'node:http';
import { VERSION } from '../../config/version.ts';
import type { Handler, Page, Pages } from '../server/page.ts';
import type { Answers } from './answers.ts';
import type { Messages } from './api.ts';
import { matcherOf, type Question } from './question.ts';
import type { Sources } from './sources.ts';
import type { Store, Subject } from './store.ts';
import { EVERYTHING, type Streams } from './stream.ts';

const DEFAULT_LINES = 500;
const DEFAULT_EVENTS = 500;
const MAX_LIMIT = 10_000;

/** Of whoever asks; its message says what would be right. */
class Mistake extends Error {
  readonly status: number;

  constructor(message: string, status = 400) {
    super(message);
    this.status = status;
  }
}

const json = (value: unknown, status = 200): Page => ({
  status,
  contentType: 'application/json',
  body: JSON.stringify(value),
});

function queryOf({ url = '' }: IncomingMessage): URLSearchParams {
  const mark = url.indexOf('?');
  return new URLSearchParams(mark === -1 ? '' : url.slice(mark + 1));
}

/** @throws {Mistake} */
function numberOf(query: URLSearchParams, name: string, fallback: number): number {
  const given = query.get(name);
  if (given === null) return fallback;
  const value = Number(given);
  if (given.trim() === '' || !Number.isFinite(value) || value < 0)
    throw new Mistake(`${name}: "${given}" is not allowed; expected a number from 0 on`);
  return value;
}

export interface Parts {
  readonly store: Store;
  readonly sources: Sources;
  readonly answers: Answers;
  readonly streams: Streams;
}

export function routes({ store, sources, answers, streams }: Parts): Pages {
  /** @throws {Mistake} when there is no such container */
  const subject = (what: string): Subject => {
    const found = store.find(what);
    if (found === undefined)
      throw new Mistake(`id: there is no container "${what}", or it is not observed`, 404);
    return found;
  };
  const subjects = (query: URLSearchParams): Subject[] => query.getAll('id').map(subject);
  const question = (query: URLSearchParams, limit: number): Question => {
    const ids = subjects(query).map(({ container }) => container.id);
    return {
      ids: ids.length === 0 ? undefined : new Set(ids),
      since: numberOf(query, 'since', 0),
      until: numberOf(query, 'until', Number.POSITIVE_INFINITY),
      severity: numberOf(query, 'severity', 0),
      limit: Math.min(MAX_LIMIT, numberOf(query, 'limit', limit)),
      fits: matcherOf(query.get('grep') ?? undefined),
    };
  };
  const answer =
    (make: (query: URLSearchParams) => unknown): Handler =>
    async (request) => {
      try {
        return json(await make(queryOf(request)));
      } catch (error) {
        if (error instanceof Mistake) return json({ error: error.message }, error.status);
        throw error;
      }
    };
  const alerts = () => ({ time: Date.now(), alerts: store.alerts.all() });
  const snapshot = (): Messages['snapshot'] => ({
    ...answers.containers(),
    ...alerts(),
    version: VERSION,
    host: sources.hostname,
    hostFigures: store.host.latest,
    connected: sources.isConnected(),
  });
  const stream: Handler = (request, response) => {
    if (request.method === 'HEAD') return { contentType: 'text/event-stream; charset=utf-8', body: '' };
    const followed = queryOf(request)
      .getAll('follow')
      .map((what) => (what === EVERYTHING ? what : store.find(what)?.container.id))
      .filter((id) => id !== undefined);
    const isOpen = streams.open(response, new Set(followed), snapshot());
    return isOpen ? undefined : json({ error: 'too many look on at the same time' }, 503);
  };
  return {
    '/api/containers': answer(() => answers.containers()),
    '/api/container': answer((query) => answers.container(subject(query.get('id') ?? ''))),
    '/api/series': answer((query) =>
      answers.series(subjects(query), query.getAll('metric'), numberOf(query, 'since', 0)),
    ),
    '/api/logs': answer((query) => store.logs.find(question(query, DEFAULT_LINES))),
    '/api/events': answer((query) => ({
      events: store.events.find(question(query, DEFAULT_EVENTS), query.get('exec') === 'true'),
    })),
    '/api/alerts': answer(alerts),
    '/api/namespaces': answer(() => answers.namespaces()),
    '/api/images': answer(() => answers.images()),
    '/api/image': answer(async (query) => {
      const id = query.get('id') ?? '';
      const found = /^(sha256:)?[0-9a-f]{12,64}$/.test(id) ? await sources.image(id) : undefined;
      if (found === undefined) throw new Mistake(`id: there is no image "${id}"; expected its id`, 404);
      return found;
    }),
    '/api/host': answer(() => answers.host()),
    '/api/host/series': answer((query) =>
      answers.series(undefined, query.getAll('metric'), numberOf(query, 'since', 0)),
    ),
    '/api/agent': answer(() => answers.agent()),
    '/api/stream': stream,
  };
}
