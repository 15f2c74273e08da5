/**
 * Every request that is made of the daemon. No other can be sent (`client.ts`), and `config/socket-proxy/haproxy.cfg`
 * lets no other pass.
 * Source: https://docs.docker.com/reference/api/engine/
 */
import { PermanentError } from '../shared/permanent-error.ts';

export interface DaemonRequest {
  /** As the Engine API's reference writes it. */
  readonly path: string;
  /** What is not there where it is refused; without it, the agent cannot work at all. */
  readonly without?: string;
  /** With which it is tried: it is answered at once, and by little. */
  readonly query?: string;
}

export const daemonRequests: readonly DaemonRequest[] = [
  { path: '/version' },
  { path: '/events', query: 'since=1&until=1' },
  { path: '/containers/json', query: 'limit=1' },
  { path: '/containers/{id}/json' },
  { path: '/_ping', without: 'requests name no version of the API, and are answered in its newest' },
  {
    path: '/info',
    without:
      'no disk use, logs of the shortest lives are read late, and of a daemon elsewhere it is not told on which host',
  },
  {
    path: '/containers/{id}/logs',
    query: 'stdout=1&tail=0',
    without: 'only logs that are files can be read',
  },
  {
    path: '/containers/{id}/stats',
    without: 'no figures of containers whose processes cannot be seen',
    query: 'stream=0&one-shot=1',
  },
  {
    path: '/containers/{id}/attach/ws',
    without: 'no logs of drivers that keep nothing to read',
    query: 'stream=1&stdout=1&stderr=1',
  },
  {
    path: '/images/json',
    without: 'no images, and none told to be outdated',
    query: `filters=${encodeURIComponent('{"label":["-"]}')}`,
  },
  { path: '/images/{name}/json', without: 'no digests and age of images' },
  { path: '/images/{name}/history', without: 'no layers of images' },
  { path: '/networks', without: 'no networks' },
  { path: '/networks/{id}', without: 'no networks' },
  {
    path: '/volumes',
    without: 'no volumes',
    query: `filters=${encodeURIComponent('{"dangling":["true"]}')}`,
  },
  { path: '/system/df', without: 'no disk use' },
];

/** An image's name has slashes; an id, or the name of something else, has none. */
const PATTERNS: Readonly<Record<string, string>> = { '{id}': '[^/]+', '{name}': '.+' };

/** What matches the paths of a request, without a version before them. */
export const requestPattern = ({ path }: DaemonRequest): string =>
  `^${path.replaceAll('.', '\\.').replaceAll(/\{\w+\}/g, (name) => PATTERNS[name]!)}$`;

const compiled = daemonRequests.map((request) => ({ request, pattern: new RegExp(requestPattern(request)) }));

/**
 * @param path with or without a query
 * @returns undefined for what is never asked
 */
export function findRequest(path: string): DaemonRequest | undefined {
  const [bare = ''] = path.split('?');
  return compiled.find(({ pattern }) => pattern.test(bare))?.request;
}

/** The daemon, or a proxy before it, answers what it is asked with 403. */
export class RefusedError extends PermanentError {
  override readonly name = 'Refused';
  readonly statusCode = 403;

  constructor({ path, without }: DaemonRequest) {
    super(`GET ${path} is refused: ${without ?? 'the agent cannot work without it'}`);
  }
}
