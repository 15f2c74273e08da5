import { setTimeout as sleep } from 'node:timers/promises';
import Docker from 'dockerode';
import type { Endpoint } from './endpoint.ts';
import { Refused, requestOf } from './requests.ts';

/** Ports of the Engine API: https://docs.docker.com/engine/security/protect-access/ */
const PORT = 2375;
const TLS_PORT = 2376;

function options(endpoint: Endpoint): Docker.DockerOptions {
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
        port: Number(url.port) || (secure ? TLS_PORT : PORT),
        ...endpoint.tls,
      };
    }
    case 'ssh:':
      return {
        protocol: 'ssh',
        host: url.hostname,
        port: Number(url.port) || 22,
        username: url.username || undefined,
      };
  }
  throw unsupported(endpoint);
}

function unsupported({ host, origin }: Endpoint): Error {
  return new Error(
    `${origin}: "${host}" is not supported; expected unix:///path, tcp://host:port, https://host:port or ssh://user@host`,
  );
}

/**
 * A client of the Engine API that can only read: any request but a GET of `requests` is refused before it is sent. What
 * the daemon refuses fails with `Refused`.
 * @throws {Error} when the endpoint's scheme is not one of the Engine API's
 */
export function connect(endpoint: Endpoint): Docker {
  const docker = new Docker(options(endpoint));
  const { modem } = docker;
  const dial = modem.dial.bind(modem);
  modem.dial = (request, callback) => {
    if (request.method !== 'GET')
      throw new Error(`refused to send ${request.method} ${request.path}: read-only`);
    const known = requestOf(request.path);
    if (known === undefined)
      throw new Error(`refused to send GET ${request.path}: none of the agent's requests`);
    dial(request, (error: (Error & { statusCode?: number }) | null, data) =>
      callback?.(error?.statusCode === 403 ? new Refused(known) : error, data),
    );
  };
  return docker;
}

/**
 * An answer of the daemon, which can hang on a lock of one object's.
 * @throws {Error} when it does not come in time
 */
export async function inTime<T>(answer: Promise<T>, ms: number, stopping: AbortSignal): Promise<T> {
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
export async function inspectRunning(docker: Docker): Promise<Docker.ContainerInspectInfo[]> {
  const listed = await docker.listContainers();
  const inspected = await Promise.all(
    listed.map(({ Id }) =>
      docker
        .getContainer(Id)
        .inspect()
        .catch((error) => {
          if (error instanceof Refused) throw error;
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
  if (error instanceof Refused) return '';
  return (error as NodeJS.ErrnoException).code === 'EACCES'
    ? '; run as root or as a member of the group docker'
    : '; is it running? Name another with --docker-host';
}
