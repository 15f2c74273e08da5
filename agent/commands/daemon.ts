/** The daemon as a command meets it: found, connected, and its faults told with what can be done. */
import type Docker from 'dockerode';
import { accessHint, connect } from '../../collectors/docker/client.ts';
import { type Endpoint, findEndpoint } from '../../collectors/docker/endpoint.ts';
import type { Config } from '../../config/schema.ts';
import { messageOf } from '../telemetry.ts';

/** A daemon that does not answer, and what can be done about it. */
export const unanswered = ({ host, origin }: Endpoint, error: unknown): string =>
  `${host} (${origin}): ${messageOf(error)}${accessHint(error)}`;

export interface Daemon {
  readonly docker: Docker;
  readonly endpoint: Endpoint;
  /** @throws {Error} that names the daemon, and says what can be done, where it does not answer */
  ask<T>(question: Promise<T>): Promise<T>;
}

export function daemonOf(config: Config): Daemon {
  const endpoint = findEndpoint(config.docker_host);
  return {
    docker: connect(endpoint),
    endpoint,
    ask: (question) =>
      question.catch((error) => {
        throw new Error(unanswered(endpoint, error));
      }),
  };
}
