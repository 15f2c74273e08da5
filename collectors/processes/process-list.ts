/**
 * Which processes a container has.
 * Source: cgroups(7).
 */
import { type Dirent, readdirSync, readlinkSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { NEWLINE } from '../shared/ascii.ts';
import { type KernelFile, kernelBuffer, readSmallFile } from '../shared/kernel-file.ts';
import { unlessFailed } from './vanishing.ts';

const CONTAINER_ID = /[0-9a-f]{64}/;
/** Links of a cgroup's directory that has no directory below it. */
const LINKS_WITHOUT_CHILDREN = 2;

/**
 * Directories of the cgroups right below one. The link count shows cheaper than a listing that there are
 * none.
 */
function childCgroups(directory: string): string[] {
  if (statSync(directory).nlink === LINKS_WITHOUT_CHILDREN) return [];
  return readdirSync(directory, { withFileTypes: true })
    .filter((entry: Dirent) => entry.isDirectory())
    .map(({ name }) => join(directory, name));
}

/**
 * Process ids in a cgroup and in all below it.
 * @throws when the cgroup has vanished
 */
export function listProcesses(directory: string): number[] {
  const pids = readSmallFile(join(directory, 'cgroup.procs')).split('\n').filter(Boolean).map(Number);
  return [...pids, ...childCgroups(directory).flatMap(listProcesses)];
}

/** A line per process. */
function countLines(bytes: Uint8Array, length: number): number {
  let count = 0;
  for (let index = 0; index < length; index++) if (bytes[index] === NEWLINE) count++;
  return count;
}

/**
 * As `listProcesses`, without a list of the cgroup's own.
 * @param procs `cgroup.procs` of the directory
 * @throws when the cgroup has vanished
 */
export function countProcesses(directory: string, procs: KernelFile): number {
  return countLines(kernelBuffer, procs.read()) + childCgroups(directory).flatMap(listProcesses).length;
}

/** Whether `procfs` shows the agent's own pid namespace. */
export const isOwnPidNamespace = (procfs: string): boolean =>
  unlessFailed(() => readlinkSync(join(procfs, 'self'))) === String(process.pid);

/**
 * Processes by container, from the cgroup file of every process. A cgroup's own list has only the processes
 * of the reader's pid namespace, and an agent in a container usually has a pid namespace to itself.
 */
export class ProcessIndex {
  private readonly procfs: string;
  private readonly pids = new Map<string, number[]>();
  /** Containers that were looked up in this round. */
  private readonly lookedUp = new Set<string>();

  constructor(procfs: string) {
    this.procfs = procfs;
  }

  /**
   * The container's processes. A second lookup of the same container begins a new round, which reads /proc
   * again.
   */
  processesOf(id: string): readonly number[] {
    if (this.lookedUp.has(id) || this.lookedUp.size === 0) this.readProcesses();
    this.lookedUp.add(id);
    return this.pids.get(id) ?? [];
  }

  private readProcesses(): void {
    this.lookedUp.clear();
    this.pids.clear();
    for (const name of readdirSync(this.procfs)) {
      const pid = Number(name);
      if (!Number.isInteger(pid)) continue;
      const path = join(this.procfs, name, 'cgroup');
      // The first id is the outermost container's: a container runtime inside a container is part of it.
      const id = CONTAINER_ID.exec(unlessFailed(() => readSmallFile(path)) ?? '')?.[0];
      if (id === undefined) continue;
      const known = this.pids.get(id);
      if (known === undefined) this.pids.set(id, [pid]);
      else known.push(pid);
    }
  }
}
