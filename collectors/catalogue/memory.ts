/** v1: Documentation/admin-guide/cgroup-v1/memory.rst; v2: cgroup-v2.rst, "Memory Interface Files". */
import type { CatalogueEntry, DialectName, Reading } from './entry.ts';
import {
  active,
  cadvisorName,
  computed,
  dockerName,
  fromField,
  key,
  rare,
  row,
  setting,
  value,
} from './entry.ts';

const stat = (name: string, scale = 1) => active(key('memory', 'memory.stat', name, scale));
const file = (name: string) => value('memory', name);

const v1 = {
  usage: file('memory.usage_in_bytes'),
  limit: setting(file('memory.limit_in_bytes')),
  inactiveFile: stat('total_inactive_file'),
};
const v2 = {
  usage: file('memory.current'),
  limit: setting(file('memory.max')),
  inactiveFile: stat('inactive_file'),
};

/** Memory that the kernel can only free by reclaiming active pages. `docker stats` shows the same. */
const workingSet = (usage: number, inactiveFile: number): number => Math.max(0, usage - inactiveFile);
const available = (limit: number, usage: number, inactiveFile: number): number =>
  Math.max(0, limit - workingSet(usage, inactiveFile));
const percent = (usage: number, inactiveFile: number, limit: number): number =>
  (100 * workingSet(usage, inactiveFile)) / limit;

const BYTES = 'By';

/** Names of one value of memory.stat: the docker_stats receiver uses the kernel's, with `total_` on v1. */
function dockerStat(v1Name: string | undefined, v2Name: string | undefined, unit = BYTES): DialectName[] {
  const kind = unit === BYTES ? 'updowncounter' : 'counter';
  return [...new Set([v1Name, v2Name])]
    .filter((name) => name !== undefined)
    .map((name) => dockerName(`memory.${name}`, unit, kind));
}

/** A row of one value in memory.stat, in bytes. */
function statRow(
  name: string,
  description: string,
  v1Key: string | undefined,
  v2Key: string | undefined,
  more: { optIn?: boolean; dockerStats?: DialectName[]; cadvisor?: DialectName[] } = {},
): CatalogueEntry {
  return row('memory', `container.memory.${name}`, 'updowncounter', BYTES, description, {
    ...more,
    v1: v1Key === undefined ? [] : fromField(stat(v1Key)),
    v2: v2Key === undefined ? [] : fromField(stat(v2Key)),
  });
}

/** cgroup v2 only: v1 has its OOM kills in another file. */
const event = (type: string): Reading =>
  fromField(key('memory', 'memory.events', type), { 'container.memory.event': type });

const fault = (type: string) => ({ 'system.paging.fault.type': type });
const minor = (all: number, major: number): number => Math.max(0, all - major);

const failure = (type: string) => ({
  attributes: () => ({ failure_type: type, scope: 'hierarchy' }),
});

export const memory = {
  memoryUsage: row(
    'memory',
    'container.memory.usage',
    'updowncounter',
    BYTES,
    'Memory in use, including page cache',
    {
      v1: fromField(v1.usage),
      v2: fromField(v2.usage),
      cadvisor: [cadvisorName('container_memory_usage_bytes')],
    },
  ),
  memoryWorkingSet: row(
    'memory',
    'container.memory.working_set',
    'updowncounter',
    BYTES,
    'Memory in use, without inactive page cache',
    {
      v1: computed([v1.usage, v1.inactiveFile], workingSet),
      v2: computed([v2.usage, v2.inactiveFile], workingSet),
      dockerStats: [dockerName('memory.usage.total', BYTES, 'updowncounter')],
      cadvisor: [cadvisorName('container_memory_working_set_bytes')],
    },
  ),
  memoryLimit: row(
    'memory',
    'container.memory.limit',
    'updowncounter',
    BYTES,
    'Memory limit; absent without a limit',
    {
      v1: fromField(v1.limit),
      v2: fromField(v2.limit),
      dockerStats: [dockerName('memory.usage.limit', BYTES, 'updowncounter')],
      cadvisor: [cadvisorName('container_spec_memory_limit_bytes')],
    },
  ),
  memoryAvailable: row(
    'memory',
    'container.memory.available',
    'updowncounter',
    BYTES,
    'Memory limit minus the working set; absent without a limit',
    {
      v1: computed([v1.limit, v1.usage, v1.inactiveFile], available),
      v2: computed([v2.limit, v2.usage, v2.inactiveFile], available),
    },
  ),
  memoryPercent: row(
    'memory',
    'container.memory.percent',
    'gauge',
    '1',
    'Working set as a percentage of the limit',
    {
      dialectOnly: true,
      v1: computed([v1.usage, v1.inactiveFile, v1.limit], percent),
      v2: computed([v2.usage, v2.inactiveFile, v2.limit], percent),
      dockerStats: [dockerName('memory.percent', '1', 'gauge')],
    },
  ),
  memoryRss: statRow('rss', 'Anonymous memory', 'total_rss', 'anon', {
    dockerStats: dockerStat('total_rss', 'anon'),
    cadvisor: [cadvisorName('container_memory_rss')],
  }),
  memoryFile: statRow('file', 'Page cache, including shared memory', 'total_cache', 'file', {
    dockerStats: dockerStat('total_cache', 'file'),
    cadvisor: [cadvisorName('container_memory_cache')],
  }),
  memoryMapped: statRow(
    'mapped_file',
    'Page cache mapped into processes',
    'total_mapped_file',
    'file_mapped',
    {
      dockerStats: dockerStat('total_mapped_file', undefined),
      cadvisor: [cadvisorName('container_memory_mapped_file')],
    },
  ),
  memoryShmem: statRow('shmem', 'Shared memory and tmpfs', 'total_shmem', 'shmem'),
  memoryDirty: statRow('dirty', 'Page cache waiting to be written to disk', 'total_dirty', 'file_dirty', {
    dockerStats: dockerStat('total_dirty', undefined),
  }),
  memoryWriteback: statRow(
    'writeback',
    'Page cache being written to disk',
    'total_writeback',
    'file_writeback',
    {
      dockerStats: dockerStat('total_writeback', undefined),
    },
  ),
  memoryActiveAnon: statRow(
    'active_anon',
    'Anonymous memory on the active list',
    'total_active_anon',
    'active_anon',
    {
      optIn: true,
      dockerStats: dockerStat('total_active_anon', 'active_anon'),
    },
  ),
  memoryInactiveAnon: statRow(
    'inactive_anon',
    'Anonymous memory on the inactive list',
    'total_inactive_anon',
    'inactive_anon',
    {
      optIn: true,
      dockerStats: dockerStat('total_inactive_anon', 'inactive_anon'),
    },
  ),
  memoryActiveFile: statRow(
    'active_file',
    'Page cache on the active list',
    'total_active_file',
    'active_file',
    {
      optIn: true,
      dockerStats: dockerStat('total_active_file', 'active_file'),
    },
  ),
  memoryInactiveFile: statRow(
    'inactive_file',
    'Page cache on the inactive list',
    'total_inactive_file',
    'inactive_file',
    {
      optIn: true,
      dockerStats: dockerStat('total_inactive_file', 'inactive_file'),
    },
  ),
  memoryUnevictable: statRow(
    'unevictable',
    'Memory that cannot be reclaimed',
    'total_unevictable',
    'unevictable',
    {
      optIn: true,
      dockerStats: dockerStat('total_unevictable', 'unevictable'),
    },
  ),
  memoryKernel: row(
    'memory',
    'container.memory.kernel',
    'updowncounter',
    BYTES,
    'Kernel memory used for the container',
    {
      v1: fromField(rare(file('memory.kmem.usage_in_bytes'))),
      v2: fromField(stat('kernel')),
    },
  ),
  memorySlab: row(
    'memory',
    'container.memory.slab',
    'updowncounter',
    BYTES,
    'Kernel data structures (slab)',
    {
      optIn: true,
      v2: [
        fromField(stat('slab_reclaimable'), { 'linux.memory.slab.state': 'reclaimable' }),
        fromField(stat('slab_unreclaimable'), { 'linux.memory.slab.state': 'unreclaimable' }),
      ],
    },
  ),
  memorySwap: row('memory', 'container.memory.swap.usage', 'updowncounter', BYTES, 'Swap in use', {
    v1: fromField(stat('total_swap')),
    v2: fromField(active(file('memory.swap.current'))),
    cadvisor: [cadvisorName('container_memory_swap')],
  }),
  memorySwapLimit: row(
    'memory',
    'container.memory.swap.limit',
    'updowncounter',
    BYTES,
    'Swap limit; absent without a limit',
    {
      v1: computed([setting(file('memory.memsw.limit_in_bytes')), v1.limit], (both, limit) =>
        Math.max(0, both - limit),
      ),
      v2: fromField(setting(file('memory.swap.max'))),
    },
  ),
  memorySwapTotalLimit: row(
    'memory',
    'container.memory.memsw.limit',
    'updowncounter',
    BYTES,
    'Combined limit of memory and swap',
    {
      dialectOnly: true,
      v1: fromField(setting(file('memory.memsw.limit_in_bytes'))),
      v2: computed([setting(file('memory.swap.max')), v2.limit], (swap, limit) => swap + limit),
      dockerStats: [dockerName('memory.hierarchical_memsw_limit', BYTES, 'updowncounter')],
      cadvisor: [cadvisorName('container_spec_memory_swap_limit_bytes')],
    },
  ),
  memoryReservation: row(
    'memory',
    'container.memory.reservation',
    'updowncounter',
    BYTES,
    'Memory that the kernel tries not to reclaim from the container (memory.low; soft limit on cgroup v1)',
    {
      v1: fromField(setting(file('memory.soft_limit_in_bytes'))),
      v2: fromField(setting(file('memory.low'))),
      cadvisor: [cadvisorName('container_spec_memory_reservation_limit_bytes')],
    },
  ),
  memoryHigh: row(
    'memory',
    'container.memory.high',
    'updowncounter',
    BYTES,
    'Memory use above which the container is throttled and its memory reclaimed; absent without a limit',
    {
      v2: fromField(setting(file('memory.high'))),
    },
  ),
  memoryMin: row(
    'memory',
    'container.memory.min',
    'updowncounter',
    BYTES,
    'Memory that the kernel never reclaims from the container (memory.min)',
    {
      optIn: true,
      v2: fromField(setting(file('memory.min'))),
    },
  ),
  memoryMax: row(
    'memory',
    'container.memory.usage.max',
    'updowncounter',
    BYTES,
    'Highest memory use since the container was started',
    {
      v1: fromField(rare(file('memory.max_usage_in_bytes'))),
      v2: fromField(rare(file('memory.peak'))),
      dockerStats: [dockerName('memory.usage.max', BYTES, 'updowncounter')],
      cadvisor: [cadvisorName('container_memory_max_usage_bytes')],
    },
  ),
  memoryFails: row(
    'memory',
    'container.memory.fails',
    'counter',
    '{fail}',
    'Number of times that memory use hit the limit (cgroup v1)',
    {
      v1: fromField(rare(file('memory.failcnt'))),
      dockerStats: [dockerName('memory.fails', '{fails}')],
      cadvisor: [cadvisorName('container_memory_failcnt')],
    },
  ),
  memoryEvents: row(
    'memory',
    'container.memory.events',
    'counter',
    '{event}',
    'Memory events of the cgroup: low, high, max, oom, oom_kill, oom_group_kill',
    {
      // The daemon reports each OOM kill at once, and the agent then reads the file in the next round.
      v1: fromField(rare(key('memory', 'memory.oom_control', 'oom_kill')), {
        'container.memory.event': 'oom_kill',
      }),
      v2: ['low', 'high', 'max', 'oom', 'oom_kill', 'oom_group_kill'].map(event),
      cadvisor: [
        cadvisorName('container_oom_events_total', { when: { 'container.memory.event': 'oom_kill' } }),
      ],
    },
  ),
  pagingFaults: row('memory', 'container.paging.faults', 'counter', '{fault}', 'Page faults', {
    v1: [
      computed([stat('total_pgfault'), stat('total_pgmajfault')], minor, fault('minor')),
      fromField(stat('total_pgmajfault'), fault('major')),
    ],
    v2: [
      computed([stat('pgfault'), stat('pgmajfault')], minor, fault('minor')),
      fromField(stat('pgmajfault'), fault('major')),
    ],
    dockerStats: [dockerName('memory.pgmajfault', '{faults}', 'counter', { when: fault('major') })],
    cadvisor: [
      cadvisorName('container_memory_failures_total', { when: fault('major'), ...failure('pgmajfault') }),
    ],
  }),
  pagingFaultsAll: row(
    'memory',
    'container.paging.faults.all',
    'counter',
    '{fault}',
    'Page faults, minor and major',
    {
      dialectOnly: true,
      v1: fromField(stat('total_pgfault')),
      v2: fromField(stat('pgfault')),
      dockerStats: [dockerName('memory.pgfault', '{faults}')],
      cadvisor: [cadvisorName('container_memory_failures_total', failure('pgfault'))],
    },
  ),
  pagesIn: row(
    'memory',
    'container.memory.pgpgin',
    'counter',
    '{operation}',
    'Pages charged to the container (cgroup v1)',
    {
      dialectOnly: true,
      v1: fromField(stat('total_pgpgin')),
      dockerStats: [dockerName('memory.total_pgpgin', '{operations}')],
    },
  ),
  pagesOut: row(
    'memory',
    'container.memory.pgpgout',
    'counter',
    '{operation}',
    'Pages no longer charged to the container (cgroup v1)',
    {
      dialectOnly: true,
      v1: fromField(stat('total_pgpgout')),
      dockerStats: [dockerName('memory.total_pgpgout', '{operations}')],
    },
  ),
  refaults: row(
    'memory',
    'container.memory.refaults',
    'counter',
    '{page}',
    'Pages read again soon after they were reclaimed; a sign of too little memory',
    {
      v1: [
        fromField(stat('total_workingset_refault_anon'), { 'container.memory.type': 'anon' }),
        fromField(stat('total_workingset_refault_file'), { 'container.memory.type': 'file' }),
      ],
      v2: [
        fromField(stat('workingset_refault_anon'), { 'container.memory.type': 'anon' }),
        fromField(stat('workingset_refault_file'), { 'container.memory.type': 'file' }),
      ],
    },
  ),
  pagesScanned: row(
    'memory',
    'container.memory.reclaim.scanned',
    'counter',
    '{page}',
    'Pages scanned for reclaim',
    {
      v2: fromField(stat('pgscan')),
    },
  ),
  pagesReclaimed: row('memory', 'container.memory.reclaim.stolen', 'counter', '{page}', 'Pages reclaimed', {
    v2: fromField(stat('pgsteal')),
  }),
};
