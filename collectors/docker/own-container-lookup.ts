/**
 * Finds the agent's own container. The id that the agent reads from its files can be another container's: a container
 * that joined another's network has that one's /etc/hostname. The upper layer of the root file system is unique, but
 * containerd's image store does not show it. Then the container that started when the agent did is the best match.
 */
import { readFileSync } from 'node:fs';
import type Docker from 'dockerode';
import type { ContainerInspectInfo } from 'dockerode';
import { isNotFound } from '../engine/client.ts';
import { ownContainerId } from '../shared/own-container.ts';

/** The container whose network a container joined: `container:<id>` → `<id>`. */
export const joinedBy = (networkMode: string): string | undefined =>
  /^container:(.+)$/.exec(networkMode)?.[1];

/** The directory to which overlayfs writes changes below /, from the text of a mountinfo file. */
export function upperLayer(mountinfo: string): string | undefined {
  const root = mountinfo.split('\n').findLast((line) => line.split(' ')[4] === '/');
  return /[ ,]upperdir=([^, ]+)/.exec(root ?? '')?.[1];
}

/** Whether the container has that upper layer; undefined if either is unknown. */
function hasLayer({ GraphDriver }: ContainerInspectInfo, layer: string | undefined): boolean | undefined {
  const { UpperDir } = (GraphDriver?.Data ?? {}) as { readonly UpperDir?: string };
  // If the mount options are too long, overlayfs gets only the end of the path.
  return layer === undefined || UpperDir === undefined ? undefined : UpperDir.endsWith(layer);
}

/**
 * @returns undefined if the agent runs in no container of this daemon
 * @throws when the daemon does not answer
 */
export async function findOwnContainer(
  docker: Docker,
  id = ownContainerId(),
  layer = upperLayer(readFileSync('/proc/self/mountinfo', 'utf8')),
  /** When the agent started, ms since the epoch. */
  startedAt = Date.now() - process.uptime() * 1000,
): Promise<ContainerInspectInfo | undefined> {
  if (id === undefined) return undefined;
  const inspect = (which: string) =>
    docker
      .getContainer(which)
      .inspect()
      .catch((error) => {
        if (!isNotFound(error)) throw error;
        return undefined;
      });
  const found = await inspect(id);
  if (found === undefined || hasLayer(found, layer) === true) return found;
  const candidates = [found];
  for (const { Id, HostConfig } of await docker.listContainers()) {
    const whose = joinedBy(HostConfig.NetworkMode);
    const joined = whose === found.Id || whose === found.Name.slice(1) ? await inspect(Id) : undefined;
    if (joined !== undefined) candidates.push(joined);
  }
  const own = candidates.find((candidate) => hasLayer(candidate, layer) === true);
  if (own !== undefined) return own;
  const startDistance = ({ State }: ContainerInspectInfo) =>
    Math.abs(Date.parse(State.StartedAt) - startedAt);
  return candidates
    .filter((candidate) => hasLayer(candidate, layer) === undefined)
    .sort((one, other) => startDistance(one) - startDistance(other))[0];
}
