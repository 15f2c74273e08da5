/**
 * What the kernel's cgroup files say of running containers, read over descriptors that stay open while the
 * container runs.
 */
import { closeSync, openSync, readSync } from 'node:fs';
import { join } from 'node:path';
import type { CatalogueEntry } from '../../agent/catalogue/entry.ts';
import type { Container, Point } from '../../agent/records.ts';
import type { Collector } from '../collector.ts';
import { type Directory, type Hierarchies, locate, readHierarchies } from './locate.ts';
import { compile, controllersOf, type Plan, type PlannedTable } from './plan.ts';
import { DeviceNames, filesOf, parseTable, TableAttributes } from './tables.ts';

/** Larger than any cgroup file that the catalogue reads. */
const BUFFER_SIZE = 64 * 1024;

/** A table's open files; one without `*` in its name has one. */
interface OpenTable {
  readonly table: PlannedTable;
  readonly files: readonly { readonly descriptor: number; readonly label: string }[];
}

interface Watched {
  readonly plan: Plan;
  /** One per file of the plan; -1 where the host does not have it. */
  readonly descriptors: readonly number[];
  readonly tables: readonly OpenTable[];
  /** Slots' values and clock (ms) of the last round, for rates; no clock before the first. */
  readonly last: Float64Array;
  lastClock: number | undefined;
}

export class CgroupCollector implements Collector {
  readonly name = 'cgroup';
  private readonly procfs: string;
  private readonly rows: readonly CatalogueEntry[];
  private readonly controllers: ReadonlySet<string>;
  private readonly tableAttributes: TableAttributes;
  private hierarchies: Hierarchies | undefined;
  private readonly plans = new Map<string, Plan>();
  private readonly watched = new Map<string, Watched>();
  private readonly buffer = Buffer.allocUnsafeSlow(BUFFER_SIZE);
  private values = new Float64Array(0);

  constructor(procfs: string, rows: readonly CatalogueEntry[]) {
    this.procfs = procfs;
    this.rows = rows;
    this.controllers = controllersOf(rows);
    this.tableAttributes = new TableAttributes(new DeviceNames(procfs));
  }

  /** @throws when the container's process has vanished, or its cgroup is none that is mounted here */
  attach(container: Container): void {
    this.detach(container);
    if (container.pid === 0) return;
    this.hierarchies ??= readHierarchies(this.procfs);
    const directories = locate(this.procfs, this.hierarchies, container.pid, container.id, this.controllers);
    if (directories.size === 0) throw new Error(`no cgroup of process ${container.pid} is mounted here`);
    container.cgroupPath = [...directories.values()][0]!.cgroup;
    const plan = this.planFor(directories);
    const pathOf = (controller: string) => directories.get(controller)!.path;
    const opened: number[] = [];
    const openTracked = (controller: string, file: string): number => {
      const descriptor = open(join(pathOf(controller), file));
      if (descriptor !== -1) opened.push(descriptor);
      return descriptor;
    };
    try {
      this.watched.set(container.id, {
        plan,
        descriptors: plan.files.map(({ controller, name }) => openTracked(controller, name)),
        tables: plan.tables.map((table) => ({
          table,
          files: filesOf(pathOf(table.controller), table.file)
            .map(({ file, label }) => ({ descriptor: openTracked(table.controller, file), label }))
            .filter(({ descriptor }) => descriptor !== -1),
        })),
        last: new Float64Array(plan.slots),
        lastClock: undefined,
      });
    } catch (error) {
      for (const descriptor of opened) closeSync(descriptor);
      throw error;
    }
  }

  detach(container: Container): void {
    const watched = this.watched.get(container.id);
    if (watched === undefined) return;
    this.watched.delete(container.id);
    close(watched);
  }

  stop(): void {
    for (const watched of this.watched.values()) close(watched);
    this.watched.clear();
  }

  collect(container: Container, points: Point[]): void {
    const watched = this.watched.get(container.id);
    if (watched === undefined) return;
    const clock = performance.now();
    const values = this.read(watched);
    const seconds = watched.lastClock === undefined ? Number.NaN : (clock - watched.lastClock) / 1000;
    for (const { metric, attributes, slots, compute, rate } of watched.plan.points) {
      let value: number;
      if (rate) value = Math.max(0, values[slots[0]!]! - watched.last[slots[0]!]!) / seconds;
      else if (compute === undefined) value = values[slots[0]!]!;
      else value = compute(...slots.map((slot) => values[slot]!));
      if (Number.isFinite(value)) points.push({ metric, value, attributes });
    }
    watched.last.set(values);
    watched.lastClock = clock;
    this.collectTables(watched, points);
  }

  /** One pass over the container's files. A file that cannot be read leaves its fields absent. */
  private read({ plan, descriptors }: Watched): Float64Array {
    const values = this.values.subarray(0, plan.slots).fill(Number.NaN);
    for (let index = 0; index < descriptors.length; index++) {
      const length = this.readFile(descriptors[index]!);
      if (length > 0) plan.files[index]!.parse(this.buffer, length, values);
    }
    return values;
  }

  /** Of several files that say the same of a metric, the first that has anything is taken. */
  private collectTables({ tables }: Watched, points: Point[]): void {
    const found: Point[] = [];
    const answered = new Set<unknown>();
    for (const { table, files } of tables) {
      const open = table.readings.filter(({ metric }) => !answered.has(metric));
      if (open.length === 0) continue;
      for (const file of files) {
        const length = this.readFile(file.descriptor);
        if (length === 0) continue;
        const text = this.buffer.toString('latin1', 0, length);
        for (const { metric, reading } of open) {
          for (const { label, value } of parseTable(text, reading.format, reading.column)) {
            const attributes = this.tableAttributes.of(reading, label || file.label);
            found.push({ metric, value: value * reading.scale, attributes });
            answered.add(metric);
          }
        }
      }
    }
    // The points of one metric stand together.
    for (const metric of answered) for (const point of found) if (point.metric === metric) points.push(point);
  }

  /** Bytes read into the buffer; 0 where there is no such file, or no longer. */
  private readFile(descriptor: number): number {
    if (descriptor === -1) return 0;
    try {
      return readSync(descriptor, this.buffer, 0, BUFFER_SIZE, 0);
    } catch (error) {
      // ENODEV: the cgroup is gone, the container died after its last event reached us. EOPNOTSUPP: the
      // file is there but switched off, as pressure files can be.
      if (['ENODEV', 'EOPNOTSUPP'].includes((error as NodeJS.ErrnoException).code ?? '')) return 0;
      throw error;
    }
  }

  /** Containers with the same controllers on the same versions, all of them as a rule, share one plan. */
  private planFor(directories: ReadonlyMap<string, Directory>): Plan {
    const versions = new Map([...directories].map(([controller, { version }]) => [controller, version]));
    const id = [...versions].join();
    let plan = this.plans.get(id);
    if (plan === undefined) {
      plan = compile(this.rows, versions);
      this.plans.set(id, plan);
      if (this.values.length < plan.slots) this.values = new Float64Array(plan.slots);
    }
    return plan;
  }
}

function open(path: string): number {
  try {
    return openSync(path, 'r');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return -1;
    throw error;
  }
}

function close({ descriptors, tables }: Watched): void {
  for (const descriptor of descriptors) if (descriptor !== -1) closeSync(descriptor);
  for (const { files } of tables) for (const { descriptor } of files) closeSync(descriptor);
}
