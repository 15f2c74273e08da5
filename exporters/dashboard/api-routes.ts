/** The paths below /api, as api.ts has them. */
import type { IncomingMessage } from 'node:http';
import { VERSION } from '../../config/version.ts';
import type { HttpResponse, RouteHandler, Routes } from '../server/route.ts';
import type { Messages } from './api.ts';
import type { DataSources } from './data-sources.ts';
import { ALL_CONTAINERS, type EventStreams } from './event-stream.ts';
import type { DashboardQueries } from './queries.ts';
import { type RecordFilter, textMatcher } from './record-filter.ts';
import type { DashboardStore, TrackedContainer } from './store.ts';

const DEFAULT_LINES = 500;
const DEFAULT_EVENTS = 500;
const MAX_LIMIT = 10_000;

/** Of whoever asks; its message says what would be right. */
class RequestError extends Error {
  readonly status: number;

  constructor(message: string, status = 400) {
    super(message);
    this.status = status;
  }
}

const json = (value: unknown, status = 200): HttpResponse => ({
  status,
  contentType: 'application/json',
  body: JSON.stringify(value),
});

function queryOf({ url = '' }: IncomingMessage): URLSearchParams {
  const mark = url.indexOf('?');
  return new URLSearchParams(mark === -1 ? '' : url.slice(mark + 1));
}

/** @throws {RequestError} */
function numberParameter(query: URLSearchParams, name: string, fallback: number): number {
  const given = query.get(name);
  if (given === null) return fallback;
  const value = Number(given);
  if (given.trim() === '' || !Number.isFinite(value) || value < 0)
    throw new RequestError(`${name}: "${given}" is not allowed; expected a number from 0 on`);
  return value;
}

export interface ApiDependencies {
  readonly store: DashboardStore;
  readonly sources: DataSources;
  readonly answers: DashboardQueries;
  readonly streams: EventStreams;
}

export function apiRoutes({ store, sources, answers, streams }: ApiDependencies): Routes {
  /** @throws {RequestError} when there is no such container */
  const subject = (what: string): TrackedContainer => {
    const found = store.find(what);
    if (found === undefined)
      throw new RequestError(`id: there is no container "${what}", or it is not observed`, 404);
    return found;
  };
  const subjects = (query: URLSearchParams): TrackedContainer[] => query.getAll('id').map(subject);
  const question = (query: URLSearchParams, limit: number): RecordFilter => {
    const ids = subjects(query).map(({ container }) => container.id);
    return {
      ids: ids.length === 0 ? undefined : new Set(ids),
      since: numberParameter(query, 'since', 0),
      until: numberParameter(query, 'until', Number.POSITIVE_INFINITY),
      severity: numberParameter(query, 'severity', 0),
      limit: Math.min(MAX_LIMIT, numberParameter(query, 'limit', limit)),
      matches: textMatcher(query.get('grep') ?? undefined),
    };
  };
  const answer =
    (make: (query: URLSearchParams) => unknown): RouteHandler =>
    async (request) => {
      try {
        return json(await make(queryOf(request)));
      } catch (error) {
        if (error instanceof RequestError) return json({ error: error.message }, error.status);
        throw error;
      }
    };
  const alerts = () => ({ time: Date.now(), alerts: store.alerts.list() });
  const snapshot = (): Messages['snapshot'] => ({
    ...answers.containers(),
    ...alerts(),
    version: VERSION,
    host: sources.hostname,
    hostFigures: store.host.latest,
    connected: sources.isConnected(),
  });
  const stream: RouteHandler = (request, response) => {
    if (request.method === 'HEAD') return { contentType: 'text/event-stream; charset=utf-8', body: '' };
    const followed = queryOf(request)
      .getAll('follow')
      .map((what) => (what === ALL_CONTAINERS ? what : store.find(what)?.container.id))
      .filter((id) => id !== undefined);
    const isOpen = streams.openStream(response, new Set(followed), snapshot());
    return isOpen ? undefined : json({ error: 'too many look on at the same time' }, 503);
  };
  return {
    '/api/containers': answer(() => answers.containers()),
    '/api/container': answer((query) => answers.container(subject(query.get('id') ?? ''))),
    '/api/series': answer((query) =>
      answers.series(subjects(query), query.getAll('metric'), numberParameter(query, 'since', 0)),
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
      if (found === undefined) throw new RequestError(`id: there is no image "${id}"; expected its id`, 404);
      return found;
    }),
    '/api/host': answer(() => answers.host()),
    '/api/host/series': answer((query) =>
      answers.series(undefined, query.getAll('metric'), numberParameter(query, 'since', 0)),
    ),
    '/api/agent': answer(() => answers.agent()),
    '/api/stream': stream,
  };
}
