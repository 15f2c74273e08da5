/** Connects commands to the daemon: requests, the agent's scope, and errors with a hint. */

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

/** The message of a failed request: which daemon, why, and what to do. */
export const unavailableMessage = ({ host, origin }: DaemonEndpoint, error: unknown): string =>
  `${host} (${origin}): ${errorMessage(error)}${accessHint(error)}`;

/** The daemon does not answer, denies access, or is not configured. */
export class DaemonUnavailable extends Error {
  override readonly name = 'DaemonUnavailable';
}

export interface Daemon {
  readonly docker: Docker;
  readonly endpoint: DaemonEndpoint;
  /** Awaits the response to a request. @throws {DaemonUnavailable} when the request fails */
  request<T>(response: Promise<T>): Promise<T>;
  /** @throws {DaemonUnavailable} as `request`, or {ConfigError} when the scope cannot be resolved */
  scope(): Promise<AgentScope>;
  /** The running containers of the scope, newest first. @throws as `scope` */
  runningContainers(): Promise<ContainerInspectInfo[]>;
}

/**
 * Gets data from the daemon, which knows every container. If the daemon is not available, gets it from a running agent.
 * @throws {DaemonUnavailable} when neither answers
 */
export async function daemonOrAgent<T>(
  config: Config,
  fromDaemon: (daemon: Daemon) => Promise<T>,
  fromAgent: (agent: AgentClient) => Promise<T>,
): Promise<T> {
  try {
    return await fromDaemon(daemonOf(config));
  } catch (error) {
    const agent = error instanceof DaemonUnavailable ? await findAgent(config) : undefined;
    if (agent === undefined) throw error;
    return fromAgent(agent);
  }
}

/** @throws {DaemonUnavailable} when `docker_host` is `none` */
export function daemonOf(config: Config): Daemon {
  const endpoint = mainEndpoint(config);
  if (isNoDaemon(endpoint))
    throw new DaemonUnavailable(
      `docker_host is none, and no running agent answers at ${config.listen.host}:${config.listen.port}`,
    );
  const docker = connectToDaemon(endpoint);
  const request = <T>(response: Promise<T>) =>
    response.catch((error) => {
      throw new DaemonUnavailable(unavailableMessage(endpoint, error));
    });
  let resolved: Promise<AgentScope> | undefined;
  const scope = async () => {
    if (config.scope !== 'host') await request(docker.version());
    resolved ??= resolveScope(config.scope, docker, endpoint.host);
    return resolved;
  };
  return {
    docker,
    endpoint,
    request,
    scope,
    async runningContainers() {
      const { includes } = await scope();
      const all = await request(inspectRunningContainers(docker));
      const wanted = await Promise.all(all.map((inspect) => includes(fromInspect(inspect, undefined, {}))));
      return all.filter((_, index) => wanted[index]);
    },
  };
}
