/**
 * The namespaces that a process lives in.
 * Source: namespaces(7), /proc/<pid>/ns: each link reads `type:[inode]`, and two processes share a
 * namespace when the inodes are equal.
 */
import { readFileSync, readlinkSync } from 'node:fs';
import { join } from 'node:path';
import { isInAnyContainer } from './cgroup-location.ts';
import { isDenied, readParentPid } from './kernel-file.ts';

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
 * Processes that live in the host's own namespaces, as far as they can be seen: its process 1, and the shim, the
 * parent of each container's init, which can still be seen where an agent with few capabilities is denied
 * process 1. Where a pid namespace is shared, process 1 is a container's.
 */
function hostProcesses(procfs: string, pid: number): number[] {
  const parent = readParentPid(procfs, pid);
  return [...(isShared(procfs) ? [] : [1]), ...(parent === 0 ? [] : [parent])];
}

/** Whether /proc is that of a container's pid namespace, which others share: its process 1 is a container's. */
function isShared(procfs: string): boolean {
  try {
    return isInAnyContainer(readFileSync(join(procfs, '1/cgroup'), 'utf8'));
  } catch {
    return false;
  }
}

/** Undefined without the privilege to see any of the host's processes. */
function hostInode(procfs: string, host: readonly number[], type: NamespaceType): number | undefined {
  for (const pid of host) {
    try {
      return inodeOf(procfs, pid, type);
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
  const host = hostProcesses(procfs, pid);
  for (const type of namespaceTypes) {
    try {
      const inode = inodeOf(procfs, pid, type);
      const hosts = hostInode(procfs, host, type);
      namespaces[type] = { inode, host: hosts === undefined ? undefined : inode === hosts };
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
export function readVisibleNamespaces(procfs: string, pid: number): Namespaces {
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
export function formatNamespaces(namespaces: Namespaces): string {
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
