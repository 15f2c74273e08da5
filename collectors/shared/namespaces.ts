/**
 * The namespaces of a process.
 * Source: namespaces(7), /proc/<pid>/ns: each link is `type:[inode]`, and two processes share a namespace
 * when the inodes are equal.
 */
import { readFileSync, readlinkSync } from 'node:fs';
import { join } from 'node:path';
import { isInAnyContainer } from './cgroup-location.ts';
import { isDenied, readParentPid } from './kernel-file.ts';

export const namespaceTypes = ['pid', 'net', 'ipc', 'mnt', 'uts', 'user', 'cgroup', 'time'] as const;
export type NamespaceType = (typeof namespaceTypes)[number];

export interface Namespace {
  readonly inode: number;
  /** Whether it is the host's own; undefined when the host's namespaces are not visible. */
  readonly host: boolean | undefined;
}

export type Namespaces = Partial<Record<NamespaceType, Namespace>>;

function inodeOf(procfs: string, pid: number, type: NamespaceType): number {
  const link = readlinkSync(join(procfs, String(pid), 'ns', type));
  return Number(link.slice(link.indexOf('[') + 1, -1));
}

/**
 * Processes in the host's own namespaces: process 1, and the shim, which is the parent of a container's init.
 * An agent with few capabilities may read the shim and not process 1. In a container's pid namespace, process
 * 1 is the container's.
 */
function hostProcesses(procfs: string, pid: number): number[] {
  const parent = readParentPid(procfs, pid);
  return [...(isContainerProcfs(procfs) ? [] : [1]), ...(parent === 0 ? [] : [parent])];
}

/** Whether /proc is that of a container's pid namespace: its process 1 runs in a container. */
function isContainerProcfs(procfs: string): boolean {
  try {
    return isInAnyContainer(readFileSync(join(procfs, '1/cgroup'), 'utf8'));
  } catch {
    return false;
  }
}

/** Undefined without the privilege to read any of the host's processes. */
function hostInode(procfs: string, host: readonly number[], type: NamespaceType): number | undefined {
  for (const pid of host) {
    try {
      return inodeOf(procfs, pid, type);
    } catch {}
  }
  return undefined;
}

/**
 * Reads the namespaces of a process. A type that the kernel does not have is absent.
 * @throws when the process has vanished, or the privilege to read it (CAP_SYS_PTRACE) is missing
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
 * As `readNamespaces`, but empty where the privilege is missing.
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

/** The types that people ask for. */
const SHORT_TYPES = ['pid', 'net', 'ipc', 'mnt', 'uts'] as const;

/** `pid:host net:4026532184 …`: the host's own as `host`, any other by its inode. */
export function formatNamespaces(namespaces: Namespaces): string {
  return SHORT_TYPES.filter((type) => namespaces[type] !== undefined)
    .map((type) => `${type}:${namespaces[type]!.host ? 'host' : namespaces[type]!.inode}`)
    .join(' ');
}

/** Who else is in a container's namespace. */
export type Relation = 'host' | 'shared' | 'private';

/** @param sharers number of other containers in the namespace */
export const relationOf = ({ host }: Namespace, sharers: number): Relation =>
  host ? 'host' : sharers > 0 ? 'shared' : 'private';
