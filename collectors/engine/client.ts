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

/** Its types leave out what its requests are made by. */
type Options = Dockerode.DockerOptions & { readonly agent?: Agent };

function options(endpoint: DaemonEndpoint): Options {
  if (!URL.canParse(endpoint.host)) throw unsupported(endpoint);
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
        // A URL leaves out the port that is usual for its scheme, which is not the daemon's.
        port: Number(/:(\d+)(\/|$)/.exec(endpoint.host)?.[1]) || (secure ? TLS_PORT : PORT),
        ...endpoint.tls,
      };
    }
    case 'ssh:':
      return { protocol: 'http', host: 'docker', agent: new SshTunnelAgent(endpoint.host) };
  }
  throw unsupported(endpoint);
}

/** What the environment says of a daemon is looked at where the daemon is found: the client would put it before ours. */
function clientOf(given: Options): Dockerode {
  const { DOCKER_HOST } = process.env;
  delete process.env.DOCKER_HOST;
  try {
    return new Docker(given);
  } finally {
    if (DOCKER_HOST !== undefined) process.env.DOCKER_HOST = DOCKER_HOST;
  }
}

function unsupported({ host, origin }: DaemonEndpoint): Error {
  return new Error(
    `${origin}: "${host}" is not supported; expected unix:///path, tcp://host:port, https://host:port or ssh://user@host`,
  );
}

/** The oldest Engine API whose fields the agent reads (Docker 20.10), and Podman's. */
export const OLDEST_API = '1.41';
/**
 * The newest that is spoken (Docker 29.0): what the agent reads of disk use is to be told no more by those after it. In those
 * before it, Docker 29 rounds the times of events of containers and images to 256 ns.
 */
export const NEWEST_API = '1.52';

/** Of `major.minor`; below 0 where the first is older. */
function compareVersions(one: string, other: string): number {
  const [major, minor] = one.split('.').map(Number);
  const [otherMajor, otherMinor] = other.split('.').map(Number);
  return major! - otherMajor! || minor! - otherMinor!;
}

/** What a person should know of a daemon that speaks nothing newer than `version`; undefined where all is well. */
export const outdatedApiWarning = (version: string): string | undefined =>
  compareVersions(version, OLDEST_API) < 0
    ? `the Engine API ${version} is older than ${OLDEST_API} (Docker 20.10): some of what is read is not told by it`
    : undefined;

type Modem = Dockerode['modem'] & { version?: string | undefined };
type Failure = Error & { readonly statusCode?: number };

/**
 * Called when a request starts.
 * @param template path as the Engine API's reference writes it
 * @param path as it is sent, with its query
 * @returns called when the request ends; for a stream, when it has begun
 */
export type RequestObserver = (template: string, path: string) => (error: Failure | null) => void;

/**
 * The version to speak: the daemon's newest, or ours where that is older.
 * @returns undefined where it does not tell, and answers each request in its newest
 * @throws when it cannot be reached
 */
const negotiate = (dial: Modem['dial']): Promise<string | undefined> =>
  new Promise((resolve, reject) => {
    const ping = { path: '/_ping', method: 'GET', isStream: true, statusCodes: { 200: true } };
    dial(ping as never, (error: Failure | null, answer) => {
      // Whoever stands before the daemon may keep us from asking that.
      if (error !== null) return error.statusCode === undefined ? reject(error) : resolve(undefined);
      const message = answer as IncomingMessage;
      message.resume();
      const theirs = message.headers['api-version'];
      if (typeof theirs !== 'string' || !/^\d+\.\d+$/.test(theirs)) return resolve(undefined);
      resolve(compareVersions(theirs, NEWEST_API) < 0 ? theirs : NEWEST_API);
    });
  });

/** @throws what the signal was given, when that is first */
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

/** Whether the daemon does not speak the version that a request was sent in: it is another than before, or too new. */
const isOtherVersion = (error: Failure | null): boolean =>
  error?.statusCode === 400 && /client version \S+ is too (old|new)/.test(error.message);

/**
 * A client of the Engine API that can only read: any request but a GET of `requests` is refused before it is sent. What
 * the daemon refuses fails with `Refused`. With the first request it asks the daemon what version it speaks, and again when
 * that has changed.
 * @throws {Error} when the endpoint's scheme is not one of the Engine API's
 */
export function connectToDaemon(endpoint: DaemonEndpoint, onRequest?: RequestObserver): Dockerode {
  const docker = clientOf(options(endpoint));
  const modem: Modem = docker.modem;
  const dial = modem.dial.bind(modem);
  let isKnown = false;
  let asking: Promise<void> | undefined;
  const ask = async () => {
    try {
      modem.version = undefined;
      const version = await negotiate(dial);
      modem.version = version && `v${version}`;
      isKnown = true;
    } finally {
      asking = undefined;
    }
  };
  modem.dial = (request, callback) => {
    if (request.method !== 'GET')
      throw new Error(`refused to send ${request.method} ${request.path}: read-only`);
    const known = findRequest(request.path);
    if (known === undefined)
      throw new Error(`refused to send GET ${request.path}: none of the agent's requests`);
    const onEnd = onRequest?.(known.path, request.path);
    const send = () =>
      dial(request, (error: Failure | null, answer) => {
        if (isOtherVersion(error)) isKnown = false;
        onEnd?.(error);
        callback?.(error?.statusCode === 403 ? new RefusedError(known) : error, answer);
      });
    if (isKnown) return send();
    asking ??= ask();
    const { abortSignal } = request as { readonly abortSignal?: AbortSignal };
    unlessAborted(asking, abortSignal).then(send, (error) => {
      onEnd?.(error);
      callback?.(error, null);
    });
  };
  return docker;
}

/**
 * An answer of the daemon, which can hang on a lock of one object's.
 * @throws {Error} when it does not come in time
 */
export async function withTimeout<T>(answer: Promise<T>, ms: number, stopping: AbortSignal): Promise<T> {
  const given = new AbortController();
  const signal = AbortSignal.any([stopping, given.signal]);
  const late = sleep(ms, undefined, { signal, ref: false }).then(
    () => Promise.reject(new Error(`the daemon did not answer within ${ms} ms`)),
    () => new Promise<never>((_, reject) => stopping.aborted && reject(new Error('stopped'))),
  );
  try {
    return await Promise.race([answer, late]);
  } finally {
    given.abort();
  }
}

/** Whether the daemon answered that the object does not exist (any more). */
export function isNotFound(error: unknown): boolean {
  return (error as { statusCode?: number }).statusCode === 404;
}

/** The running containers, newest first. One that ends while they are asked for is left out. */
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

/** What a person can do about a daemon that cannot be reached; continues the error's message. */
export function accessHint(error: unknown): string {
  if (error instanceof RefusedError) return '';
  if (/client version \S+ is too old/.test((error as Error).message))
    return `; this Portlight speaks the Engine API up to ${NEWEST_API}: install a newer one`;
  return (error as NodeJS.ErrnoException).code === 'EACCES'
    ? '; run as root or as a member of the group docker'
    : '; is it running? Name another with --docker-host';
}
