/**
 * The namespaces that a process lives in.
 * Source: namespaces(7), /proc/<pid>/ns: each link reads `type:[inode]`, and two processes share a
 * namespace when the inodes are equal.
 */
import { readlinkSync } from 'node:fs';
import { join } from 'node:path';
import { isDenied, parentOf } from '../kernel-file.ts';

export const namespaceTypes = ['pid', 'net', 'ipc', 'mnt', 'uts', 'user', 'cgroup', 'time'] as const;
export type NamespaceType = (typeof namespaceTypes)[number];

export interface Namespace {
  readonly inode: number;
  /** Whether it is the host's own; undefined when the host's cannot be seen. */
  readonly host: boolean | undefined;
}

export type Namespaces = Partial<Record<NamespaceType, Namespace>>;

function inodeOf(procfs: string, pid: number, type: NamespaceType): number {
  const link = readlinkSync(join(procfs, String(pid), 'ns', type));
  return Number(link.slice(link.indexOf('[') + 1, -1));
}

/**
 * The host's own namespaces are those of its process 1, and of the shim, the parent of each container's
 * init, which can still be seen where an agent with few capabilities is denied process 1. Undefined
 * without the privilege to see either.
 */
function hostInode(procfs: string, pid: number, type: NamespaceType): number | undefined {
  for (const reference of [() => 1, () => parentOf(procfs, pid)]) {
    try {
      return inodeOf(procfs, reference(), type);
    } catch {}
  }
  return undefined;
}

/**
 * A type that the kernel does not have is absent.
 * @throws when the process has vanished, or the privilege to look at it (CAP_SYS_PTRACE) is missing
 */
export function readNamespaces(procfs: string, pid: number): Namespaces {
  const namespaces: Namespaces = {};
  for (const type of namespaceTypes) {
    try {
      const inode = inodeOf(procfs, pid, type);
      const host = hostInode(procfs, pid, type);
      namespaces[type] = { inode, host: host === undefined ? undefined : inode === host };
    } catch (error) {
      // Old kernels lack cgroup and time namespaces; every kernel with containers has pid namespaces.
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT' || type === 'pid') throw error;
    }
  }
  return namespaces;
}

/**
 * As `readNamespaces`; none where the privilege is missing.
 * @throws when the process has vanished
 */
export function visibleNamespaces(procfs: string, pid: number): Namespaces {
  try {
    return readNamespaces(procfs, pid);
  } catch (error) {
    if (isDenied(error)) return {};
    throw error;
  }
}

/** The five that a person asks for. */
const shown = ['pid', 'net', 'ipc', 'mnt', 'uts'] as const;

/** `pid:host net:4026532184 …`: the host's own by name, any other by its inode. */
export function inShort(namespaces: Namespaces): string {
  return shown
    .filter((type) => namespaces[type] !== undefined)
    .map((type) => `${type}:${namespaces[type]!.host ? 'host' : namespaces[type]!.inode}`)
    .join(' ');
}

/** Whose a container's namespace is. */
export type Relation = 'host' | 'shared' | 'private';

/** @param sharers how many other containers have the same */
export const relationOf = ({ host }: Namespace, sharers: number): Relation =>
  host ? 'host' : sharers > 0 ? 'shared' : 'private';
