/**
 * The built-in alert rules as Prometheus alerting rules, for both scrape endpoints (config/prometheus/). They use the
 * thresholds of the built-in rules. `why` explains each difference.
 */
import type { AlertSeverity } from '../../../config/severity.ts';

/** The scrape endpoints /metrics and /metrics/cadvisor. */
export type ScrapeEndpoint = 'portlight' | 'cadvisor';

export interface AlertRule {
  /** Name of the built-in rule. */
  readonly rule: string;
  readonly severity: AlertSeverity;
  /** How long the expression has to hold; without it, the alert fires at once. */
  readonly for?: Readonly<Partial<Record<ScrapeEndpoint, string>>>;
  /** PromQL by endpoint. Its value is used in the annotations. */
  readonly expr: Readonly<Partial<Record<ScrapeEndpoint, string>>>;
  /** Why the rule is not possible with the endpoint's metrics; listed at the top of its file. */
  readonly missing?: Readonly<Partial<Record<ScrapeEndpoint, string>>>;
  /** Comment above the rule. */
  readonly why: string;
  /** Template; CONTAINER stands for the container's name. */
  readonly summary: string;
  /** Template, as `summary`. */
  readonly description: string;
}

/** Excludes series without a name: cAdvisor has some for cgroups and the machine. */
const named = (metric: string): string => `${metric}{name!=""}`;

/** cAdvisor reports 0 where there is no limit. */
const limitOf = (metric: string): string => `(${named(metric)} > 0)`;

/**
 * Seconds until `room` is used up, if that is within `horizonSeconds`. The rate is the rise of the minimum of `use` from the
 * middle third of a window to the last third; the rise from the first third to the middle one must be fast enough as well.
 * Minimums do not rise where use goes up and down again (garbage collection, rotated files), and a single step is no trend.
 */
function until(room: string, use: string, thirdMinutes: number, horizonSeconds: number): string {
  const lowest = (thirdsAgo: number) =>
    `min_over_time(${use}[${thirdMinutes}m]${thirdsAgo === 0 ? '' : ` offset ${thirdsAgo * thirdMinutes}m`})`;
  const reached = (thirdsAgo: number) =>
    `${room} / ((${lowest(thirdsAgo)} - ${lowest(thirdsAgo + 1)}) / ${thirdMinutes * 60}) >= 0 <= ${horizonSeconds}`;
  return `${reached(0)}\nand\n${reached(1)}`;
}

const full = '{container_pressure_stall="full"}';

export const alertRules: readonly AlertRule[] = [
  {
    rule: 'memory',
    severity: 'warning',
    for: { portlight: '30s', cadvisor: '30s' },
    expr: {
      portlight: 'container_memory_working_set_bytes / container_memory_limit_bytes >= 0.9',
      cadvisor: `${named('container_memory_working_set_bytes')} / ${limitOf('container_spec_memory_limit_bytes')} >= 0.9`,
    },
    why: 'The working set excludes page cache that the kernel frees first. The rest has to fit.',
    summary: 'CONTAINER uses {{ $value | humanizePercentage }} of its memory limit',
    description:
      'The working set of container CONTAINER on {{ $labels.instance }} is {{ $value | humanizePercentage }} of its memory limit. At the limit, the kernel kills one of its processes.',
  },
  {
    rule: 'memory_forecast',
    severity: 'warning',
    expr: {
      portlight: until(
        '(container_memory_limit_bytes - container_memory_working_set_bytes)',
        'container_memory_working_set_bytes',
        5,
        900,
      ),
      cadvisor: until(
        `(${limitOf('container_spec_memory_limit_bytes')} - ${named('container_memory_working_set_bytes')})`,
        named('container_memory_working_set_bytes'),
        5,
        900,
      ),
    },
    why: 'The minimum of each third of 15 minutes has to rise, twice, and fast enough to reach the limit within 15 minutes. A saw-tooth with a period longer than the window looks like a leak.',
    summary: 'CONTAINER will reach its memory limit in {{ $value | humanizeDuration }}',
    description:
      'The memory of container CONTAINER on {{ $labels.instance }} has been rising for 15 minutes. At this rate it will reach its limit in {{ $value | humanizeDuration }}.',
  },
  {
    rule: 'oom_kill',
    severity: 'critical',
    expr: {
      portlight:
        'sum without (container_memory_event) (increase(container_memory_events_total{container_memory_event="oom_kill"}[5m])) > 0\nor\ncontainer_oom_killed == 1',
      cadvisor: `increase(${named('container_oom_events_total')}[5m]) > 0`,
    },
    why: 'A container that exits takes its counter with it. If it is restarted between two scrapes, the metrics show nothing; the event docker.container.oom does.',
    summary: 'OOM kill in CONTAINER: the kernel killed a process',
    description:
      'The kernel killed a process of container CONTAINER on {{ $labels.instance }}: the container reached its memory limit, or the host ran out of memory.',
  },
  {
    rule: 'cpu_throttled',
    severity: 'warning',
    for: { portlight: '5m', cadvisor: '5m' },
    expr: {
      portlight:
        'rate(container_cpu_throttling_throttled_periods_total[1m]) / rate(container_cpu_throttling_periods_total[1m]) >= 0.25',
      cadvisor: `rate(${named('container_cpu_cfs_throttled_periods_total')}[1m]) / rate(${named('container_cpu_cfs_periods_total')}[1m]) >= 0.25`,
    },
    why: 'A request that arrives when the quota is used up waits for the rest of the period, up to 100 ms. 25 % of all periods is noticeable.',
    summary: 'CONTAINER is throttled in {{ $value | humanizePercentage }} of its CPU periods',
    description:
      'Container CONTAINER on {{ $labels.instance }} used up its CPU limit in {{ $value | humanizePercentage }} of the CPU periods of the last minute.',
  },
  {
    rule: 'cpu_pressure',
    severity: 'warning',
    for: { portlight: '5m', cadvisor: '5m' },
    expr: {
      portlight: `rate(container_cpu_pressure_time_seconds_total${full}[1m]) >= 0.25`,
      cadvisor: `rate(${named('container_pressure_cpu_stalled_seconds_total')}[1m]) >= 0.25`,
    },
    why: 'Needs metrics.enable: [pressure] and a kernel with PSI. Full pressure: none of the runnable tasks ran. The built-in rule uses the average of 5 minutes, because the agent reads pressure every sixth round.',
    summary: 'CONTAINER waited for CPU {{ $value | humanizePercentage }} of the time',
    description:
      'All tasks of container CONTAINER on {{ $labels.instance }} waited for a CPU during {{ $value | humanizePercentage }} of the last minute.',
  },
  {
    rule: 'memory_pressure',
    severity: 'warning',
    for: { portlight: '2m', cadvisor: '2m' },
    expr: {
      portlight: `rate(container_memory_pressure_time_seconds_total${full}[1m]) >= 0.1`,
      cadvisor: `rate(${named('container_pressure_memory_stalled_seconds_total')}[1m]) >= 0.1`,
    },
    why: 'Needs metrics.enable: [pressure] and a kernel with PSI. Full pressure: all tasks waited for memory at once. The built-in rule uses the average of 3 minutes.',
    summary: 'CONTAINER waited for memory {{ $value | humanizePercentage }} of the time',
    description:
      'All tasks of container CONTAINER on {{ $labels.instance }} waited for memory during {{ $value | humanizePercentage }} of the last minute.',
  },
  {
    rule: 'pids',
    severity: 'warning',
    expr: {
      portlight: 'container_pids_current / container_pids_limit >= 0.9',
      cadvisor: `${named('container_threads')} / ${limitOf('container_threads_max')} >= 0.9`,
    },
    why: 'At the limit, fork and pthread_create fail, which few programs expect.',
    summary: 'CONTAINER uses {{ $value | humanizePercentage }} of its limit of processes and threads',
    description:
      'Container CONTAINER on {{ $labels.instance }} is at {{ $value | humanizePercentage }} of its pids limit. At the limit, it cannot start processes or threads.',
  },
  {
    rule: 'restart_loop',
    severity: 'critical',
    expr: {
      portlight: 'container_restarts - min_over_time(container_restarts[10m]) >= 3',
      cadvisor: `changes(${named('container_start_time_seconds')}[10m]) >= 3`,
    },
    why: 'The daemon counts restarts by its restart policy. cAdvisor only has the time of the last start: manual starts count as well, and several starts between two scrapes count as one.',
    summary: 'CONTAINER was restarted {{ $value }} times within 10 minutes',
    description:
      'Container CONTAINER on {{ $labels.instance }} exits soon after each start: {{ $value }} restarts within 10 minutes.',
  },
  {
    rule: 'unhealthy',
    severity: 'warning',
    for: { cadvisor: '5m' },
    expr: {
      portlight: 'container_health{container_health_status="unhealthy"} == 1',
      cadvisor: `${named('container_health_state')} == 0`,
    },
    why: "The health check has its own number of retries. cAdvisor's metric does not distinguish unhealthy from starting: 5 minutes leave time for the start.",
    summary: 'CONTAINER is unhealthy',
    description: 'The health check of container CONTAINER on {{ $labels.instance }} fails.',
  },
  {
    rule: 'exit',
    severity: 'warning',
    expr: { portlight: 'container_exit_code > 0 != 137 != 143' },
    missing: { cadvisor: 'it has no metrics of exited containers' },
    why: 'docker stop and docker kill leave the codes 143 or 137; the metrics do not show that a stop was requested. OOM kills have their own rule.',
    summary: 'CONTAINER exited with code {{ $value }}',
    description:
      'Container CONTAINER on {{ $labels.instance }} exited with code {{ $value }} and was not started again.',
  },
  {
    rule: 'disk',
    severity: 'warning',
    expr: {
      portlight: until(
        'container_filesystem_available_bytes',
        'container_filesystem_usage_bytes',
        20,
        14_400,
      ),
    },
    missing: { cadvisor: 'it has the size of the file system, but not its free space' },
    why: 'As the forecast of memory, but over an hour: sizes are read every metrics.storage_interval.',
    summary: 'CONTAINER will fill the disk in {{ $value | humanizeDuration }}',
    description:
      'The writable layer of container CONTAINER on {{ $labels.instance }} has been growing for an hour. At this rate its file system will be full in {{ $value | humanizeDuration }}.',
  },
  {
    rule: 'log_rate',
    severity: 'info',
    expr: { portlight: 'increase(container_log_dropped_total{reason="rate_limit"}[5m]) > 0' },
    missing: { cadvisor: 'it has no metrics of logs' },
    why: 'Lines beyond the limit are dropped and counted, and a record in the log says so.',
    summary: 'Log lines of CONTAINER are dropped',
    description:
      'Container CONTAINER on {{ $labels.instance }} logs faster than logs.rate_limit allows: {{ $value | printf "%.0f" }} lines were dropped within 5 minutes.',
  },
  {
    rule: 'descriptors',
    severity: 'warning',
    expr: { portlight: 'container_process_open_file_descriptor_utilization_ratio >= 0.9' },
    missing: { cadvisor: 'it has the number of open files, but not the limit of each process' },
    why: 'Needs metrics.enable: [process]. At its soft limit, a process can neither open files nor accept connections.',
    summary: 'A process of CONTAINER uses {{ $value | humanizePercentage }} of its limit of open files',
    description:
      'A process of container CONTAINER on {{ $labels.instance }} is at {{ $value | humanizePercentage }} of its soft limit of open files.',
  },
];

/** Rules that are off by default in the agent; they are in a separate file. */
export const optInRules: readonly AlertRule[] = [
  {
    rule: 'no_memory_limit',
    severity: 'info',
    expr: {
      portlight: [
        'container_memory_working_set_bytes{container_id!=""} / on (job, instance) group_left () system_memory_limit_bytes >= 0.1',
        'unless on (job, instance, container_id) container_memory_limit_bytes',
        'and on (job, instance) system_memory_linux_available_bytes / system_memory_limit_bytes < 0.1',
      ].join('\n'),
    },
    missing: { cadvisor: 'it has the total memory of the host, but not the available memory' },
    why: 'Not every container needs a limit. A large one without a limit matters on a host that is short of memory.',
    summary: "CONTAINER has no memory limit and uses {{ $value | humanizePercentage }} of the host's memory",
    description:
      'Container CONTAINER has no memory limit and uses {{ $value | humanizePercentage }} of the memory of {{ $labels.instance }}, of which less than 10% is available. The kernel may kill a process of another container.',
  },
];
