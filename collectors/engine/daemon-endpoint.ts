/**
 * Finds the Docker daemon as the docker command does: an explicit host, DOCKER_HOST, the selected Docker
 * context, the default socket, and then the socket of a rootless daemon.
 * Source: https://docs.docker.com/engine/context/working-with-contexts/ and docker(1).
 */
import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Environment } from '../shared/environment.ts';
import { homeDirectory } from './home-directory.ts';

export interface DaemonEndpoint {
  /** `unix:///…`, `tcp://…`, `http(s)://…` or `ssh://…`. */
  readonly host: string;
  /** Where the host was configured, for people. */
  readonly origin: string;
  readonly tls?: { readonly ca?: Buffer; readonly cert?: Buffer; readonly key?: Buffer };
}

const DEFAULT_SOCKET = '/var/run/docker.sock';

function readTls(directory: string): DaemonEndpoint['tls'] {
  const read = (name: string) => {
    const path = join(directory, name);
    return existsSync(path) ? readFileSync(path) : undefined;
  };
  return { ca: read('ca.pem'), cert: read('cert.pem'), key: read('key.pem') };
}

function readJson(path: string): Record<string, unknown> {
  return existsSync(path) ? JSON.parse(readFileSync(path, 'utf8')) : {};
}

const configDirectoryOf = (env: Environment): string =>
  env.DOCKER_CONFIG ?? join(homeDirectory(env), '.docker');

/** @throws {Error} when there is no such Docker context */
export function contextEndpoint(name: string, env: Environment = process.env): DaemonEndpoint {
  const configDirectory = configDirectoryOf(env);
  const id = createHash('sha256').update(name).digest('hex');
  const meta = readJson(join(configDirectory, 'contexts/meta', id, 'meta.json'));
  const { docker } = (meta.Endpoints ?? {}) as { docker?: { Host?: string } };
  if (docker?.Host === undefined) throw new Error(`Docker context "${name}" does not exist or names no host`);
  const tls = join(configDirectory, 'contexts/tls', id, 'docker');
  return {
    host: docker.Host,
    origin: `Docker context "${name}"`,
    tls: existsSync(tls) ? readTls(tls) : undefined,
  };
}

/** The host that means no daemon: the agent reads the kernel only. */
export const NO_DAEMON = 'none';
/** Origin of a host from the configuration. */
const CONFIGURED = 'docker_host';
export const isNoDaemon = ({ host, origin }: DaemonEndpoint): boolean =>
  host === NO_DAEMON && origin === CONFIGURED;

/** Whether the daemon runs on this host, so that its files can be read here. */
export const isLocal = ({ host }: DaemonEndpoint): boolean => host.startsWith('unix:');

/**
 * @param explicit the host of the configuration, if any
 * @throws {Error} when the selected Docker context does not exist
 */
export function findDaemonEndpoint(
  explicit: string | undefined,
  env: Environment = process.env,
): DaemonEndpoint {
  const configDirectory = configDirectoryOf(env);
  const tls = env.DOCKER_TLS_VERIFY ? readTls(env.DOCKER_CERT_PATH ?? configDirectory) : undefined;
  if (explicit !== undefined) return { host: explicit, origin: CONFIGURED, tls };
  if (env.DOCKER_HOST) return { host: env.DOCKER_HOST, origin: 'DOCKER_HOST', tls };
  if (env.DOCKER_CONTEXT && env.DOCKER_CONTEXT !== 'default') return contextEndpoint(env.DOCKER_CONTEXT, env);
  const { currentContext } = readJson(join(configDirectory, 'config.json'));
  if (typeof currentContext === 'string' && currentContext !== 'default') {
    return contextEndpoint(currentContext, env);
  }
  const rootless = env.XDG_RUNTIME_DIR && join(env.XDG_RUNTIME_DIR, 'docker.sock');
  if (!existsSync(DEFAULT_SOCKET) && rootless && existsSync(rootless)) {
    return { host: `unix://${rootless}`, origin: 'rootless socket' };
  }
  return { host: `unix://${DEFAULT_SOCKET}`, origin: 'default socket' };
}
