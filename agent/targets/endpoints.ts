/** The endpoints of the configured daemons. */

import { readFileSync } from 'node:fs';
import {
  contextEndpoint,
  type DaemonEndpoint,
  findDaemonEndpoint,
} from '../../collectors/engine/daemon-endpoint.ts';
import { errorMessage } from '../../collectors/shared/error-message.ts';
import type { Config } from '../../config/schema.ts';

export interface NamedEndpoint {
  /** Undefined for the daemon of `docker_host`, which needs no name. */
  readonly name: string | undefined;
  readonly endpoint: DaemonEndpoint;
}

function tlsOf(name: string, options: Config['daemons'][string]): DaemonEndpoint['tls'] {
  const read = (option: 'certificate' | 'client_certificate' | 'client_key') => {
    const path = options[option];
    if (path === undefined) return undefined;
    try {
      return readFileSync(path);
    } catch (error) {
      throw new Error(`daemons.${name}.${option}: ${errorMessage(error)}; expected a PEM file`);
    }
  };
  const tls = { ca: read('certificate'), cert: read('client_certificate'), key: read('client_key') };
  return Object.values(tls).some((file) => file !== undefined) ? tls : undefined;
}

function namedEndpoint(name: string, options: Config['daemons'][string]): DaemonEndpoint {
  const origin = `daemons.${name}`;
  const { host, context } = options;
  if (host !== undefined) return { host, origin, tls: tlsOf(name, options) };
  try {
    return { ...contextEndpoint(context!), origin };
  } catch (error) {
    throw new Error(`${origin}.context: ${errorMessage(error)}`);
  }
}

/**
 * The endpoint of every daemon to observe.
 * @throws {Error} naming the option, when a file cannot be read or the Docker context does not exist
 */
export function configuredEndpoints({ docker_host, daemons }: Config): NamedEndpoint[] {
  const named = Object.entries(daemons).map(([name, options]) => ({
    name,
    endpoint: namedEndpoint(name, options),
  }));
  if (named.length > 0 && docker_host === undefined) return named;
  return [{ name: undefined, endpoint: findDaemonEndpoint(docker_host) }, ...named];
}

/** The endpoint that commands use: the first one. */
export const mainEndpoint = (config: Config): DaemonEndpoint => configuredEndpoints(config)[0]!.endpoint;
