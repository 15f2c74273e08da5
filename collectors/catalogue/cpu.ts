/**
 * v1: Documentation/admin-guide/cgroup-v1/{cpuacct,cpusets}.rst, scheduler/sched-bwc.rst.
 * v2: cgroup-v2.rst, "CPU" and "Cpuset".
 */
import type { Field, TableReading } from './entry.ts';
import {
  active,
  cadvisorName,
  computed,
  dockerName,
  fromField,
  key,
  MICRO,
  NANO,
  row,
  setting,
  TICK,
  value,
} from './entry.ts';

const user = { 'cpu.mode': 'user' };
const system = { 'cpu.mode': 'system' };

const v2Max = (position: number): Field => ({
  controller: 'cpu',
  file: 'cpu.max',
  location: { at: 'position', position },
  scale: 1,
  cadence: 'setting',
});

const perCpu: TableReading = {
  controller: 'cpuacct',
  file: 'cpuacct.usage_percpu',
  format: 'cpus',
  column: '',
  label: 'cpu',
  scale: NANO,
};

const ratio = (quota: number, period: number): number => quota / period;

export const cpu = {
  cpuTime: row('cpu', 'container.cpu.time', 'counter', 's', 'Total CPU time consumed', {
    v1: [
      fromField(active(key('cpuacct', 'cpuacct.stat', 'user', TICK)), user),
      fromField(active(key('cpuacct', 'cpuacct.stat', 'system', TICK)), system),
    ],
    v2: [
      fromField(key('cpu', 'cpu.stat', 'user_usec', MICRO), user),
      fromField(key('cpu', 'cpu.stat', 'system_usec', MICRO), system),
    ],
    dockerStats: [
      dockerName('cpu.usage.usermode', 'ns', 'counter', { when: user, scale: 1e9 }),
      dockerName('cpu.usage.kernelmode', 'ns', 'counter', { when: system, scale: 1e9 }),
    ],
    cadvisor: [
      cadvisorName('container_cpu_user_seconds_total', { when: user }),
      cadvisorName('container_cpu_system_seconds_total', { when: system }),
    ],
  }),
  cpuTotal: row('cpu', 'container.cpu.total', 'counter', 's', 'Total CPU time consumed, in all modes', {
    dialectOnly: true,
    v1: fromField(value('cpuacct', 'cpuacct.usage', NANO)),
    v2: fromField(key('cpu', 'cpu.stat', 'usage_usec', MICRO)),
    dockerStats: [dockerName('cpu.usage.total', 'ns', 'counter', { scale: 1e9 })],
    cadvisor: [cadvisorName('container_cpu_usage_seconds_total', { attributes: () => ({ cpu: 'total' }) })],
  }),
  cpuUsage: row(
    'cpu',
    'container.cpu.usage',
    'gauge',
    '{cpu}',
    'CPU usage since the previous round, in CPUs',
    {
      v1: { ...fromField(value('cpuacct', 'cpuacct.usage', NANO)), isRate: true },
      v2: { ...fromField(key('cpu', 'cpu.stat', 'usage_usec', MICRO)), isRate: true },
      dockerStats: [dockerName('cpu.utilization', '1', 'gauge', { scale: 100 })],
    },
  ),
  cpuPerCpu: row(
    'cpu',
    'container.cpu.percpu.time',
    'counter',
    's',
    'CPU time consumed on each logical CPU',
    {
      optIn: true,
      tables: [perCpu],
      dockerStats: [
        dockerName('cpu.usage.percpu', 'ns', 'counter', {
          scale: 1e9,
          attributes: (attributes) => ({ core: `cpu${attributes['cpu.logical_number']}` }),
        }),
      ],
    },
  ),
  cpuLimit: row(
    'cpu',
    'container.cpu.limit',
    'updowncounter',
    '{cpu}',
    'CPU limit: quota divided by period; absent without a limit',
    {
      v1: computed(
        [setting(value('cpu', 'cpu.cfs_quota_us')), setting(value('cpu', 'cpu.cfs_period_us'))],
        ratio,
      ),
      v2: computed([v2Max(0), v2Max(1)], ratio),
      dockerStats: [dockerName('cpu.limit', '{cpus}', 'gauge')],
    },
  ),
  cpuQuota: row('cpu', 'container.cpu.quota', 'updowncounter', 'us', 'CPU time allowed per period', {
    dialectOnly: true,
    v1: fromField(setting(value('cpu', 'cpu.cfs_quota_us'))),
    v2: fromField(v2Max(0)),
    cadvisor: [cadvisorName('container_spec_cpu_quota')],
  }),
  cpuPeriod: row('cpu', 'container.cpu.period', 'updowncounter', 'us', "Length of the quota's period", {
    dialectOnly: true,
    v1: fromField(setting(value('cpu', 'cpu.cfs_period_us'))),
    v2: fromField(v2Max(1)),
    cadvisor: [cadvisorName('container_spec_cpu_period')],
  }),
  cpuShares: row(
    'cpu',
    'container.cpu.shares',
    'updowncounter',
    '{share}',
    'Relative CPU share (cgroup v1)',
    {
      v1: fromField(setting(value('cpu', 'cpu.shares'))),
      dockerStats: [dockerName('cpu.shares', '1', 'gauge')],
      cadvisor: [cadvisorName('container_spec_cpu_shares')],
    },
  ),
  cpuWeight: row(
    'cpu',
    'container.cpu.weight',
    'updowncounter',
    '{weight}',
    'Relative CPU weight (cgroup v2)',
    {
      v2: fromField(setting(value('cpu', 'cpu.weight'))),
    },
  ),
  cpuCount: row(
    'cpu',
    'container.cpuset.size',
    'updowncounter',
    '{cpus}',
    'Logical CPUs that the cpuset allows',
    {
      v1: fromField({
        controller: 'cpuset',
        file: 'cpuset.effective_cpus',
        location: { at: 'list' },
        scale: 1,
        cadence: 'setting',
      }),
      v2: fromField({
        controller: 'cpuset',
        file: 'cpuset.cpus.effective',
        location: { at: 'list' },
        scale: 1,
        cadence: 'setting',
      }),
      dockerStats: [dockerName('cpu.logical.count', '{cpus}', 'gauge')],
    },
  ),
  cpuPeriods: row(
    'cpu',
    'container.cpu.throttling.periods',
    'counter',
    '{period}',
    'Periods in which a CPU quota was enforced',
    {
      v1: fromField(active(key('cpu', 'cpu.stat', 'nr_periods'))),
      v2: fromField(key('cpu', 'cpu.stat', 'nr_periods')),
      dockerStats: [dockerName('cpu.throttling_data.periods', '{periods}')],
      cadvisor: [cadvisorName('container_cpu_cfs_periods_total')],
    },
  ),
  cpuThrottledPeriods: row(
    'cpu',
    'container.cpu.throttling.throttled_periods',
    'counter',
    '{period}',
    'Periods in which the container used up its CPU quota',
    {
      v1: fromField(active(key('cpu', 'cpu.stat', 'nr_throttled'))),
      v2: fromField(key('cpu', 'cpu.stat', 'nr_throttled')),
      dockerStats: [dockerName('cpu.throttling_data.throttled_periods', '{periods}')],
      cadvisor: [cadvisorName('container_cpu_cfs_throttled_periods_total')],
    },
  ),
  cpuThrottledTime: row(
    'cpu',
    'container.cpu.throttling.throttled_time',
    'counter',
    's',
    'Time that runnable threads were throttled, summed over CPUs',
    {
      v1: fromField(active(key('cpu', 'cpu.stat', 'throttled_time', NANO))),
      v2: fromField(key('cpu', 'cpu.stat', 'throttled_usec', MICRO)),
      dockerStats: [dockerName('cpu.throttling_data.throttled_time', 'ns', 'counter', { scale: 1e9 })],
      cadvisor: [cadvisorName('container_cpu_cfs_throttled_seconds_total')],
    },
  ),
  cpuBursts: row(
    'cpu',
    'container.cpu.burst.periods',
    'counter',
    '{period}',
    'Periods in which the container used more than its quota, from unused quota of earlier periods',
    {
      optIn: true,
      v1: fromField(active(key('cpu', 'cpu.stat', 'nr_bursts'))),
      v2: fromField(key('cpu', 'cpu.stat', 'nr_bursts')),
    },
  ),
  cpuBurstTime: row(
    'cpu',
    'container.cpu.burst.time',
    'counter',
    's',
    'CPU time used above the quota in burst periods',
    {
      optIn: true,
      v1: fromField(active(key('cpu', 'cpu.stat', 'burst_time', NANO))),
      v2: fromField(key('cpu', 'cpu.stat', 'burst_usec', MICRO)),
    },
  ),
};
