import { once } from 'node:events';
import type { Agent, IncomingMessage } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import type Dockerode from 'dockerode';
import type { DaemonEndpoint } from './daemon-endpoint.ts';
import { Docker } from './dockerode.ts';
import { findRequest, RefusedError } from './requests.ts';
import { SshTunnelAgent } from './ssh-tunnel.ts';

/** Ports of the Engine API: https://docs.docker.com/engine/security/protect-access/ */
const PORT = 2375;
const TLS_PORT = 2376;

/** dockerode's types leave out the agent of its requests. */
type ClientOptions = Dockerode.DockerOptions & { readonly agent?: Agent };

/** @throws {Error} when the endpoint's scheme is not one of the Engine API's */
function clientOptions(endpoint: DaemonEndpoint): ClientOptions {
  if (!URL.canParse(endpoint.host)) throw unsupportedHost(endpoint);
  const url = new URL(endpoint.host);
  switch (url.protocol) {
    case 'unix:':
      return { socketPath: decodeURIComponent(url.pathname) };
    case 'tcp:':
    case 'http:':
    case 'https:': {
      const secure = url.protocol === 'https:' || endpoint.tls !== undefined;
      return {
        protocol: secure ? 'https' : 'http',
        host: url.hostname,
        // URL drops the default port of its scheme, which is not the daemon's default port.
        port: Number(/:(\d+)(\/|$)/.exec(endpoint.host)?.[1]) || (secure ? TLS_PORT : PORT),
        ...endpoint.tls,
      };
    }
    case 'ssh:':
      return { protocol: 'http', host: 'docker', agent: new SshTunnelAgent(endpoint.host) };
  }
  throw unsupportedHost(endpoint);
}

/** `findDaemonEndpoint` reads the environment. dockerode would read it again and prefer it to the options. */
function createClient(options: ClientOptions): Dockerode {
  const { DOCKER_HOST } = process.env;
  delete process.env.DOCKER_HOST;
  try {
    return new Docker(options);
  } finally {
    if (DOCKER_HOST !== undefined) process.env.DOCKER_HOST = DOCKER_HOST;
  }
}

function unsupportedHost({ host, origin }: DaemonEndpoint): Error {
  return new Error(
    `${origin}: "${host}" is not supported; expected unix:///path, tcp://host:port, https://host:port or ssh://user@host`,
  );
}

/** The oldest Engine API whose fields the agent reads (Docker 20.10), and Podman's. */
export const OLDEST_API = '1.41';
/**
 * The newest Engine API that the agent requests (Docker 29.0). Later versions will leave out fields of disk
 * use that the agent reads. In older versions, Docker 29 rounds the times of container and image events to
 * 256 ns.
 */
export const NEWEST_API = '1.52';

/** Compares `major.minor`: below 0 where the first is older. */
function compareVersions(one: string, other: string): number {
  const [major, minor] = one.split('.').map(Number);
  const [otherMajor, otherMinor] = other.split('.').map(Number);
  return major! - otherMajor! || minor! - otherMinor!;
}

/** A warning about a daemon whose newest API is `version`; undefined where the agent supports it. */
export const outdatedApiWarning = (version: string): string | undefined =>
  compareVersions(version, OLDEST_API) < 0
    ? `the Engine API ${version} is older than ${OLDEST_API} (Docker 20.10): some metrics and attributes are missing. To fix: update Docker`
    : undefined;

type Modem = Dockerode['modem'] & { version?: string | undefined };
type Failure = Error & { readonly statusCode?: number };

/**
 * Called when a request starts.
 * @param template path as the Engine API's reference writes it
 * @param path as it is sent, with its query
 * @returns called when the request ends; for a stream, when it has started
 */
export type RequestObserver = (template: string, path: string) => (error: Failure | null) => void;

/**
 * Asks the daemon for its newest API version.
 * @returns that version, or the agent's newest where that is older; undefined where the daemon's is unknown:
 *   then requests name no version, and the daemon answers in its newest
 * @throws when the daemon cannot be reached
 */
const negotiate = (dial: Modem['dial']): Promise<string | undefined> =>
  new Promise((resolve, reject) => {
    const ping = { path: '/_ping', method: 'GET', isStream: true, statusCodes: { 200: true } };
    dial(ping as never, (error: Failure | null, answer) => {
      // A proxy in front of the daemon may refuse the request.
      if (error !== null) return error.statusCode === undefined ? reject(error) : resolve(undefined);
      const message = answer as IncomingMessage;
      message.resume();
      const theirs = message.headers['api-version'];
      if (typeof theirs !== 'string' || !/^\d+\.\d+$/.test(theirs)) return resolve(undefined);
      resolve(compareVersions(theirs, NEWEST_API) < 0 ? theirs : NEWEST_API);
    });
  });

/** @throws the signal's reason, when the signal aborts first */
async function unlessAborted(promise: Promise<void>, signal: AbortSignal | undefined): Promise<void> {
  if (signal === undefined || signal.aborted) return promise;
  const done = new AbortController();
  const aborted = once(signal, 'abort', { signal: done.signal }).then(() => Promise.reject(signal.reason));
  try {
    await Promise.race([promise, aborted]);
  } finally {
    done.abort();
  }
}

/** Whether the daemon refuses the API version of a request: the daemon was replaced by another version. */
const isVersionRefused = (error: Failure | null): boolean =>
  error?.statusCode === 400 && /client version \S+ is too (old|new)/.test(error.message);

/**
 * A client of the Engine API that can only read: it refuses to send anything but a GET of `daemonRequests`. A
 * request that the daemon refuses fails with `RefusedError`. The client negotiates the API version with the
 * first request, and again when the daemon's version has changed.
 * @throws {Error} when the endpoint's scheme is not one of the Engine API's
 */
export function connectToDaemon(endpoint: DaemonEndpoint, onRequest?: RequestObserver): Dockerode {
  const docker = createClient(clientOptions(endpoint));
  const modem: Modem = docker.modem;
  const dial = modem.dial.bind(modem);
  let isVersionKnown = false;
  let negotiating: Promise<void> | undefined;
  const updateVersion = async () => {
    try {
      modem.version = undefined;
      const version = await negotiate(dial);
      modem.version = version && `v${version}`;
      isVersionKnown = true;
    } finally {
      negotiating = undefined;
    }
  };
  modem.dial = (request, callback) => {
    if (request.method !== 'GET')
      throw new Error(`refused to send ${request.method} ${request.path}: read-only`);
    const known = findRequest(request.path);
    if (known === undefined)
      throw new Error(`refused to send GET ${request.path}: not in the agent's list of requests`);
    const onEnd = onRequest?.(known.path, request.path);
    const send = () =>
      dial(request, (error: Failure | null, answer) => {
        if (isVersionRefused(error)) isVersionKnown = false;
        onEnd?.(error);
        callback?.(error?.statusCode === 403 ? new RefusedError(known) : error, answer);
      });
    if (isVersionKnown) return send();
    negotiating ??= updateVersion();
    const { abortSignal } = request as { readonly abortSignal?: AbortSignal };
    unlessAborted(negotiating, abortSignal).then(send, (error) => {
      onEnd?.(error);
      callback?.(error, null);
    });
  };
  return docker;
}

/**
 * Waits for an answer of the daemon, which can hang on the lock of one object.
 * @throws {Error} when there is no answer in time, or the agent stops
 */
export async function withTimeout<T>(answer: Promise<T>, ms: number, stopping: AbortSignal): Promise<T> {
  const done = new AbortController();
  const signal = AbortSignal.any([stopping, done.signal]);
  const timeout = sleep(ms, undefined, { signal, ref: false }).then(
    () => Promise.reject(new Error(`the daemon did not answer within ${ms} ms`)),
    () => new Promise<never>((_, reject) => stopping.aborted && reject(new Error('stopped'))),
  );
  try {
    return await Promise.race([answer, timeout]);
  } finally {
    done.abort();
  }
}

/** Whether the daemon answered that the object does not exist. */
export function isNotFound(error: unknown): boolean {
  return (error as { statusCode?: number }).statusCode === 404;
}

/** The running containers, newest first, without those that end during the requests. */
export async function inspectRunningContainers(docker: Dockerode): Promise<Dockerode.ContainerInspectInfo[]> {
  const listed = await docker.listContainers();
  const inspected = await Promise.all(
    listed.map(({ Id }) =>
      docker
        .getContainer(Id)
        .inspect()
        .catch((error) => {
          if (error instanceof RefusedError) throw error;
          return undefined;
        }),
    ),
  );
  return inspected
    .filter((inspect) => inspect !== undefined)
    .filter(({ State }) => State.Running && State.Pid !== 0);
}

/** What to do about a daemon that cannot be reached; continues the error's message. */
export function accessHint(error: unknown): string {
  if (error instanceof RefusedError) return '';
  if (/client version \S+ is too old/.test((error as Error).message))
    return `; this version of Portlight supports the Engine API up to ${NEWEST_API}. To fix: install a newer Portlight`;
  return (error as NodeJS.ErrnoException).code === 'EACCES'
    ? '. To fix: run as root or as a member of the group docker'
    : '. Check that the daemon is running, or choose another one with --docker-host';
}
