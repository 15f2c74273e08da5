/** Where the daemons are that the configuration names. */

import { readFileSync } from 'node:fs';
import {
  contextEndpoint,
  type DaemonEndpoint,
  findDaemonEndpoint,
} from '../../collectors/engine/daemon-endpoint.ts';
import { errorMessage } from '../../collectors/shared/error-message.ts';
import type { Config } from '../../config/schema.ts';

export interface NamedEndpoint {
  /** Undefined for the one that needs no name. */
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
      throw new Error(`daemons.${name}.${option}: ${errorMessage(error)}; expected a file in PEM`);
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
 * Every daemon that is to be observed.
 * @throws {Error} that names the option, where a file cannot be read or there is no such Docker context
 */
export function configuredEndpoints({ docker_host, daemons }: Config): NamedEndpoint[] {
  const named = Object.entries(daemons).map(([name, options]) => ({
    name,
    endpoint: namedEndpoint(name, options),
  }));
  if (named.length > 0 && docker_host === undefined) return named;
  return [{ name: undefined, endpoint: findDaemonEndpoint(docker_host) }, ...named];
}

/** The daemon that commands ask: the first of them. */
export const mainEndpoint = (config: Config): DaemonEndpoint => configuredEndpoints(config)[0]!.endpoint;
