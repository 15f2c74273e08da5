/** Namespaces of containers: who is in which, and with whom. */
import type { ContainerNamespace, NamespaceMap } from './api.ts';
import type { NamespaceMembership } from './data-sources.ts';

/** A container as others refer to it. */
interface ContainerReference {
  readonly id: string;
  readonly name: string;
}

type Memberships = ReadonlyMap<string, readonly NamespaceMembership[]>;

export const compareNames = (a: { readonly name: string }, b: { readonly name: string }): number =>
  a.name < b.name ? -1 : 1;

/**
 * Every namespace with its members.
 * @param memberships by container id
 */
export function namespaceMap(memberships: Memberships, nameOf: (id: string) => string): NamespaceMap {
  const found = new Map<
    string,
    { type: string; inode: number; isHost: boolean; members: ContainerReference[] }
  >();
  for (const [id, all] of memberships) {
    const name = nameOf(id);
    for (const { type, inode, host } of all) {
      const key = `${type} ${inode}`;
      const entry = found.get(key) ?? { type, inode, isHost: host === true, members: [] };
      found.set(key, entry);
      entry.members.push({ id, name });
    }
  }
  const namespaces = [...found.values()];
  for (const { members } of namespaces) members.sort(compareNames);
  return { namespaces };
}

/**
 * The namespaces of one container, each with the other containers in it.
 * @param memberships by container id
 */
export function containerNamespaces(
  id: string,
  memberships: Memberships,
  nameOf: (id: string) => string,
): ContainerNamespace[] {
  return (memberships.get(id) ?? []).map(({ type, inode, host }) => {
    const sharedWith = [...memberships]
      .filter(
        ([otherId, others]) =>
          otherId !== id && others.some((other) => other.type === type && other.inode === inode),
      )
      .map(([otherId]) => ({ id: otherId, name: nameOf(otherId) }))
      .sort(compareNames);
    const relation = host ? 'host' : sharedWith.length > 0 ? 'shared' : 'private';
    return { type, inode, relation, sharedWith };
  });
}
