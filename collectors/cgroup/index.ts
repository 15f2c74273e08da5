/**
 * What the kernel's cgroup files say of running containers, read over descriptors that stay open while the
 * container runs.
 */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { Cadence, CatalogueEntry } from '../../agent/catalogue/entry.ts';
import type { Container, Metric, Point, PointSink } from '../../agent/records.ts';
import type { Collector } from '../collector.ts';
import { buffer, KernelFile, type KernelFiles } from '../kernel-file.ts';
import { type Directory, type Hierarchies, locate, readHierarchies } from './locate.ts';
import { compile, controllersOf, type Plan, type PlannedTable } from './plan.ts';
import { DeviceNames, filesOf, parseTable, TableAttributes } from './tables.ts';

/**
 * In every so manieth round. Settings such as limits are read when the daemon tells that they were changed,
 * and now and then in case somebody wrote to the files.
 */
const EVERY: Readonly<Record<Exclude<Cadence, 'seldom'>, number>> = { setting: 30, rare: 6 };
/** A table without a line for any device is `Total 0` on cgroup v1. */
const EMPTY_TABLE = 8;

/** A table's open files; one without `*` in its name has one. */
interface OpenTable {
  readonly table: PlannedTable;
  /** Whether the files had any line when they were last looked at. */
  hasLines: boolean;
  readonly files: readonly { readonly file: KernelFile; readonly label: string }[];
}

interface Watched {
  readonly plan: Plan;
  /** One per file of the plan; undefined where the host does not have it. */
  readonly files: readonly (KernelFile | undefined)[];
  readonly tables: readonly OpenTable[];
  /** Slots' values and clock (ms) of the last round, for rates; no clock before the first. */
  readonly last: Float64Array;
  lastClock: number | undefined;
  /** Everything is read in the next round, whatever its turn. */
  isNew: boolean;
  rounds: number;
}

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
  private readonly every: Readonly<Record<Cadence, number>>;
  private readonly files: KernelFiles;
  private readonly controllers: ReadonlySet<string>;
  private readonly tableAttributes: TableAttributes;
  private hierarchies: Hierarchies | undefined;
  private readonly plans = new Map<string, Plan>();
  private readonly watched = new Map<string, Watched>();
  private values = new Float64Array(0);

  constructor(
    procfs: string,
    rows: readonly CatalogueEntry[],
    files: KernelFiles,
    seldom: Seldom = { metrics: new Set(), every: 1 },
  ) {
    this.seldom = seldom;
    this.every = { ...EVERY, seldom: seldom.every };
    this.procfs = procfs;
    this.files = files;
    this.rows = rows;
    this.controllers = controllersOf(rows);
    this.tableAttributes = new TableAttributes(new DeviceNames(procfs));
  }

  /** @throws when the container's process has vanished */
  attach(container: Container): void {
    this.detach(container);
    if (container.pid === 0) return;
    this.hierarchies ??= readHierarchies(this.procfs);
    const directories = locate(this.procfs, this.hierarchies, container.pid, container.id, this.controllers);
    // It has none of its own, or none that is mounted here.
    if (directories.size === 0) return;
    container.cgroupPath = [...directories.values()][0]!.cgroup;
    const plan = this.planFor(directories);
    const pathOf = (controller: string) => directories.get(controller)!.path;
    const watched = this.files.openAll((open) => ({
      plan,
      files: plan.files.map(({ controller, name, cadence }) => {
        const path = join(pathOf(controller), name);
        if (cadence !== 'setting') return open(path);
        // Read so rarely, it is not worth a descriptor.
        return existsSync(path) ? KernelFile.reopened(path) : undefined;
      }),
      tables: plan.tables.map((table) => ({
        table,
        hasLines: true,
        files: filesOf(pathOf(table.controller), table.file).flatMap(({ file: name, label }) => {
          const file = open(join(pathOf(table.controller), name));
          return file === undefined ? [] : { file, label };
        }),
      })),
      last: new Float64Array(plan.slots),
      lastClock: undefined,
      isNew: true,
      // Containers have their turns in different rounds.
      rounds: this.watched.size,
    }));
    this.watched.set(container.id, watched);
  }

  changed(container: Container): void {
    const watched = this.watched.get(container.id);
    if (watched !== undefined) watched.isNew = true;
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

  collect(container: Container, points: PointSink): void {
    const watched = this.watched.get(container.id);
    if (watched === undefined) return;
    const clock = performance.now();
    const values = this.read(watched);
    const seconds = watched.lastClock === undefined ? Number.NaN : (clock - watched.lastClock) / 1000;
    for (const { metric, attributes, slots, compute, rate } of watched.plan.points) {
      let value: number;
      if (rate) value = Math.max(0, values[slots[0]!]! - watched.last[slots[0]!]!) / seconds;
      else if (compute === undefined) value = values[slots[0]!]!;
      else value = compute(values[slots[0]!]!, values[slots[1]!]!, values[slots[2]!]!);
      if (Number.isFinite(value)) points.push({ metric, value, attributes });
    }
    watched.last.set(values);
    watched.lastClock = clock;
    this.collectTables(watched, points);
    watched.rounds++;
    watched.isNew = false;
  }

  /** One pass over the container's files. A file that cannot be read leaves its fields absent. */
  private read(watched: Watched): Float64Array {
    const { plan, files, last } = watched;
    const values = this.values.subarray(0, plan.slots).fill(Number.NaN);
    for (let index = 0; index < files.length; index++) {
      const { parse, slots, cadence } = plan.files[index]!;
      if (!this.isDue(watched, cadence)) {
        for (const slot of slots) values[slot] = last[slot]!;
        continue;
      }
      const length = files[index]?.read() ?? 0;
      if (length > 0) parse(buffer, length, values);
    }
    return values;
  }

  /** Of several files that say the same of a metric, the first that has anything is taken. */
  private collectTables(watched: Watched, points: PointSink): void {
    const found: Point[] = [];
    const answered = new Set<unknown>();
    for (const opened of watched.tables) {
      if (!opened.hasLines && !this.isDue(watched, 'rare')) continue;
      const { table, files } = opened;
      const open = table.readings.filter(({ metric }) => !answered.has(metric));
      if (open.length === 0) continue;
      opened.hasLines = false;
      for (const { file, label: fileLabel } of files) {
        const length = file.read();
        if (length <= EMPTY_TABLE && table.readings[0]!.reading.label === 'device') continue;
        if (length === 0) continue;
        opened.hasLines = true;
        const text = buffer.toString('latin1', 0, length);
        for (const { metric, reading } of open) {
          for (const { label, value } of parseTable(text, reading.format, reading.column)) {
            const attributes = this.tableAttributes.of(reading, label || fileLabel);
            found.push({ metric, value: value * reading.scale, attributes });
            answered.add(metric);
          }
        }
      }
    }
    // The points of one metric stand together.
    for (const metric of answered) for (const point of found) if (point.metric === metric) points.push(point);
  }

  private isDue({ isNew, rounds }: Watched, cadence: Cadence | undefined): boolean {
    return isNew || cadence === undefined || rounds % this.every[cadence] === 0;
  }

  /** Containers with the same controllers on the same versions, all of them as a rule, share one plan. */
  private planFor(directories: ReadonlyMap<string, Directory>): Plan {
    const versions = new Map([...directories].map(([controller, { version }]) => [controller, version]));
    const id = [...versions].join();
    let plan = this.plans.get(id);
    if (plan === undefined) {
      plan = compile(this.rows, versions, this.seldom.metrics);
      this.plans.set(id, plan);
      if (this.values.length < plan.slots) this.values = new Float64Array(plan.slots);
    }
    return plan;
  }
}

function close({ files, tables }: Watched): void {
  for (const file of files) file?.close();
  for (const table of tables) for (const { file } of table.files) file.close();
}
