/**
 * The scope of an agent that runs in a container beside others: not the host, but its own Compose project, the
 * containers on its network, or those that a label of its own container selects.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type Docker from 'dockerode';
import { findOwnContainer, joinedBy } from '../../collectors/docker/own-container-lookup.ts';
import { connectToDaemon, isNotFound } from '../../collectors/engine/client.ts';
import type { DaemonEndpoint } from '../../collectors/engine/daemon-endpoint.ts';
import type { Container } from '../../collectors/records/records.ts';
import { CONTAINER_SELECTOR, compileContainerFilter } from '../../collectors/shared/container-filter.ts';
import { ownContainerId } from '../../collectors/shared/own-container.ts';
import { ConfigError } from '../../config/load.ts';
import type { ScopeName } from '../../config/option.ts';

/** The label of the agent's own container that has the rules of the scope `self`. */
const SCOPE_LABEL = 'portlight.scope';
/** Labels that name the Compose project or the Swarm stack of a container, network or volume. */
const PROJECT_LABELS = ['com.docker.compose.project', 'com.docker.stack.namespace'];

/** How long the agent waits at start for a daemon that does not answer yet. */
const MAX_WAIT_MS = 30_000;
const RETRY_MS = 1000;

type Labels = Readonly<Record<string, string>>;

export interface AgentScope {
  /** Whether the host's metrics, images, and all networks and volumes are reported too. */
  readonly isHost: boolean;
  /** The container that the agent runs in; undefined outside of containers. */
  readonly ownId: string | undefined;
  includes(container: Container): boolean | Promise<boolean>;
  /** Whether a network or a volume with these labels is reported. */
  ownsLabels(labels: Labels): boolean;
}

const scopeError = (scope: ScopeName, problem: string, expected: string): ConfigError =>
  new ConfigError([`scope: "${scope}" is not possible: ${problem}; expected ${expected}`]);

/** Everything on the host. */
const hostScope = (): AgentScope => ({
  isHost: true,
  ownId: ownContainerId(),
  includes: () => true,
  ownsLabels: () => true,
});

function projectScope(ownId: string, labels: Labels): AgentScope {
  const key = PROJECT_LABELS.find((label) => labels[label]);
  if (key === undefined)
    throw scopeError(
      'project',
      `the agent's own container ${ownId.slice(0, 12)} belongs to no Compose project and no Swarm stack`,
      `the label ${PROJECT_LABELS.join(' or ')}, as Compose and docker stack set it`,
    );
  const isOwnProject = (other: Labels) => other[key] === labels[key];
  return {
    isHost: false,
    ownId,
    includes: (container) => isOwnProject(container.labels),
    ownsLabels: isOwnProject,
  };
}

/** Containers in the agent's own network namespace, whichever of them joined the others. */
async function podScope(ownId: string, mode: string, docker: Docker): Promise<AgentScope> {
  /** The id of the container that owns the network namespace, or `host`. */
  const networkOf = async (id: string, mode: string): Promise<string> => {
    const owner = joinedBy(mode);
    if (owner === undefined) return mode === 'host' ? mode : id;
    try {
      const { Id, HostConfig } = await docker.getContainer(owner).inspect();
      return await networkOf(Id, HostConfig.NetworkMode ?? '');
    } catch (error) {
      if (!isNotFound(error)) throw error;
      return owner;
    }
  };
  const network = await networkOf(ownId, mode);
  return {
    isHost: false,
    ownId,
    includes({ id, networkMode }) {
      // A container that was removed before it was inspected has no known network.
      if (networkMode === '') return false;
      return networkOf(id, networkMode).then((other) => other === network);
    },
    ownsLabels: () => false,
  };
}

function selfScope(ownId: string, labels: Labels): AgentScope {
  const text = labels[SCOPE_LABEL];
  const expected = 'rules separated by commas: name=…, image=… or label=…, with * as wildcard';
  if (text === undefined)
    throw scopeError(
      'self',
      `the agent's own container ${ownId.slice(0, 12)} has no label ${SCOPE_LABEL}`,
      `it to have ${expected}`,
    );
  const rules = text.split(',').map((rule) => rule.trim());
  const wrong = rules.find((rule) => !CONTAINER_SELECTOR.test(rule));
  if (wrong !== undefined)
    throw scopeError('self', `its label ${SCOPE_LABEL} has "${wrong}", which is no rule`, expected);
  return {
    isHost: false,
    ownId,
    includes: compileContainerFilter(rules, []),
    ownsLabels: () => false,
  };
}

/** The scope of an agent. @throws as `resolveScope` */
export const connectScope = (
  endpoint: DaemonEndpoint,
  name: ScopeName,
  onWait: (message: string) => void,
): Promise<AgentScope> | AgentScope =>
  name === 'host' ? hostScope() : resolveScope(name, connectToDaemon(endpoint), endpoint.host, onWait);

/** The agent's own container. A proxy in the same project, through which the daemon is reached, can start after it. */
async function inspectOwnContainer(
  docker: Docker,
  where: string,
  onWait: (message: string) => void,
  maxWaitMs: number,
): ReturnType<typeof findOwnContainer> {
  let hasWarned = false;
  for (const end = Date.now() + maxWaitMs; ; await sleep(RETRY_MS)) {
    try {
      return await findOwnContainer(docker);
    } catch (error) {
      const message = `scope: cannot inspect the agent's own container: ${where} does not answer: ${(error as Error).message}`;
      if (Date.now() > end) throw new Error(message);
      if (!hasWarned) onWait(message);
      hasWarned = true;
    }
  }
}

/**
 * @param name as it was configured
 * @param where the daemon is, for messages
 * @param onWait called once, when the daemon does not answer yet
 * @throws {ConfigError} when the agent runs in no container of this daemon, or its container does not define the scope;
 *   {Error} when the daemon does not answer
 */
export async function resolveScope(
  name: ScopeName,
  docker: Docker,
  where: string,
  onWait: (message: string) => void = () => {},
  maxWaitMs = MAX_WAIT_MS,
): Promise<AgentScope> {
  if (name === 'host') return hostScope();
  if (ownContainerId() === undefined)
    throw scopeError(
      name,
      'the agent runs in no container',
      'scope host, or the agent in a container beside those that it observes',
    );
  const own = await inspectOwnContainer(docker, where, onWait, maxWaitMs);
  if (own === undefined)
    throw scopeError(
      name,
      `the daemon at ${where} does not have the container that the agent runs in`,
      'docker_host to name the daemon that runs it, or scope host',
    );
  const labels = own.Config.Labels ?? {};
  if (name === 'project') return projectScope(own.Id, labels);
  if (name === 'self') return selfScope(own.Id, labels);
  return podScope(own.Id, own.HostConfig.NetworkMode ?? '', docker);
}
