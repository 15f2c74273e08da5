/**
 * The agent's own container, as its daemon describes it. The id that the agent finds by itself can be another's: a
 * container that has joined another's network has that one's /etc/hostname. What is its alone is the upper layer
 * of its root file system.
 */
import { readFileSync } from 'node:fs';
import type Docker from 'dockerode';
import type { ContainerInspectInfo } from 'dockerode';
import { ownContainerId } from '../host/own-container.ts';
import { isNotFound } from './client.ts';

/** `container:<id>`: whose network a container has joined. */
export const joinedBy = (networkMode: string): string | undefined =>
  /^container:(.+)$/.exec(networkMode)?.[1];

/** The directory that overlayfs writes what is changed below / to, from the text of a mountinfo file. */
export function upperLayer(mountinfo: string): string | undefined {
  const root = mountinfo.split('\n').findLast((line) => line.split(' ')[4] === '/');
  return /[ ,]upperdir=([^, ]+)/.exec(root ?? '')?.[1];
}

/** Whether the container's upper layer is that one; also where either is not known. */
function hasLayer({ GraphDriver }: ContainerInspectInfo, layer: string | undefined): boolean {
  const { UpperDir } = (GraphDriver?.Data ?? {}) as { readonly UpperDir?: string };
  // Where its options are too long, overlayfs is given the end of the path.
  return layer === undefined || UpperDir === undefined || UpperDir.endsWith(layer);
}

/**
 * @returns undefined where the agent runs in none, or in none of this daemon's
 * @throws when the daemon does not answer
 */
export async function ownContainer(
  docker: Docker,
  id = ownContainerId(),
  layer = upperLayer(readFileSync('/proc/self/mountinfo', 'utf8')),
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
  if (found === undefined || hasLayer(found, layer)) return found;
  for (const { Id, HostConfig } of await docker.listContainers()) {
    const joined = joinedBy(HostConfig.NetworkMode) === undefined ? undefined : await describe(Id);
    if (joined !== undefined && hasLayer(joined, layer)) return joined;
  }
  return undefined;
}
