/** The rules that are there without any configuration, written as a user writes them, with the reason for each threshold. */
import type { RuleDefinition } from './rule-options.ts';

export interface BuiltinRule {
  readonly rule: RuleDefinition;
  /** Why it says what it says. */
  readonly reason: string;
  /** Off unless asked for. */
  readonly optIn?: boolean;
}

const summary = (text: string): RuleDefinition['annotations'] => ({ summary: text });

export const builtinRules: readonly BuiltinRule[] = [
  {
    rule: {
      name: 'memory',
      metric: 'container.memory.working_set',
      over: 'container.memory.limit',
      condition: '>= 90%',
      resolve: '< 85%',
      for: '30s',
      severity: 'warning',
      annotations: summary('{{container.name}} uses {{value}} of its memory limit of {{limit}}'),
    },
    reason:
      'The working set is what the kernel cannot take back without reclaiming active pages; at the limit it reclaims, then kills. The last tenth is a few seconds to minutes of warning. 30 s let a start or a request pass; 5 points of hysteresis keep an alert from coming and going with garbage collection. Page cache that is read again and again counts as in use: a container that lives on a file as large as its limit wants portlight.alert.memory=off.',
  },
  {
    rule: {
      name: 'memory_forecast',
      metric: 'container.memory.working_set',
      over: 'container.memory.limit',
      forecast: '15m',
      window: '10m',
      resolve: '> 30m',
      for: '1m',
      keep_firing_for: '5m',
      severity: 'warning',
      annotations: summary(
        '{{container.name}} reaches its memory limit of {{limit}} in about {{value}} if it goes on as in the last 10 minutes',
      ),
    },
    reason:
      'A quarter of an hour is time for a person to act. The trend is that of the lowest values of the last 10 minutes, three quarters of which have to be known, so that the saw-tooth of a garbage collector has none; it has to be clear and to go on; and a level that was reached before, and left without a restart, is no news. docs/alerts.md has how often it is right.',
  },
  {
    rule: {
      name: 'oom_kill',
      events: [
        { name: 'docker.container.oom' },
        { name: 'docker.container.die', attributes: { 'portlight.exit.reason': 'oom_killed*' } },
      ],
      metric: 'container.memory.working_set',
      over: 'container.memory.limit',
      keep_firing_for: '10m',
      severity: 'critical',
      annotations: summary('The kernel killed a process of {{container.name}} for want of memory'),
    },
    reason:
      'One kill is a fault: a process was ended in the middle of its work. It carries what the memory was used for when it was last measured.',
  },
  {
    rule: {
      name: 'cpu_throttled',
      metric: 'container.cpu.throttling.throttled_periods',
      over: 'container.cpu.throttling.periods',
      window: '1m',
      condition: '>= 25%',
      resolve: '< 15%',
      for: '5m',
      severity: 'warning',
      annotations: summary('{{container.name}} was held back by its CPU quota in {{value}} of its periods'),
    },
    reason:
      'Short bursts are throttled in every container with a quota, and cost nothing that anybody notices. A quarter of all periods for 5 minutes means that every request waits: the quota is too small, or the work too much.',
  },
  {
    rule: {
      name: 'cpu_pressure',
      metric: 'container.cpu.pressure.time',
      attributes: { 'container.pressure.stall': 'full' },
      window: '5m',
      condition: '>= 25%',
      resolve: '< 15%',
      unless: [
        {
          metric: 'container.cpu.throttling.throttled_periods',
          over: 'container.cpu.throttling.periods',
          condition: '>= 15%',
        },
      ],
      severity: 'warning',
      annotations: summary('No task of {{container.name}} got a CPU in {{value}} of the time'),
    },
    reason:
      'Full pressure is the time in which all tasks that could run waited: for other work on the host, for where it is the quota that they wait for, cpu_throttled tells. A quarter of the time for 5 minutes is work that gets nowhere, whatever the use of CPU looks like.',
  },
  {
    rule: {
      name: 'memory_pressure',
      metric: 'container.memory.pressure.time',
      attributes: { 'container.pressure.stall': 'full' },
      window: '3m',
      condition: '>= 10%',
      resolve: '< 5%',
      severity: 'warning',
      annotations: summary('All of {{container.name}} waited for memory in {{value}} of the time'),
    },
    reason:
      'Tasks that all wait for memory at the same time are thrashing. A tenth of the time is far beyond what reclaim costs in passing, and often the last state before a kill, or a container that hangs without one.',
  },
  {
    rule: {
      name: 'pids',
      metric: 'container.pids.current',
      over: 'container.pids.limit',
      condition: '>= 90%',
      resolve: '< 80%',
      for: '30s',
      severity: 'warning',
      annotations: summary(
        '{{container.name}} has {{value}} of the {{limit}} processes and threads that it may have',
      ),
    },
    reason: 'At the limit fork and new threads fail, which few programs survive.',
  },
  {
    rule: {
      name: 'restart_loop',
      events: [{ name: 'portlight.container.restart_loop' }],
      keep_firing_for: '11m',
      severity: 'critical',
      annotations: summary('{{container.name}} is started again and again, and ends each time'),
    },
    reason:
      'The agent tells of a loop at the start after 3 ends within 10 minutes that nobody asked for, and tells it again every 10 minutes while it lasts: the alert ends when that stays away.',
  },
  {
    rule: {
      name: 'unhealthy',
      metric: 'container.health',
      attributes: { 'container.health.status': 'unhealthy' },
      condition: '>= 1',
      severity: 'warning',
      annotations: summary('{{container.name}} is unhealthy'),
    },
    reason:
      'The health check has its own number of retries: when Docker says unhealthy, it has been asked often enough.',
  },
  {
    rule: {
      name: 'exit',
      events: [
        { name: 'docker.container.die', attributes: { 'portlight.exit.reason': ['error', 'signal'] } },
      ],
      keep_firing_for: '5m',
      severity: 'warning',
      annotations: summary('{{container.name}} ended with exit code {{event.process.exit.code}}'),
    },
    reason:
      'An end by itself with an exit code other than 0, or by a signal that nobody sent through the daemon. Stops by command, whatever exit code they leave, and kills for want of memory (which have a rule of their own) are not meant.',
  },
  {
    rule: {
      name: 'disk',
      metric: 'container.filesystem.usage',
      room: 'container.filesystem.available',
      forecast: '4h',
      window: '1h',
      resolve: '> 8h',
      severity: 'warning',
      annotations: summary(
        "{{container.name}} writes so much into its own layer that the daemon's disk is full in about {{value}}",
      ),
    },
    reason:
      'What grows in a writable layer is a log or a cache that nobody bounds, and a full disk stops every container of the host. Sizes are asked for every 5 minutes (metrics.storage_interval), and half an hour of them has to be known.',
  },
  {
    rule: {
      name: 'no_memory_limit',
      metric: 'container.memory.working_set',
      over: 'system.memory.limit',
      condition: '>= 10%',
      when: [
        { absent: 'container.memory.limit' },
        { metric: 'system.memory.linux.available', over: 'system.memory.limit', condition: '< 10%' },
      ],
      for: '1m',
      severity: 'info',
      annotations: summary(
        '{{container.name}} has no memory limit and uses {{value}} of a host that has little left',
      ),
    },
    reason:
      'On a host that is short of memory the kernel kills what it likes, and who has no limit is who can be the cause. Off by default: many hosts run without limits on purpose.',
    optIn: true,
  },
  {
    rule: {
      name: 'log_rate',
      metric: 'container.log.dropped',
      attributes: { reason: 'rate_limit' },
      window: '1m',
      condition: '> 0',
      keep_firing_for: '5m',
      severity: 'info',
      annotations: summary(
        'Lines of the log of {{container.name}} are withheld: it writes more than logs.rate_limit',
      ),
    },
    reason: 'Whoever set a limit wants to know that lines are missing, for as long as they are.',
  },
  {
    rule: {
      name: 'descriptors',
      metric: 'container.process.open_file_descriptor.utilization',
      condition: '>= 90%',
      resolve: '< 80%',
      for: '1m',
      severity: 'warning',
      annotations: summary(
        'A process of {{container.name}} has {{value}} of the descriptors open that it may have',
      ),
    },
    reason:
      'At its soft limit (RLIMIT_NOFILE) a process can neither open a file nor accept a connection. A leak of descriptors grows slowly: the last tenth is time enough.',
  },
];
