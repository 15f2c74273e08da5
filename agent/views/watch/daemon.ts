/** The daemon as a command meets it: found, connected, and its faults told with what can be done. */

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

/** A daemon that does not answer, and what can be done about it. */
export const unanswered = ({ host, origin }: DaemonEndpoint, error: unknown): string =>
  `${host} (${origin}): ${errorMessage(error)}${accessHint(error)}`;

/** The daemon cannot be asked: it does not run, or not by us. */
export class Unanswered extends Error {
  override readonly name = 'Unanswered';
}

export interface Daemon {
  readonly docker: Docker;
  readonly endpoint: DaemonEndpoint;
  /** @throws {Unanswered} that names the daemon, and says what can be done, where it does not answer */
  ask<T>(question: Promise<T>): Promise<T>;
  /** @throws as `ask`, and {ConfigError} where the scope cannot be had */
  scope(): Promise<AgentScope>;
  /**
   * The running containers of the scope, newest first.
   * @throws as `scope`
   */
  running(): Promise<ContainerInspectInfo[]>;
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

/** @throws {Unanswered} where no daemon is to be asked */
export function daemonOf(config: Config): Daemon {
  const endpoint = mainEndpoint(config);
  if (isNoDaemon(endpoint))
    throw new Unanswered(
      `docker_host is none: only a running agent can be asked, and none answers at ${config.listen.host}:${config.listen.port}`,
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
