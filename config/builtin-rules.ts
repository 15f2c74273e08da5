/** The built-in alert rules, as a user would write them, with the reason for each threshold. */
import type { RuleDefinition } from './rule-options.ts';

export interface BuiltinRule {
  readonly rule: RuleDefinition;
  /** Why these thresholds and durations. */
  readonly reason: string;
  /** Off by default. */
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
      'The working set is memory that the kernel cannot free without reclaiming active pages. At the limit it reclaims, then kills. The last 10 % are a few seconds to minutes of warning. 30 s ignore a start or a large request. 5 points of hysteresis stop an alert from firing and resolving with each garbage collection. Page cache that is read repeatedly counts as in use: for a container that works on a file as large as its limit, set the label portlight.alert.memory=off.',
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
        '{{container.name}} will reach its memory limit of {{limit}} in about {{value}} if the trend of the last 10 minutes continues',
      ),
    },
    reason:
      '15 minutes are enough for a person to act. The trend is that of the lowest values of the last 10 minutes, so that the saw-tooth of a garbage collector has none. 7.5 minutes must have been observed. The trend must be clear and must continue. A level that the container reached before, and left without a restart, does not count. See docs/alerts.md for the accuracy of the forecast.',
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
      annotations: summary('OOM kill in {{container.name}}: the kernel killed a process'),
    },
    reason:
      'Every OOM kill is a failure: a process was killed in the middle of its work. The alert shows what the memory was used for at the last measurement.',
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
      annotations: summary(
        '{{container.name}} was throttled by its CPU limit in {{value}} of its CPU periods',
      ),
    },
    reason:
      'Short bursts are throttled in every container with a CPU limit, without noticeable effect. 25 % of all periods for 5 minutes mean that requests wait: the limit is too low, or the load too high.',
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
      annotations: summary('{{container.name}} waited for CPU {{value}} of the time'),
    },
    reason:
      'Full pressure is the time in which all runnable tasks waited for a CPU because of other work on the host. (Waiting because of the CPU limit is covered by cpu_throttled.) 25 % over 5 minutes mean that the container hardly makes progress, whatever its CPU usage is.',
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
      annotations: summary('{{container.name}} waited for memory {{value}} of the time'),
    },
    reason:
      'If all tasks wait for memory at the same time, the container is thrashing. 10 % of the time is far more than normal reclaim takes. Often an OOM kill follows, or the container hangs.',
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
        '{{container.name}} uses {{value}} of its limit of {{limit}} processes and threads',
      ),
    },
    reason: 'At the limit, fork and thread creation fail. Few programs survive that.',
  },
  {
    rule: {
      name: 'restart_loop',
      events: [{ name: 'portlight.container.restart_loop' }],
      keep_firing_for: '11m',
      severity: 'critical',
      annotations: summary('{{container.name}} is in a restart loop'),
    },
    reason:
      'The agent reports a restart loop at the start that follows 3 unrequested exits within 10 minutes, and repeats the report every 10 minutes while the loop lasts. The alert is resolved once the reports stop.',
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
      'The health check has its own number of retries. Once Docker reports unhealthy, the check has failed often enough.',
  },
  {
    rule: {
      name: 'exit',
      events: [
        { name: 'docker.container.die', attributes: { 'portlight.exit.reason': ['error', 'signal'] } },
      ],
      keep_firing_for: '5m',
      severity: 'warning',
      annotations: summary('{{container.name}} exited with code {{event.process.exit.code}}'),
    },
    reason:
      'The container exited by itself with a code other than 0, or because of a signal that was not sent through the daemon. Requested stops do not count, whatever their exit code is. OOM kills have their own rule.',
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
        "The writable layer of {{container.name}} will fill the daemon's disk in about {{value}}",
      ),
    },
    reason:
      'A writable layer that grows usually holds a log or a cache without a limit, and a full disk stops every container of the host. Sizes are read every 5 minutes (metrics.storage_interval). 45 minutes must have been observed.',
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
        '{{container.name}} has no memory limit and uses {{value}} of the memory of a host that is short of it',
      ),
    },
    reason:
      'On a host that is short of memory, the kernel can kill any process, and a container without a limit can be the cause. Off by default, because many hosts run without limits on purpose.',
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
        'Log lines of {{container.name}} are dropped: it writes more than logs.rate_limit allows',
      ),
    },
    reason: 'If you set a limit, you want to know when lines are missing.',
  },
  {
    rule: {
      name: 'descriptors',
      metric: 'container.process.open_file_descriptor.utilization',
      condition: '>= 90%',
      resolve: '< 80%',
      for: '1m',
      severity: 'warning',
      annotations: summary('A process of {{container.name}} uses {{value}} of its limit of open files'),
    },
    reason:
      'At its soft limit (RLIMIT_NOFILE) a process can neither open files nor accept connections. Descriptor leaks grow slowly: the last 10 % leave enough time.',
  },
];
