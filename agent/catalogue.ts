/**
 * The metric catalogue: every metric, described once. Whatever names, reads, documents or validates a
 * metric derives from this table; a new metric is a new row.
 *
 * Kernel sources:
 * - v1: Documentation/admin-guide/cgroup-v1/{cpuacct,memory,pids}.rst
 * - v2: Documentation/admin-guide/cgroup-v2.rst
 */
import type { Attributes, Metric, MetricKind } from './records.ts';

/** A number in a cgroup's file. */
export interface Field {
  /** cgroup controller, which decides the hierarchy on cgroup v1. */
  readonly controller: string;
  readonly file: string;
  /** Key of a flat-keyed file; the file holds one single value where there is none. */
  readonly key?: string;
  /** Factor from the kernel's unit to the metric's; 1 by default. */
  readonly scale?: number;
}

/** One data point of a metric: a field, or what is computed from several. */
export interface Reading {
  readonly attributes?: Attributes;
  readonly fields: readonly Field[];
  /** From the fields' values, all of them present; the first field's value by default. */
  readonly compute?: (...values: number[]) => number;
  /** Whether the point is the change per second since the last round; absent in the first. */
  readonly rate?: boolean;
}

export interface CatalogueEntry extends Metric {
  readonly v1?: readonly Reading[];
  readonly v2?: readonly Reading[];
}

/** Kernel clock ticks per second as user space sees them (USER_HZ), 100 on every Linux architecture that Node runs on. */
const SECONDS_PER_TICK = 1 / 100;
const SECONDS_PER_NANO = 1e-9;
const SECONDS_PER_MICRO = 1e-6;

const from = (
  controller: string,
  file: string,
  options: { key?: string; scale?: number; attributes?: Attributes; rate?: boolean } = {},
): Reading => ({
  fields: [{ controller, file, key: options.key, scale: options.scale }],
  attributes: options.attributes,
  rate: options.rate,
});

const user: Attributes = { 'cpu.mode': 'user' };
const system: Attributes = { 'cpu.mode': 'system' };

const v1Usage: Field = { controller: 'memory', file: 'memory.usage_in_bytes' };
const v1Limit: Field = { controller: 'memory', file: 'memory.limit_in_bytes' };
const v1InactiveFile: Field = { controller: 'memory', file: 'memory.stat', key: 'total_inactive_file' };
const v2Usage: Field = { controller: 'memory', file: 'memory.current' };
const v2Limit: Field = { controller: 'memory', file: 'memory.max' };
const v2InactiveFile: Field = { controller: 'memory', file: 'memory.stat', key: 'inactive_file' };

/** What the kernel cannot take back without reclaiming active pages; also what `docker stats` shows. */
const workingSet = (usage: number, inactiveFile: number): number => Math.max(0, usage - inactiveFile);
const available = (limit: number, usage: number, inactiveFile: number): number =>
  Math.max(0, limit - workingSet(usage, inactiveFile));

function entry(
  name: string,
  kind: MetricKind,
  unit: string,
  description: string,
  sources: { v1?: readonly Reading[]; v2?: readonly Reading[] } = {},
): CatalogueEntry {
  return {
    name,
    kind,
    unit,
    integer: unit !== 's' && unit !== '1' && unit !== '{cpu}',
    description,
    ...sources,
  };
}

export const catalogue = {
  cpuTime: entry('container.cpu.time', 'counter', 's', 'Total CPU time consumed', {
    v1: [
      from('cpuacct', 'cpuacct.stat', { key: 'user', scale: SECONDS_PER_TICK, attributes: user }),
      from('cpuacct', 'cpuacct.stat', { key: 'system', scale: SECONDS_PER_TICK, attributes: system }),
    ],
    v2: [
      from('cpu', 'cpu.stat', { key: 'user_usec', scale: SECONDS_PER_MICRO, attributes: user }),
      from('cpu', 'cpu.stat', { key: 'system_usec', scale: SECONDS_PER_MICRO, attributes: system }),
    ],
  }),
  cpuUsage: entry('container.cpu.usage', 'gauge', '{cpu}', 'CPU usage since the last round, in CPUs', {
    v1: [from('cpuacct', 'cpuacct.usage', { scale: SECONDS_PER_NANO, rate: true })],
    v2: [from('cpu', 'cpu.stat', { key: 'usage_usec', scale: SECONDS_PER_MICRO, rate: true })],
  }),
  memoryUsage: entry('container.memory.usage', 'updowncounter', 'By', 'Memory in use, page cache included', {
    v1: [{ fields: [v1Usage] }],
    v2: [{ fields: [v2Usage] }],
  }),
  memoryWorkingSet: entry(
    'container.memory.working_set',
    'updowncounter',
    'By',
    'Memory in use without inactive page cache',
    {
      v1: [{ fields: [v1Usage, v1InactiveFile], compute: workingSet }],
      v2: [{ fields: [v2Usage, v2InactiveFile], compute: workingSet }],
    },
  ),
  memoryLimit: entry(
    'container.memory.limit',
    'updowncounter',
    'By',
    'Memory limit; absent where there is none',
    { v1: [{ fields: [v1Limit] }], v2: [{ fields: [v2Limit] }] },
  ),
  memoryAvailable: entry(
    'container.memory.available',
    'updowncounter',
    'By',
    'Memory limit less the working set; absent where there is no limit',
    {
      v1: [{ fields: [v1Limit, v1Usage, v1InactiveFile], compute: available }],
      v2: [{ fields: [v2Limit, v2Usage, v2InactiveFile], compute: available }],
    },
  ),
  pidsCount: entry('container.pids.count', 'updowncounter', '{pid}', 'Processes and threads', {
    v1: [from('pids', 'pids.current')],
    v2: [from('pids', 'pids.current')],
  }),
  uptime: entry('container.uptime', 'gauge', 's', 'Time since the container was started'),
} satisfies Record<string, CatalogueEntry>;

export const metrics: readonly CatalogueEntry[] = Object.values(catalogue);
