/** The routes below /api; api.ts documents them. */
import type { IncomingMessage } from 'node:http';
import { VERSION } from '../../config/version.ts';
import type { RouteHandler, RouteResponse, Routes } from '../server/route.ts';
import type { Messages } from './api.ts';
import type { TrackedContainer } from './container-table.ts';
import type { DataSources } from './data-sources.ts';
import { ALL_CONTAINERS, type EventStreams } from './event-stream.ts';
import type { DashboardQueries } from './queries.ts';
import { type RecordFilter, textMatcher } from './record-filter.ts';
import type { DashboardStore } from './store.ts';

const DEFAULT_LINES = 500;
const DEFAULT_EVENTS = 500;
const MAX_LIMIT = 10_000;

/** An invalid request. The message says what is expected. */
class RequestError extends Error {
  readonly status: number;

  constructor(message: string, status = 400) {
    super(message);
    this.status = status;
  }
}

const json = (value: unknown, status = 200): RouteResponse => ({
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
    throw new RequestError(`${name}: "${given}" is not allowed; expected a number of at least 0`);
  return value;
}

export interface ApiDependencies {
  readonly store: DashboardStore;
  readonly sources: DataSources;
  readonly queries: DashboardQueries;
  readonly streams: EventStreams;
}

export function apiRoutes({ store, sources, queries, streams }: ApiDependencies): Routes {
  /** @throws {RequestError} if there is no such container */
  const findContainer = (reference: string): TrackedContainer => {
    const found = store.containers.find(reference);
    if (found === undefined) throw new RequestError(`id: no such container "${reference}"`, 404);
    return found;
  };
  const findContainers = (query: URLSearchParams): TrackedContainer[] =>
    query.getAll('id').map(findContainer);
  const filterOf = (query: URLSearchParams, limit: number): RecordFilter => {
    const ids = findContainers(query).map(({ container }) => container.id);
    return {
      ids: ids.length === 0 ? undefined : new Set(ids),
      since: numberParameter(query, 'since', 0),
      until: numberParameter(query, 'until', Number.POSITIVE_INFINITY),
      severity: numberParameter(query, 'severity', 0),
      limit: Math.min(MAX_LIMIT, numberParameter(query, 'limit', limit)),
      matches: textMatcher(query.get('grep') ?? undefined),
    };
  };
  const answerJson =
    (read: (query: URLSearchParams) => unknown): RouteHandler =>
    async (request) => {
      try {
        return json(await read(queryOf(request)));
      } catch (error) {
        if (error instanceof RequestError) return json({ error: error.message }, error.status);
        throw error;
      }
    };
  const alerts = () => ({ time: Date.now(), alerts: store.alerts.list() });
  const snapshot = (): Messages['snapshot'] => ({
    ...queries.containers(),
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
      .map((reference) =>
        reference === ALL_CONTAINERS ? reference : store.containers.find(reference)?.container.id,
      )
      .filter((id) => id !== undefined);
    const isOpen = streams.openStream(response, new Set(followed), snapshot());
    return isOpen ? undefined : json({ error: 'too many open streams' }, 503);
  };
  return {
    '/api/containers': answerJson(() => queries.containers()),
    '/api/container': answerJson((query) => queries.container(findContainer(query.get('id') ?? ''))),
    '/api/series': answerJson((query) =>
      queries.series(findContainers(query), query.getAll('metric'), numberParameter(query, 'since', 0)),
    ),
    '/api/logs': answerJson((query) => store.logs.find(filterOf(query, DEFAULT_LINES))),
    '/api/events': answerJson((query) => ({
      events: store.events.find(filterOf(query, DEFAULT_EVENTS), query.get('exec') === 'true'),
    })),
    '/api/alerts': answerJson(alerts),
    '/api/namespaces': answerJson(() => queries.namespaces()),
    '/api/images': answerJson(() => queries.images()),
    '/api/image': answerJson(async (query) => {
      const id = query.get('id') ?? '';
      const found = /^(sha256:)?[0-9a-f]{12,64}$/.test(id) ? await sources.image(id) : undefined;
      if (found === undefined) throw new RequestError(`id: no image "${id}"; expected an image id`, 404);
      return found;
    }),
    '/api/host': answerJson(() => queries.host()),
    '/api/host/series': answerJson((query) =>
      queries.series(undefined, query.getAll('metric'), numberParameter(query, 'since', 0)),
    ),
    '/api/agent': answerJson(() => queries.agent()),
    '/api/stream': stream,
  };
}
