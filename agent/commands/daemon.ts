/** The daemon as a command meets it: found, connected, and its faults told with what can be done. */
import type Docker from 'dockerode';
import { accessHint, connect } from '../../collectors/docker/client.ts';
import type { Endpoint } from '../../collectors/docker/endpoint.ts';
import type { Config } from '../../config/schema.ts';
import { mainEndpoint } from '../endpoints.ts';
import { messageOf } from '../telemetry.ts';
import { type AgentClient, findAgent } from '../watch/client.ts';

/** A daemon that does not answer, and what can be done about it. */
export const unanswered = ({ host, origin }: Endpoint, error: unknown): string =>
  `${host} (${origin}): ${messageOf(error)}${accessHint(error)}`;

/** The daemon cannot be asked: it does not run, or not by us. */
export class Unanswered extends Error {
  override readonly name = 'Unanswered';
}

export interface Daemon {
  readonly docker: Docker;
  readonly endpoint: Endpoint;
  /** @throws {Unanswered} that names the daemon, and says what can be done, where it does not answer */
  ask<T>(question: Promise<T>): Promise<T>;
}

/**
 * What the daemon and the kernel answer, who have all of it; or, where they cannot be asked, what the running agent has.
 * @throws {Unanswered} where neither can be asked
 */
export async function daemonOrAgent<T>(
  config: Config,
  askDaemon: (daemon: Daemon) => Promise<T>,
  askAgent: (agent: AgentClient) => Promise<T>,
): Promise<T> {
  try {
    return await askDaemon(daemonOf(config));
  } catch (error) {
    const agent = error instanceof Unanswered ? await findAgent(config) : undefined;
    if (agent === undefined) throw error;
    return askAgent(agent);
  }
}

export function daemonOf(config: Config): Daemon {
  const endpoint = mainEndpoint(config);
  return {
    docker: connect(endpoint),
    endpoint,
    ask: (question) =>
      question.catch((error) => {
        throw new Unanswered(unanswered(endpoint, error));
      }),
  };
}
