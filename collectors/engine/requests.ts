/**
 * Every request that the agent sends to the daemon. `client.ts` refuses to send any other, and the socket
 * proxy of `config/socket-proxy/haproxy.cfg` blocks any other.
 * Source: https://docs.docker.com/reference/api/engine/
 */
import { PermanentError } from '../shared/permanent-error.ts';

export interface DaemonRequest {
  /** As in the Engine API's reference. */
  readonly path: string;
  /**
   * What is missing when the request is refused. Undefined for a request that the agent cannot work without.
   */
  readonly without?: string;
  /** The query of a trial request: the answer is quick and small. */
  readonly query?: string;
}

export const daemonRequests: readonly DaemonRequest[] = [
  { path: '/version' },
  { path: '/events', query: 'since=1&until=1' },
  { path: '/containers/json', query: 'limit=1' },
  { path: '/containers/{id}/json' },
  { path: '/_ping', without: 'the daemon answers in its newest API version' },
  {
    path: '/info',
    without:
      'no disk use, logs of very short-lived containers are read late, no host attributes of a remote daemon',
  },
  {
    path: '/containers/{id}/logs',
    query: 'stdout=1&tail=0',
    without: 'only logs in files can be read',
  },
  {
    path: '/containers/{id}/stats',
    without: 'no metrics of containers whose processes are not visible to the agent',
    query: 'stream=0&one-shot=1',
  },
  {
    path: '/containers/{id}/attach/ws',
    without: 'no logs of log drivers that store nothing',
    query: 'stream=1&stdout=1&stderr=1',
  },
  {
    path: '/images/json',
    without: 'no images, and no detection of outdated ones',
    query: `filters=${encodeURIComponent('{"label":["-"]}')}`,
  },
  { path: '/images/{name}/json', without: 'no digests and no age of images' },
  { path: '/images/{name}/history', without: 'no image layers' },
  { path: '/networks', without: 'no networks' },
  { path: '/networks/{id}', without: 'no networks' },
  {
    path: '/volumes',
    without: 'no volumes',
    query: `filters=${encodeURIComponent('{"dangling":["true"]}')}`,
  },
  { path: '/system/df', without: 'no disk use' },
];

/** Image names can have slashes. Ids, and names of other objects, have none. */
const PATTERNS: Readonly<Record<string, string>> = { '{id}': '[^/]+', '{name}': '.+' };

/** A regular expression for the paths of a request, without an API version. */
export const requestPattern = ({ path }: DaemonRequest): string =>
  `^${path.replaceAll('.', '\\.').replaceAll(/\{\w+\}/g, (name) => PATTERNS[name]!)}$`;

const compiled = daemonRequests.map((request) => ({ request, pattern: new RegExp(requestPattern(request)) }));

/**
 * @param path with or without a query
 * @returns undefined where the agent has no such request
 */
export function findRequest(path: string): DaemonRequest | undefined {
  const [bare = ''] = path.split('?');
  return compiled.find(({ pattern }) => pattern.test(bare))?.request;
}

/** The daemon, or a proxy in front of it, answered with 403. */
export class RefusedError extends PermanentError {
  override readonly name = 'Refused';
  readonly statusCode = 403;

  constructor({ path, without }: DaemonRequest) {
    super(`GET ${path} is refused: ${without ?? 'the agent cannot work without it'}`);
  }
}
