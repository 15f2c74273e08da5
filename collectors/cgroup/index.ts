/**
 * Metrics of running containers from the kernel's cgroup files. Descriptors stay open while a container runs.
 */
import type { CatalogueEntry } from '../catalogue/entry.ts';
import type { Collector } from '../records/collector.ts';
import type { Container, Metric, PointSink } from '../records/records.ts';
import {
  type CgroupDirectory,
  type Hierarchies,
  locateCgroups,
  readHierarchies,
} from '../shared/cgroup-location.ts';
import type { KernelFiles } from '../shared/kernel-file.ts';
import { openContainerFiles } from './container-files.ts';
import { ContainerReader } from './container-reader.ts';
import { DeviceNames } from './device-names.ts';
import { compileReadPlan, controllersOf, type ReadPlan } from './read-plan.ts';
import { ReadSchedule } from './read-schedule.ts';
import { TableAttributes } from './table-attributes.ts';

/** Rows that only rules use: they are read in every n-th round. */
export interface RulesOnlyRows {
  readonly metrics: ReadonlySet<Metric>;
  readonly every: number;
}

export class CgroupCollector implements Collector {
  readonly name = 'cgroup';
  private readonly procfs: string;
  private readonly rows: readonly CatalogueEntry[];
  private readonly rulesOnly: RulesOnlyRows;
  private readonly files: KernelFiles;
  private readonly controllers: ReadonlySet<string>;
  private readonly tableAttributes: TableAttributes;
  private hierarchies: Hierarchies | undefined;
  private readonly plans = new Map<string, ReadPlan>();
  private readonly readers = new Map<string, ContainerReader>();

  constructor(
    procfs: string,
    rows: readonly CatalogueEntry[],
    files: KernelFiles,
    rulesOnly: RulesOnlyRows = { metrics: new Set(), every: 1 },
  ) {
    this.rulesOnly = rulesOnly;
    this.procfs = procfs;
    this.files = files;
    this.rows = rows;
    this.controllers = controllersOf(rows);
    this.tableAttributes = new TableAttributes(new DeviceNames(procfs));
  }

  /** @throws when the container's process has vanished */
  attachContainer(container: Container): void {
    this.detachContainer(container);
    if (container.pid === 0) return;
    this.hierarchies ??= readHierarchies(this.procfs);
    const { pid, id } = container;
    const directories = locateCgroups(this.procfs, this.hierarchies, pid, id, this.controllers);
    // The container has no own cgroup, or none that is mounted here.
    if (directories.size === 0) return;
    container.cgroupPath = [...directories.values()][0]!.cgroup;
    const plan = this.planFor(directories);
    const reader = this.files.openAll(
      (open) =>
        new ContainerReader({
          plan,
          ...openContainerFiles(plan, directories, open),
          attributes: this.tableAttributes,
          schedule: new ReadSchedule(this.rulesOnly.every, this.readers.size),
        }),
    );
    this.readers.set(id, reader);
  }

  updateContainer(container: Container): void {
    this.readers.get(container.id)?.readEverythingNext();
  }

  detachContainer(container: Container): void {
    const reader = this.readers.get(container.id);
    if (reader === undefined) return;
    this.readers.delete(container.id);
    reader.close();
  }

  close(): void {
    for (const reader of this.readers.values()) reader.close();
    this.readers.clear();
  }

  /** Whether nothing has happened in the container for two rounds, as of its last reading. */
  isIdle(container: Container): boolean {
    return this.readers.get(container.id)?.isIdle ?? false;
  }

  collectContainer(container: Container, points: PointSink): void {
    this.readers.get(container.id)?.collect(points, performance.now());
  }

  /** One plan for all containers with the same controllers on the same versions: as a rule, for all. */
  private planFor(directories: ReadonlyMap<string, CgroupDirectory>): ReadPlan {
    const versions = new Map([...directories].map(([controller, { version }]) => [controller, version]));
    const id = [...versions].join();
    let plan = this.plans.get(id);
    if (plan === undefined) {
      plan = compileReadPlan(this.rows, versions, this.rulesOnly.metrics);
      this.plans.set(id, plan);
    }
    return plan;
  }
}
