/** The daemon as commands use it: its connection, its scope, and errors with a hint. */

import type Docker from 'dockerode';
import type { ContainerInspectInfo } from 'dockerode';
import { accessHint, connectToDaemon, inspectRunningContainers } from '../../../collectors/engine/client.ts';
import { type DaemonEndpoint, isNoDaemon } from '../../../collectors/engine/daemon-endpoint.ts';
import { fromInspect } from '../../../collectors/lifecycle/identity.ts';
import { errorMessage } from '../../../collectors/shared/error-message.ts';
import type { Config } from '../../../config/schema.ts';
import { mainEndpoint } from '../../targets/endpoints.ts';
import { type AgentScope, resolveScope } from '../../targets/scope.ts';
import { type AgentClient, findAgent } from './agent-client.ts';

/** The message for a daemon that does not answer, with a hint. */
export const unanswered = ({ host, origin }: DaemonEndpoint, error: unknown): string =>
  `${host} (${origin}): ${errorMessage(error)}${accessHint(error)}`;

/** The daemon does not answer, or access to it is denied. */
export class Unanswered extends Error {
  override readonly name = 'Unanswered';
}

export interface Daemon {
  readonly docker: Docker;
  readonly endpoint: DaemonEndpoint;
  /** Waits for a request to the daemon. @throws {Unanswered} with a hint, if it fails */
  ask<T>(question: Promise<T>): Promise<T>;
  /** @throws as `ask`, and {ConfigError} if the scope cannot be resolved */
  scope(): Promise<AgentScope>;
  /**
   * The running containers of the scope, newest first.
   * @throws as `scope`
   */
  running(): Promise<ContainerInspectInfo[]>;
}

/**
 * Queries the daemon and the kernel, which have all data; without access to them, a running agent.
 * @throws {Unanswered} if neither answers
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

/** @throws {Unanswered} if docker_host is none */
export function daemonOf(config: Config): Daemon {
  const endpoint = mainEndpoint(config);
  if (isNoDaemon(endpoint))
    throw new Unanswered(
      `docker_host is none, and no running agent answers at ${config.listen.host}:${config.listen.port}`,
    );
  const docker = connectToDaemon(endpoint);
  const ask = <T>(question: Promise<T>) =>
    question.catch((error) => {
      throw new Unanswered(unanswered(endpoint, error));
    });
  let found: Promise<AgentScope> | undefined;
  const scope = async () => {
    if (config.scope !== 'host') await ask(docker.version());
    found ??= resolveScope(config.scope, docker, endpoint.host);
    return found;
  };
  return {
    docker,
    endpoint,
    ask,
    scope,
    async running() {
      const { includes: selects } = await scope();
      const all = await ask(inspectRunningContainers(docker));
      const wanted = await Promise.all(all.map((inspect) => selects(fromInspect(inspect, undefined, {}))));
      return all.filter((_, index) => wanted[index]);
    },
  };
}
