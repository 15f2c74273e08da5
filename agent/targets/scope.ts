/**
 * What an agent is for that runs beside containers, as one of them: not the host, but its own Compose project, the
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

/** The label that `self` heeds. */
export const SCOPE_LABEL = 'portlight.scope';
/** By these, containers, networks and volumes are said to be of one Compose project or Swarm stack. */
const PROJECTS = ['com.docker.compose.project', 'com.docker.stack.namespace'];

/** How long a daemon that does not answer yet is waited for at start. */
const PATIENCE_MS = 30_000;
const AGAIN_MS = 1000;

type Labels = Readonly<Record<string, string>>;

export interface AgentScope {
  /** Whether what is no container's is told too: the host's figures, images, all networks and volumes. */
  readonly isHost: boolean;
  /** The container that the agent runs in, if it does. */
  readonly ownId: string | undefined;
  includes(container: Container): boolean | Promise<boolean>;
  /** Whether a network or a volume with these labels is told of. */
  ownsLabels(labels: Labels): boolean;
}

const refuse = (scope: ScopeName, wrong: string, right: string): ConfigError =>
  new ConfigError([`scope: "${scope}" cannot be had: ${wrong}; expected ${right}`]);

/** Everything. */
export const hostScope = (): AgentScope => ({
  isHost: true,
  ownId: ownContainerId(),
  includes: () => true,
  ownsLabels: () => true,
});

function projectScope(ownId: string, labels: Labels): AgentScope {
  const key = PROJECTS.find((label) => labels[label]);
  if (key === undefined)
    throw refuse(
      'project',
      `the agent's own container ${ownId.slice(0, 12)} is of no Compose project and no Swarm stack`,
      `it to bear the label ${PROJECTS.join(' or ')}, as Compose and docker stack set it`,
    );
  const isOurs = (other: Labels) => other[key] === labels[key];
  return { isHost: false, ownId, includes: (container) => isOurs(container.labels), ownsLabels: isOurs };
}

/** Those whose network namespace is the agent's own, whoever has joined whom. */
async function podScope(ownId: string, mode: string, docker: Docker): Promise<AgentScope> {
  /** The container whose network it is in the end, or `host`. */
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
      // Of one that was gone before it was described, nobody knows whose network it was on.
      if (networkMode === '') return false;
      return networkOf(id, networkMode).then((its) => its === network);
    },
    ownsLabels: () => false,
  };
}

function selfScope(ownId: string, labels: Labels): AgentScope {
  const text = labels[SCOPE_LABEL];
  const right = 'rules with commas: name=…, image=… or label=…, with * as wildcard';
  if (text === undefined)
    throw refuse(
      'self',
      `the agent's own container ${ownId.slice(0, 12)} has no label ${SCOPE_LABEL}`,
      `it to hold ${right}`,
    );
  const rules = text.split(',').map((rule) => rule.trim());
  const wrong = rules.find((rule) => !CONTAINER_SELECTOR.test(rule));
  if (wrong !== undefined)
    throw refuse('self', `its label ${SCOPE_LABEL} has "${wrong}", which is no rule`, right);
  return {
    isHost: false,
    ownId,
    includes: compileContainerFilter(rules, []),
    ownsLabels: () => false,
  };
}

/** The scope of an agent. @throws as `scopeOf` */
export const connectScope = (
  endpoint: DaemonEndpoint,
  name: ScopeName,
  onWait: (message: string) => void,
): Promise<AgentScope> | AgentScope =>
  name === 'host' ? hostScope() : resolveScope(name, connectToDaemon(endpoint), endpoint.host, onWait);

/**
 * @param name as it was configured
 * @param where the daemon is, for messages
 * @param onWait told once, when the daemon does not answer yet
 * @throws {ConfigError} when the agent runs in no container of this daemon's, or its container does not say what is
 *   to be observed; {Error} when the daemon does not answer
 */
export async function resolveScope(
  name: ScopeName,
  docker: Docker,
  where: string,
  onWait: (message: string) => void = () => {},
  patience = PATIENCE_MS,
): Promise<AgentScope> {
  if (name === 'host') return hostScope();
  const right = 'host, or the agent in a container beside those that it is for';
  if (ownContainerId() === undefined) throw refuse(name, 'the agent runs in no container', right);
  let own: Awaited<ReturnType<typeof findOwnContainer>>;
  // What the agent asks through, such as a proxy in the same project, may come up after it.
  for (const end = Date.now() + patience; ; await sleep(AGAIN_MS)) {
    try {
      own = await findOwnContainer(docker);
      break;
    } catch (error) {
      const message = `scope: ${where} does not answer, and is to say what the agent's own container is: ${(error as Error).message}`;
      if (Date.now() > end) throw new Error(message);
      onWait(message);
      onWait = () => {};
    }
  }
  if (own === undefined)
    throw refuse(
      name,
      `the daemon at ${where} does not have the container that the agent runs in`,
      'docker_host to name the daemon that runs it, or scope host',
    );
  const labels = own.Config.Labels ?? {};
  if (name === 'project') return projectScope(own.Id, labels);
  if (name === 'self') return selfScope(own.Id, labels);
  return podScope(own.Id, own.HostConfig.NetworkMode ?? '', docker);
}
