/** The kernel file of each metric that is one number in one file, to compare exported values with it. */
import type { Values } from './receiver.ts';

type Row = readonly [metric: string, file: string, pattern: RegExp, factor?: number, attributes?: Values];
const only = /^(\d+)$/m;
const lineOf = (key: string) => new RegExp(`^${key} (\\d+)$`, 'm');
const pressureOf = (resource: string): Row[] =>
  ['some', 'full'].map((stall) => [
    `container.${resource}.pressure.time`,
    `unified/${resource}.pressure`,
    new RegExp(`^${stall} .*total=(\\d+)$`, 'm'),
    1e-6,
    { 'container.pressure.stall': stall },
  ]);
const memoryStat = (names: Record<string, string>): Row[] =>
  Object.entries(names).map(([metric, key]) => [
    `container.memory.${metric}`,
    'memory/memory.stat',
    lineOf(key),
  ]);
const oomKill = { 'container.memory.event': 'oom_kill' };
const major = { 'system.paging.fault.type': 'major' };
const V2: readonly Row[] = [
  ...['cpu', 'memory', 'io'].flatMap(pressureOf),
  ['container.cpu.time', 'cpu/cpu.stat', lineOf('user_usec'), 1e-6, { 'cpu.mode': 'user' }],
  ['container.cpu.time', 'cpu/cpu.stat', lineOf('system_usec'), 1e-6, { 'cpu.mode': 'system' }],
  ['container.cpu.weight', 'cpu/cpu.weight', only],
  ['container.cpu.throttling.periods', 'cpu/cpu.stat', lineOf('nr_periods')],
  ['container.cpu.throttling.throttled_periods', 'cpu/cpu.stat', lineOf('nr_throttled')],
  ['container.cpu.throttling.throttled_time', 'cpu/cpu.stat', lineOf('throttled_usec'), 1e-6],
  ['container.cpu.burst.periods', 'cpu/cpu.stat', lineOf('nr_bursts')],
  ['container.cpu.burst.time', 'cpu/cpu.stat', lineOf('burst_usec'), 1e-6],
  ...memoryStat({
    rss: 'anon',
    file: 'file',
    mapped_file: 'file_mapped',
    shmem: 'shmem',
    dirty: 'file_dirty',
    writeback: 'file_writeback',
    active_anon: 'active_anon',
    inactive_anon: 'inactive_anon',
    active_file: 'active_file',
    inactive_file: 'inactive_file',
    unevictable: 'unevictable',
    kernel: 'kernel',
    'reclaim.scanned': 'pgscan',
    'reclaim.stolen': 'pgsteal',
  }),
  ['container.memory.usage', 'memory/memory.current', only],
  ['container.memory.limit', 'memory/memory.max', only],
  ['container.memory.reservation', 'memory/memory.low', only],
  ['container.memory.min', 'memory/memory.min', only],
  ['container.memory.usage.max', 'memory/memory.peak', only],
  ['container.memory.events', 'memory/memory.events', lineOf('oom_kill'), 1, oomKill],
  ['container.memory.events', 'memory/memory.events', lineOf('max'), 1, { 'container.memory.event': 'max' }],
  ['container.paging.faults', 'memory/memory.stat', lineOf('pgmajfault'), 1, major],
  ['container.pids.current', 'pids/pids.current', only],
  ['container.pids.limit', 'pids/pids.max', only],
  ['container.pids.fails', 'pids/pids.events', lineOf('max')],
  ['container.frozen', 'unified/cgroup.events', lineOf('frozen')],
];
const V1: readonly Row[] = [
  ['container.cpu.time', 'cpuacct/cpuacct.stat', lineOf('user'), 0.01, { 'cpu.mode': 'user' }],
  ['container.cpu.time', 'cpuacct/cpuacct.stat', lineOf('system'), 0.01, { 'cpu.mode': 'system' }],
  ['container.cpu.shares', 'cpu/cpu.shares', only],
  ['container.cpu.throttling.periods', 'cpu/cpu.stat', lineOf('nr_periods')],
  ['container.cpu.throttling.throttled_periods', 'cpu/cpu.stat', lineOf('nr_throttled')],
  ['container.cpu.throttling.throttled_time', 'cpu/cpu.stat', lineOf('throttled_time'), 1e-9],
  ['container.cpu.burst.periods', 'cpu/cpu.stat', lineOf('nr_bursts')],
  ['container.cpu.burst.time', 'cpu/cpu.stat', lineOf('burst_time'), 1e-9],
  ...memoryStat({
    rss: 'total_rss',
    file: 'total_cache',
    mapped_file: 'total_mapped_file',
    shmem: 'total_shmem',
    dirty: 'total_dirty',
    writeback: 'total_writeback',
    active_anon: 'total_active_anon',
    inactive_anon: 'total_inactive_anon',
    active_file: 'total_active_file',
    inactive_file: 'total_inactive_file',
    unevictable: 'total_unevictable',
  }),
  ['container.memory.usage', 'memory/memory.usage_in_bytes', only],
  ['container.memory.kernel', 'memory/memory.kmem.usage_in_bytes', only],
  ['container.memory.limit', 'memory/memory.limit_in_bytes', only],
  ['container.memory.reservation', 'memory/memory.soft_limit_in_bytes', only],
  ['container.memory.usage.max', 'memory/memory.max_usage_in_bytes', only],
  ['container.memory.fails', 'memory/memory.failcnt', only],
  ['container.memory.events', 'memory/memory.oom_control', lineOf('oom_kill'), 1, oomKill],
  ['container.paging.faults', 'memory/memory.stat', lineOf('total_pgmajfault'), 1, major],
  ['container.pids.current', 'pids/pids.current', only],
  ['container.pids.limit', 'pids/pids.max', only],
  ['container.pids.fails', 'pids/pids.events', lineOf('max')],
];

export interface SingleFileMetric {
  readonly metric: string;
  readonly attributes: Values;
  /** `unified` means cgroup v2's own files. */
  readonly controller: string;
  readonly file: string;
  /** The value in the metric's unit; undefined if the file has none, such as `max`. */
  valueIn(text: string): number | undefined;
}

/** The metrics that are one number in one file, on cgroup v1 or v2. */
export const singleFileMetrics = (version: 1 | 2): SingleFileMetric[] =>
  (version === 2 ? V2 : V1).map(([metric, path, pattern, factor = 1, attributes = {}]) => {
    const [controller = '', file = ''] = path.split('/');
    const valueIn = (text: string) => {
      const number = pattern.exec(text)?.[1];
      return number === undefined ? undefined : Number(number) * factor;
    };
    return { metric, attributes, controller, file, valueIn };
  });

/** Whether both are absent, or equal except for rounding. */
export const isSameValue = (seen: number | undefined, expected: number | undefined): boolean =>
  expected === undefined ? seen === undefined : Math.abs((seen ?? Number.NaN) - expected) < 1e-6;
