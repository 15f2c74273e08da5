/**
 * The container's processes: those of its cgroup and of whatever cgroups lie below it. Descriptors and
 * states cost a look at every process, and are counted only when they are asked for.
 * Source: cgroups(7), proc_pid_stat(5), proc_pid_fd(5).
 */
import { type Dirent, readdirSync, readlinkSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { catalogue } from './catalogue/index.ts';
import { processes } from './catalogue/process.ts';
import type { Collector } from './records/collector.ts';
import type { Attributes, Container, Metric, PointSink } from './records/records.ts';
import { type Hierarchies, locateCgroups, readHierarchies } from './shared/cgroup-location.ts';
import {
  descriptorLimit,
  isDenied,
  isGone,
  KernelFile,
  kernelBuffer,
  readSmallFile,
} from './shared/kernel-file.ts';

const NEWLINE = 0x0a;
const FEW_DESCRIPTORS = 16;

/** Any hierarchy knows the processes; the first that a container has is asked. */
const CONTROLLERS = ['pids', 'memory', 'cpu', 'unified'];

/** States of proc_pid_stat(5), in words. */
const STATES: Readonly<Record<string, string>> = {
  R: 'running',
  S: 'sleeping',
  D: 'uninterruptible',
  T: 'stopped',
  t: 'stopped',
  Z: 'zombie',
  I: 'idle',
};
const stateAttributes = new Map<string, Attributes>(
  [...new Set(Object.values(STATES))].map((state) => [state, { 'process.state': state }]),
);

/** Links of a cgroup's directory that has no directory below it. */
const NO_CHILDREN = 2;

/** Directories of the cgroups right below one. The link count, which is cheaper, tells when there are none. */
function below(directory: string): string[] {
  if (statSync(directory).nlink === NO_CHILDREN) return [];
  return readdirSync(directory, { withFileTypes: true })
    .filter((entry: Dirent) => entry.isDirectory())
    .map(({ name }) => join(directory, name));
}

/**
 * Process ids in a cgroup and all below it.
 * @throws when the cgroup has vanished
 */
export function processesOf(directory: string): number[] {
  const pids = readSmallFile(join(directory, 'cgroup.procs')).split('\n').filter(Boolean).map(Number);
  return [...pids, ...below(directory).flatMap(processesOf)];
}

/** From Linux 6.2 on the size of the directory is their number (proc_pid_fd(5)), for everybody to see. */
let isTold: boolean | undefined;

/** @throws when the process has vanished, or the privilege to look at it (CAP_DAC_READ_SEARCH) is missing */
export function countDescriptors(procfs: string, pid: number): number {
  const directory = join(procfs, String(pid), 'fd');
  isTold ??= statSync('/proc/self/fd').size > 0;
  return isTold ? statSync(directory).size : readdirSync(directory).length;
}

/**
 * Descriptors that are sockets.
 * @throws as `countDescriptors`; CAP_SYS_PTRACE is needed too
 */
export function countSockets(procfs: string, pid: number): number {
  const directory = join(procfs, String(pid), 'fd');
  return readdirSync(directory).filter((name) =>
    unlessGone(() => readlinkSync(join(directory, name)))?.startsWith('socket:'),
  ).length;
}

const CONTAINER_ID = /[0-9a-f]{64}/;

/**
 * Processes by container, from each process's own file: a cgroup's list has only those that are in the reader's pid
 * namespace, which an agent in a container shares with nobody.
 */
class ProcessesOfHost {
  private readonly procfs: string;
  private readonly pids = new Map<string, number[]>();
  private readonly asked = new Set<string>();

  constructor(procfs: string) {
    this.procfs = procfs;
  }

  /** Looks at all processes when a container asks again: once a round. */
  of(id: string): readonly number[] {
    if (this.asked.has(id) || this.asked.size === 0) this.look();
    this.asked.add(id);
    return this.pids.get(id) ?? [];
  }

  private look(): void {
    this.asked.clear();
    this.pids.clear();
    for (const name of readdirSync(this.procfs)) {
      const pid = Number(name);
      if (!Number.isInteger(pid)) continue;
      const path = join(this.procfs, name, 'cgroup');
      // The first id is that of the outermost container: what runs containers inside one is part of it.
      const id = CONTAINER_ID.exec(attempt(() => readSmallFile(path)) ?? '')?.[0];
      if (id === undefined) continue;
      const known = this.pids.get(id);
      if (known === undefined) this.pids.set(id, [pid]);
      else known.push(pid);
    }
  }
}

/** Whether a /proc is that of our own pid namespace. */
const isOwn = (procfs: string): boolean =>
  attempt(() => readlinkSync(join(procfs, 'self'))) === String(process.pid);

/** A line a process. */
function countLines(bytes: Uint8Array, length: number): number {
  let count = 0;
  for (let index = 0; index < length; index++) if (bytes[index] === NEWLINE) count++;
  return count;
}

interface Watched {
  readonly id: string;
  readonly directory: string;
  readonly procs: KernelFile;
  rounds: number;
  /** Whether anything has happened in it since its processes were looked into. */
  isStirred: boolean;
  /** Processes in the last round. */
  count: number | undefined;
  /** Highest share of its limit of descriptors that a process had open when that was last looked at. */
  utilization: number | undefined;
}

/** A container in which nothing happens is looked at in every so manieth round all the same. */
const LOOK_EVERY = 6;

export class ProcessCollector implements Collector {
  readonly name = 'processes';
  private readonly procfs: string;
  private readonly enabled: ReadonlySet<Metric>;
  private readonly every: number;
  private readonly isStill: (container: Container) => boolean;
  /** Whether any of the metrics is wanted. */
  private readonly counts: boolean;
  /** Whether each process has to be looked at. */
  private readonly looksInside: boolean;
  private hierarchies: Hierarchies | undefined;
  private readonly watched = new Map<string, Watched>();
  /** Where cgroups do not tell all processes. */
  private readonly ofHost: ProcessesOfHost | undefined;

  /**
   * @param every in which rounds descriptors are counted
   * @param isStill whether nothing has happened in a container for two rounds
   */
  constructor(
    procfs: string,
    enabled: ReadonlySet<Metric>,
    every = LOOK_EVERY,
    isStill: (container: Container) => boolean = () => false,
  ) {
    this.every = every;
    this.isStill = isStill;
    this.procfs = procfs;
    this.ofHost = isOwn(procfs) ? undefined : new ProcessesOfHost(procfs);
    this.enabled = enabled;
    this.counts = Object.values(processes).some((metric) => enabled.has(metric));
    this.looksInside = [catalogue.openDescriptors, catalogue.openSockets, catalogue.taskStates].some(
      (metric) => enabled.has(metric),
    );
  }

  attachContainer(container: Container): void {
    this.detachContainer(container);
    if (container.pid === 0 || !this.counts) return;
    this.hierarchies ??= readHierarchies(this.procfs);
    const located = locateCgroups(this.procfs, this.hierarchies, container.pid, container.id, CONTROLLERS);
    const directory = CONTROLLERS.map((controller) => located.get(controller)).find(
      (found) => found !== undefined,
    );
    if (directory === undefined) return;
    // cgroup v1 keeps the list that a descriptor has read for a second after each read: read more often
    // than that, an open one would show the same processes for ever.
    const procs = KernelFile.openedForEachRead(join(directory.path, 'cgroup.procs'));
    this.watched.set(container.id, {
      id: container.id,
      directory: directory.path,
      procs,
      rounds: 0,
      isStirred: true,
      count: undefined,
      utilization: undefined,
    });
  }

  detachContainer(container: Container): void {
    this.watched.delete(container.id);
  }

  collectContainer(container: Container, points: PointSink): void {
    const watched = this.watched.get(container.id);
    if (watched === undefined) return;
    const isStill = this.isStill(container);
    watched.isStirred ||= !isStill;
    const isDue =
      this.enabled.has(catalogue.descriptorUtilization) &&
      watched.rounds % this.every === 0 &&
      (watched.isStirred || watched.rounds % (this.every * LOOK_EVERY) === 0);
    const isListed = this.looksInside || isDue || this.ofHost !== undefined;
    const pids = isListed ? attempt(() => this.pids(watched)) : undefined;
    if (isDue) {
      this.utilization(watched, pids ?? []);
      watched.isStirred = pids === undefined;
    }
    if (watched.utilization !== undefined)
      points.push({ metric: catalogue.descriptorUtilization, value: watched.utilization });
    if (isListed) watched.count = pids?.length;
    // From outside, a process that sleeps may be moved into it.
    else if (!isStill || watched.rounds % LOOK_EVERY === 0)
      watched.count = attempt(() => this.count(watched));
    watched.rounds++;
    if (watched.count !== undefined) points.push({ metric: catalogue.processCount, value: watched.count });
    if (!this.looksInside || pids === undefined) return;
    this.sum(catalogue.openDescriptors, pids, (pid) => countDescriptors(this.procfs, pid), points);
    this.sum(catalogue.openSockets, pids, (pid) => countSockets(this.procfs, pid), points);
    if (this.enabled.has(catalogue.taskStates)) this.states(pids, points);
  }

  /** @throws when the container has none any more */
  private pids({ id, directory }: Watched): readonly number[] {
    if (this.ofHost === undefined) return processesOf(directory);
    const pids = this.ofHost.of(id);
    if (pids.length === 0) throw new Error('it has ended');
    return pids;
  }

  private count(watched: Watched): number {
    const own = countLines(kernelBuffer, watched.procs.read());
    return own + below(watched.directory).flatMap(processesOf).length;
  }

  private utilization(watched: Watched, pids: readonly number[]): void {
    const shares = pids.map((pid) => this.shareOf(pid));
    watched.utilization =
      shares.length === 0 || shares.includes(undefined) ? undefined : Math.max(...(shares as number[]));
  }

  /** The share of its limit of descriptors that a process has open; undefined where that cannot be seen. */
  private shareOf(pid: number): number | undefined {
    try {
      const open = unlessGone(() => countDescriptors(this.procfs, pid)) ?? 0;
      // Whoever has few of them open is not near any limit.
      if (open < FEW_DESCRIPTORS) return 0;
      const limit = descriptorLimit(readSmallFile(join(this.procfs, String(pid), 'limits')));
      return limit === 0 ? 0 : open / limit;
    } catch (error) {
      return isDenied(error) ? undefined : 0;
    }
  }

  /** Adds up what each process has; nothing is told where one of them cannot be looked at. */
  private sum(
    metric: Metric,
    pids: readonly number[],
    count: (pid: number) => number,
    points: PointSink,
  ): void {
    if (!this.enabled.has(metric)) return;
    const value = attempt(() => pids.reduce((sum, pid) => sum + (unlessGone(() => count(pid)) ?? 0), 0));
    if (value !== undefined) points.push({ metric, value });
  }

  private states(pids: readonly number[], points: PointSink): void {
    const counts = new Map<string, number>();
    for (const pid of pids) {
      const stat = attempt(() => readSmallFile(join(this.procfs, String(pid), 'stat')));
      const state = stat === undefined ? undefined : STATES[stat.charAt(stat.lastIndexOf(')') + 2)];
      if (state !== undefined) counts.set(state, (counts.get(state) ?? 0) + 1);
    }
    for (const [state, value] of counts) {
      points.push({ metric: catalogue.taskStates, value, attributes: stateAttributes.get(state) });
    }
  }
}

/** Undefined for a process or descriptor that has ended while it was looked at. */
function unlessGone<T>(look: () => T): T | undefined {
  try {
    return look();
  } catch (error) {
    if (isGone(error)) return undefined;
    throw error;
  }
}

/** A process may end, and a cgroup be removed, while it is looked at: then there is nothing to tell. */
function attempt<T>(look: () => T): T | undefined {
  try {
    return look();
  } catch {
    return undefined;
  }
}
