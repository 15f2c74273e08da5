/**
 * The container's processes: those of its cgroup and of all cgroups below it. Descriptors and states cost a
 * read of every process, so they are counted only when they are enabled.
 * Source: cgroups(7), proc_pid_stat(5), proc_pid_fd(5).
 */
import { join } from 'node:path';
import { catalogue } from '../catalogue/index.ts';
import { processes } from '../catalogue/process.ts';
import type { Collector } from '../records/collector.ts';
import type { Attributes, Container, Metric, PointSink } from '../records/records.ts';
import { type Hierarchies, locateCgroups, readHierarchies } from '../shared/cgroup-location.ts';
import { KernelFile, readSmallFile } from '../shared/kernel-file.ts';
import { countDescriptors, countSockets, descriptorUtilization } from './descriptors.ts';
import { countProcesses, isOwnPidNamespace, listProcesses, ProcessIndex } from './process-list.ts';
import { unlessFailed, unlessGone } from './vanishing.ts';

/** Every hierarchy has the processes: the first one that the container is in is read. */
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

interface ContainerProcesses {
  readonly id: string;
  readonly directory: string;
  readonly procs: KernelFile;
  rounds: number;
  /** Whether anything has happened in the container since its descriptors were counted. */
  isChanged: boolean;
  /** Processes in the last round. */
  count: number | undefined;
  /** Highest share of its limit of descriptors that a process had open, when last counted. */
  utilization: number | undefined;
}

/** A container in which nothing happens is read in every n-th round. */
const READ_EVERY = 6;

export class ProcessCollector implements Collector {
  readonly name = 'processes';
  private readonly procfs: string;
  private readonly enabled: ReadonlySet<Metric>;
  private readonly descriptorsEvery: number;
  private readonly isIdle: (container: Container) => boolean;
  /** Whether any of the metrics is enabled. */
  private readonly isNeeded: boolean;
  /** Whether a metric is enabled that needs a read of each process in each round. */
  private readonly readsProcesses: boolean;
  private hierarchies: Hierarchies | undefined;
  private readonly containers = new Map<string, ContainerProcesses>();
  /** Undefined where cgroups list all their processes. */
  private readonly index: ProcessIndex | undefined;

  /**
   * @param descriptorsEvery descriptors are counted in every n-th round
   * @param isIdle whether nothing has happened in a container for two rounds
   */
  constructor(
    procfs: string,
    enabled: ReadonlySet<Metric>,
    descriptorsEvery = READ_EVERY,
    isIdle: (container: Container) => boolean = () => false,
  ) {
    this.descriptorsEvery = descriptorsEvery;
    this.isIdle = isIdle;
    this.procfs = procfs;
    this.index = isOwnPidNamespace(procfs) ? undefined : new ProcessIndex(procfs);
    this.enabled = enabled;
    this.isNeeded = Object.values(processes).some((metric) => enabled.has(metric));
    this.readsProcesses = [catalogue.openDescriptors, catalogue.openSockets, catalogue.taskStates].some(
      (metric) => enabled.has(metric),
    );
  }

  attachContainer(container: Container): void {
    this.detachContainer(container);
    if (container.pid === 0 || !this.isNeeded) return;
    this.hierarchies ??= readHierarchies(this.procfs);
    const located = locateCgroups(this.procfs, this.hierarchies, container.pid, container.id, CONTROLLERS);
    const directory = CONTROLLERS.map((controller) => located.get(controller)).find(
      (found) => found !== undefined,
    );
    if (directory === undefined) return;
    // cgroup v1 keeps the list that a descriptor has read for a second after each read. Read more often than
    // that, an open descriptor would show the same processes forever.
    const procs = KernelFile.openedForEachRead(join(directory.path, 'cgroup.procs'));
    this.containers.set(container.id, {
      id: container.id,
      directory: directory.path,
      procs,
      rounds: 0,
      isChanged: true,
      count: undefined,
      utilization: undefined,
    });
  }

  detachContainer(container: Container): void {
    this.containers.delete(container.id);
  }

  collectContainer(container: Container, points: PointSink): void {
    const known = this.containers.get(container.id);
    if (known === undefined) return;
    const isIdle = this.isIdle(container);
    known.isChanged ||= !isIdle;
    const areDescriptorsDue =
      this.enabled.has(catalogue.descriptorUtilization) &&
      known.rounds % this.descriptorsEvery === 0 &&
      (known.isChanged || known.rounds % (this.descriptorsEvery * READ_EVERY) === 0);
    const isListed = this.readsProcesses || areDescriptorsDue || this.index !== undefined;
    const pids = isListed ? unlessFailed(() => this.listPids(known)) : undefined;
    if (areDescriptorsDue) {
      known.utilization = this.highestUtilization(pids ?? []);
      known.isChanged = pids === undefined;
    }
    if (known.utilization !== undefined)
      points.push({ metric: catalogue.descriptorUtilization, value: known.utilization });
    if (isListed) known.count = pids?.length;
    // A sleeping process can be moved into the cgroup from outside, which costs the container no CPU time.
    else if (!isIdle || known.rounds % READ_EVERY === 0)
      known.count = unlessFailed(() => countProcesses(known.directory, known.procs));
    known.rounds++;
    if (known.count !== undefined) points.push({ metric: catalogue.processCount, value: known.count });
    if (!this.readsProcesses || pids === undefined) return;
    this.addSum(catalogue.openDescriptors, pids, (pid) => countDescriptors(this.procfs, pid), points);
    this.addSum(catalogue.openSockets, pids, (pid) => countSockets(this.procfs, pid), points);
    if (this.enabled.has(catalogue.taskStates)) this.addStates(pids, points);
  }

  /** @throws when the container has no processes left */
  private listPids({ id, directory }: ContainerProcesses): readonly number[] {
    if (this.index === undefined) return listProcesses(directory);
    const pids = this.index.processesOf(id);
    if (pids.length === 0) throw new Error('the container has ended');
    return pids;
  }

  /** Undefined where one of the processes cannot be read, or there is none. */
  private highestUtilization(pids: readonly number[]): number | undefined {
    const shares = pids.map((pid) => descriptorUtilization(this.procfs, pid));
    return shares.length === 0 || shares.includes(undefined) ? undefined : Math.max(...(shares as number[]));
  }

  /** Adds the sum over all processes, or no point where one of them cannot be read. */
  private addSum(
    metric: Metric,
    pids: readonly number[],
    count: (pid: number) => number,
    points: PointSink,
  ): void {
    if (!this.enabled.has(metric)) return;
    const value = unlessFailed(() => pids.reduce((sum, pid) => sum + (unlessGone(() => count(pid)) ?? 0), 0));
    if (value !== undefined) points.push({ metric, value });
  }

  private addStates(pids: readonly number[], points: PointSink): void {
    const counts = new Map<string, number>();
    for (const pid of pids) {
      const stat = unlessFailed(() => readSmallFile(join(this.procfs, String(pid), 'stat')));
      const state = stat === undefined ? undefined : STATES[stat.charAt(stat.lastIndexOf(')') + 2)];
      if (state !== undefined) counts.set(state, (counts.get(state) ?? 0) + 1);
    }
    for (const [state, value] of counts) {
      points.push({ metric: catalogue.taskStates, value, attributes: stateAttributes.get(state) });
    }
  }
}
