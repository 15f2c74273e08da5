/**
 * What the kernel's cgroup files say of running containers, read over descriptors that stay open while the
 * container runs.
 */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { CatalogueEntry } from '../catalogue/entry.ts';
import type { Collector } from '../records/collector.ts';
import type { Container, Metric, PointSink } from '../records/records.ts';
import {
  type CgroupDirectory,
  type Hierarchies,
  locateCgroups,
  readHierarchies,
} from '../shared/cgroup-location.ts';
import { KernelFile, type KernelFiles } from '../shared/kernel-file.ts';
import { compile, controllersOf, type Plan } from './plan.ts';
import { DeviceNames, filesOf, TableAttributes } from './tables.ts';
import { Watched } from './watched.ts';

/** Rows that are read in every so manieth round. */
export interface Seldom {
  readonly metrics: ReadonlySet<Metric>;
  readonly every: number;
}

export class CgroupCollector implements Collector {
  readonly name = 'cgroup';
  private readonly procfs: string;
  private readonly rows: readonly CatalogueEntry[];
  private readonly seldom: Seldom;
  private readonly files: KernelFiles;
  private readonly controllers: ReadonlySet<string>;
  private readonly tableAttributes: TableAttributes;
  private hierarchies: Hierarchies | undefined;
  private readonly plans = new Map<string, Plan>();
  private readonly watched = new Map<string, Watched>();

  constructor(
    procfs: string,
    rows: readonly CatalogueEntry[],
    files: KernelFiles,
    seldom: Seldom = { metrics: new Set(), every: 1 },
  ) {
    this.seldom = seldom;
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
    const directories = locateCgroups(
      this.procfs,
      this.hierarchies,
      container.pid,
      container.id,
      this.controllers,
    );
    // It has none of its own, or none that is mounted here.
    if (directories.size === 0) return;
    container.cgroupPath = [...directories.values()][0]!.cgroup;
    const plan = this.planFor(directories);
    const pathOf = (controller: string) => directories.get(controller)!.path;
    const watched = this.files.openAll(
      (open) =>
        new Watched({
          plan,
          files: plan.files.map(({ controller, name, cadence }) => {
            const path = join(pathOf(controller), name);
            if (cadence !== 'setting') return open(path);
            // Read so rarely, it is not worth a descriptor.
            return existsSync(path) ? KernelFile.openedForEachRead(path) : undefined;
          }),
          tables: plan.tables.map((table) => ({
            table,
            files: filesOf(pathOf(table.controller), table.file).flatMap(({ file: name, label }) => {
              const file = open(join(pathOf(table.controller), name));
              return file === undefined ? [] : { file, label };
            }),
          })),
          attributes: this.tableAttributes,
          seldomEvery: this.seldom.every,
          // Containers have their turns in different rounds.
          turn: this.watched.size,
        }),
    );
    this.watched.set(container.id, watched);
  }

  updateContainer(container: Container): void {
    const watched = this.watched.get(container.id);
    if (watched !== undefined) watched.isNew = true;
  }

  detachContainer(container: Container): void {
    const watched = this.watched.get(container.id);
    if (watched === undefined) return;
    this.watched.delete(container.id);
    watched.close();
  }

  close(): void {
    for (const watched of this.watched.values()) watched.close();
    this.watched.clear();
  }

  /** Whether nothing has happened in it for two rounds, as it was read last. */
  isStill(container: Container): boolean {
    return this.watched.get(container.id)?.isStill ?? false;
  }

  collectContainer(container: Container, points: PointSink): void {
    this.watched.get(container.id)?.collect(points, performance.now());
  }

  /** Containers with the same controllers on the same versions, all of them as a rule, share one plan. */
  private planFor(directories: ReadonlyMap<string, CgroupDirectory>): Plan {
    const versions = new Map([...directories].map(([controller, { version }]) => [controller, version]));
    const id = [...versions].join();
    let plan = this.plans.get(id);
    if (plan === undefined) {
      plan = compile(this.rows, versions, this.seldom.metrics);
      this.plans.set(id, plan);
    }
    return plan;
  }
}
