/**
 * The agent's own container, as its daemon describes it. The id that the agent finds by itself can be another's: a
 * container that has joined another's network has that one's /etc/hostname. What is its alone is the upper layer
 * of its root file system, which containerd's image store does not tell; and it has started when the agent has.
 */
import { readFileSync } from 'node:fs';
import type Docker from 'dockerode';
import type { ContainerInspectInfo } from 'dockerode';
import { isNotFound } from '../engine/client.ts';
import { ownContainerId } from '../shared/own-container.ts';

/** `container:<id>`: whose network a container has joined. */
export const joinedBy = (networkMode: string): string | undefined =>
  /^container:(.+)$/.exec(networkMode)?.[1];

/** The directory that overlayfs writes what is changed below / to, from the text of a mountinfo file. */
export function upperLayer(mountinfo: string): string | undefined {
  const root = mountinfo.split('\n').findLast((line) => line.split(' ')[4] === '/');
  return /[ ,]upperdir=([^, ]+)/.exec(root ?? '')?.[1];
}

/** Whether the container's upper layer is that one; undefined where either is not known. */
function hasLayer({ GraphDriver }: ContainerInspectInfo, layer: string | undefined): boolean | undefined {
  const { UpperDir } = (GraphDriver?.Data ?? {}) as { readonly UpperDir?: string };
  // Where its options are too long, overlayfs is given the end of the path.
  return layer === undefined || UpperDir === undefined ? undefined : UpperDir.endsWith(layer);
}

/**
 * @returns undefined where the agent runs in none, or in none of this daemon's
 * @throws when the daemon does not answer
 */
export async function findOwnContainer(
  docker: Docker,
  id = ownContainerId(),
  layer = upperLayer(readFileSync('/proc/self/mountinfo', 'utf8')),
  /** When the agent was started, ms since the epoch. */
  startedAt = Date.now() - process.uptime() * 1000,
): Promise<ContainerInspectInfo | undefined> {
  if (id === undefined) return undefined;
  const describe = (which: string) =>
    docker
      .getContainer(which)
      .inspect()
      .catch((error) => {
        if (!isNotFound(error)) throw error;
        return undefined;
      });
  const found = await describe(id);
  if (found === undefined || hasLayer(found, layer) === true) return found;
  const candidates = [found];
  for (const { Id, HostConfig } of await docker.listContainers()) {
    const whose = joinedBy(HostConfig.NetworkMode);
    const joined = whose === found.Id || whose === found.Name.slice(1) ? await describe(Id) : undefined;
    if (joined !== undefined) candidates.push(joined);
  }
  const own = candidates.find((candidate) => hasLayer(candidate, layer) === true);
  if (own !== undefined) return own;
  const apart = ({ State }: ContainerInspectInfo) => Math.abs(Date.parse(State.StartedAt) - startedAt);
  return candidates
    .filter((candidate) => hasLayer(candidate, layer) === undefined)
    .sort((one, other) => apart(one) - apart(other))[0];
}
