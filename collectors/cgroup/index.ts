/**
 * CPU, memory and process counts of running containers, read from the kernel's cgroup files over
 * descriptors that stay open while the container runs.
 */
import { closeSync, openSync, readSync } from 'node:fs';
import { join } from 'node:path';
import type { CatalogueEntry } from '../../agent/catalogue.ts';
import type { Container, Point } from '../../agent/records.ts';
import type { Collector } from '../collector.ts';
import { type Directory, type Hierarchies, locate, readHierarchies } from './locate.ts';
import { parseFlat, parseSingle } from './parse.ts';
import { compile, controllersOf, type Plan } from './plan.ts';

/** Larger than any cgroup file that the catalogue reads. */
const BUFFER_SIZE = 64 * 1024;

interface Watched {
  readonly plan: Plan;
  /** One per file of the plan; -1 where the host does not have it. */
  readonly descriptors: readonly number[];
  /** Slots' values and clock (ms) of the last round, for rates; no clock before the first. */
  readonly last: Float64Array;
  lastClock: number | undefined;
}

export class CgroupCollector implements Collector {
  readonly name = 'cgroup';
  private readonly procfs: string;
  private readonly rows: readonly CatalogueEntry[];
  private readonly controllers: ReadonlySet<string>;
  private hierarchies: Hierarchies | undefined;
  private readonly plans = new Map<string, Plan>();
  private readonly watched = new Map<string, Watched>();
  private readonly buffer = Buffer.allocUnsafeSlow(BUFFER_SIZE);
  private values = new Float64Array(0);

  constructor(procfs: string, rows: readonly CatalogueEntry[]) {
    this.procfs = procfs;
    this.rows = rows;
    this.controllers = controllersOf(rows);
  }

  /** @throws when the container's process has vanished, or its cgroup is none that is mounted here */
  attach(container: Container): void {
    this.detach(container);
    if (container.pid === 0) return;
    this.hierarchies ??= readHierarchies(this.procfs);
    const directories = locate(this.procfs, this.hierarchies, container.pid, container.id, this.controllers);
    if (directories.size === 0) throw new Error(`no cgroup of process ${container.pid} is mounted here`);
    const plan = this.planFor(directories);
    this.watched.set(container.id, {
      plan,
      descriptors: plan.files.map((file) => open(join(directories.get(file.controller)!.path, file.name))),
      last: new Float64Array(plan.slots),
      lastClock: undefined,
    });
  }

  detach(container: Container): void {
    const watched = this.watched.get(container.id);
    if (watched === undefined) return;
    this.watched.delete(container.id);
    for (const descriptor of watched.descriptors) if (descriptor !== -1) closeSync(descriptor);
  }

  stop(): void {
    for (const id of [...this.watched.keys()]) this.detach({ id } as Container);
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
  }

  /** One pass over the container's files. A file that cannot be read leaves its fields absent. */
  private read({ plan, descriptors }: Watched): Float64Array {
    const values = this.values.subarray(0, plan.slots).fill(Number.NaN);
    for (let index = 0; index < descriptors.length; index++) {
      const descriptor = descriptors[index]!;
      if (descriptor === -1) continue;
      let length: number;
      try {
        length = readSync(descriptor, this.buffer, 0, BUFFER_SIZE, 0);
      } catch (error) {
        // The cgroup is gone: the container died after its last event reached us.
        if ((error as NodeJS.ErrnoException).code === 'ENODEV') continue;
        throw error;
      }
      const { single, keys } = plan.files[index]!;
      if (single !== undefined) values[single.slot] = parseSingle(this.buffer, length) * single.scale;
      else parseFlat(this.buffer, length, keys, values);
    }
    return values;
  }

  /** Containers with the same controllers on the same versions, all of them as a rule, share one plan. */
  private planFor(directories: ReadonlyMap<string, Directory>): Plan {
    const versions = new Map([...directories].map(([controller, { version }]) => [controller, version]));
    const key = [...versions].join();
    let plan = this.plans.get(key);
    if (plan === undefined) {
      plan = compile(this.rows, versions);
      this.plans.set(key, plan);
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
