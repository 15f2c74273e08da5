import type { AlertSeverity } from '../../../config/severity.ts';
/**
 * The agent's built-in alert rules as Prometheus alerting rules, for either scrape page: what config/prometheus/
 * has. Thresholds are the built-in rules'; whatever has to be told differently to Prometheus says why.
 */

/** The two scrape pages: /metrics and /metrics/cadvisor. */
export type Page = 'portlight' | 'cadvisor';

export interface AlertRule {
  /** The name of the agent's own rule. */
  readonly rule: string;
  readonly severity: AlertSeverity;
  /** Duration for which the expression has to hold; fires at once without. */
  readonly for?: Readonly<Partial<Record<Page, string>>>;
  /** PromQL by page; the value is what the annotations tell. */
  readonly expr: Readonly<Partial<Record<Page, string>>>;
  /** Why the page cannot have the rule; said at the top of its file. */
  readonly missing?: Readonly<Partial<Record<Page, string>>>;
  /** What to know before one changes it. */
  readonly why: string;
  /** Template; CONTAINER is replaced by the page's label. */
  readonly summary: string;
  /** Template, likewise. */
  readonly description: string;
}

/** Of cAdvisor's series, those of containers: its own daemon has some for cgroups and the machine, without a name. */
const named = (metric: string): string => `${metric}{name!=""}`;

/** cAdvisor itself says 0 where there is no limit. */
const limitOf = (metric: string): string => `(${named(metric)} > 0)`;

/**
 * Seconds until `room` is used up, at most `horizon` of them: at the pace at which the lowest value of `use` rose from
 * the middle third of a window to its last third, and no slower from the first third to the middle one. Lowest values
 * do not rise where use goes up and down again (garbage collection, rotated files), and one step up is no trend.
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
    why: 'The working set leaves out the page cache that the kernel takes back first: what is left has to fit.',
    summary: 'CONTAINER uses {{ $value | humanizePercentage }} of its memory limit',
    description:
      'The working set of container CONTAINER on {{ $labels.instance }} is {{ $value | humanizePercentage }} of its memory limit. At the limit the kernel kills a process of it.',
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
    why: 'The lowest use of each third of 15 minutes has to rise, twice, and fast enough to meet the limit within 15 minutes. A saw-tooth whose teeth are longer than the window looks like a leak.',
    summary: 'CONTAINER reaches its memory limit in {{ $value | humanizeDuration }}',
    description:
      'The memory of container CONTAINER on {{ $labels.instance }} has been rising for 15 minutes. At this pace it reaches its limit in {{ $value | humanizeDuration }}.',
  },
  {
    rule: 'oom_kill',
    severity: 'critical',
    expr: {
      portlight:
        'sum without (container_memory_event) (increase(container_memory_events_total{container_memory_event="oom_kill"}[5m])) > 0\nor\ncontainer_oom_killed == 1',
      cadvisor: `increase(${named('container_oom_events_total')}[5m]) > 0`,
    },
    why: 'A container that dies of it takes its counter with it. One that is started again between two scrapes leaves no trace on the page; the event docker.container.oom has it.',
    summary: 'The kernel killed a process of CONTAINER for want of memory',
    description:
      'In container CONTAINER on {{ $labels.instance }} the kernel killed a process, because the container had reached its memory limit or the host had no memory left.',
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
    why: 'A request that meets a used-up quota waits for the rest of the period, up to 100 ms: a quarter of the periods is felt.',
    summary: 'CONTAINER is throttled in {{ $value | humanizePercentage }} of its CPU periods',
    description:
      'Container CONTAINER on {{ $labels.instance }} used up its CPU quota in {{ $value | humanizePercentage }} of the periods of the last minute.',
  },
  {
    rule: 'cpu_pressure',
    severity: 'warning',
    for: { portlight: '5m', cadvisor: '5m' },
    expr: {
      portlight: `rate(container_cpu_pressure_time_seconds_total${full}[1m]) >= 0.25`,
      cadvisor: `rate(${named('container_pressure_cpu_stalled_seconds_total')}[1m]) >= 0.25`,
    },
    why: 'Wants metrics.enable: [pressure], and a kernel with PSI. Full: none of the tasks that could run did. The agent, which reads pressure every sixth round, takes the average of 5 minutes.',
    summary: 'CONTAINER stood still for want of CPU {{ $value | humanizePercentage }} of the time',
    description:
      'For {{ $value | humanizePercentage }} of the last minute all tasks of container CONTAINER on {{ $labels.instance }} waited for CPU time.',
  },
  {
    rule: 'memory_pressure',
    severity: 'warning',
    for: { portlight: '2m', cadvisor: '2m' },
    expr: {
      portlight: `rate(container_memory_pressure_time_seconds_total${full}[1m]) >= 0.1`,
      cadvisor: `rate(${named('container_pressure_memory_stalled_seconds_total')}[1m]) >= 0.1`,
    },
    why: 'Wants metrics.enable: [pressure], and a kernel with PSI. Full: all tasks waited for pages at once. The agent takes the average of 3 minutes.',
    summary: 'CONTAINER stood still for want of memory {{ $value | humanizePercentage }} of the time',
    description:
      'For {{ $value | humanizePercentage }} of the last minute all tasks of container CONTAINER on {{ $labels.instance }} waited for memory.',
  },
  {
    rule: 'pids',
    severity: 'warning',
    expr: {
      portlight: 'container_pids_current / container_pids_limit >= 0.9',
      cadvisor: `${named('container_threads')} / ${limitOf('container_threads_max')} >= 0.9`,
    },
    why: 'At the limit fork and pthread_create fail, which few programs expect.',
    summary: 'CONTAINER has {{ $value | humanizePercentage }} of the processes and threads that it may have',
    description:
      'Container CONTAINER on {{ $labels.instance }} is at {{ $value | humanizePercentage }} of its pids limit. At the limit it can start no process and no thread.',
  },
  {
    rule: 'restart_loop',
    severity: 'critical',
    expr: {
      portlight: 'container_restarts - min_over_time(container_restarts[10m]) >= 3',
      cadvisor: `changes(${named('container_start_time_seconds')}[10m]) >= 3`,
    },
    why: 'The daemon counts restarts by its restart policy. cAdvisor has the time of the last start only: starts by hand count too, and of several between two scrapes one does.',
    summary: 'CONTAINER was restarted {{ $value }} times within 10 minutes',
    description:
      'Container CONTAINER on {{ $labels.instance }} ends soon after it is started: {{ $value }} restarts within 10 minutes.',
  },
  {
    rule: 'unhealthy',
    severity: 'warning',
    for: { cadvisor: '5m' },
    expr: {
      portlight: 'container_health{container_health_status="unhealthy"} == 1',
      cadvisor: `${named('container_health_state')} == 0`,
    },
    why: "The health check has its own patience (retries). cAdvisor's metric does not tell unhealthy from starting: 5 minutes let it start.",
    summary: 'CONTAINER is unhealthy',
    description: 'The health check of container CONTAINER on {{ $labels.instance }} fails.',
  },
  {
    rule: 'exit',
    severity: 'warning',
    expr: { portlight: 'container_exit_code > 0 != 137 != 143' },
    missing: { cadvisor: 'of containers that have ended it has nothing' },
    why: 'docker stop and docker kill end with 143 or 137; that a container was stopped by order is not on the page. An OOM kill is told by its own rule.',
    summary: 'CONTAINER ended with exit code {{ $value }}',
    description:
      'Container CONTAINER on {{ $labels.instance }} ended with exit code {{ $value }}, and has not been started since.',
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
    missing: { cadvisor: 'it has the size of the file system, but not the space that is left' },
    why: 'As the forecast of memory, over an hour: the daemon is asked for sizes every metrics.storage_interval.',
    summary: 'CONTAINER fills the disk in {{ $value | humanizeDuration }}',
    description:
      'The writable layer of container CONTAINER on {{ $labels.instance }} has been growing for an hour. At this pace the file system that holds it is full in {{ $value | humanizeDuration }}.',
  },
  {
    rule: 'log_rate',
    severity: 'info',
    expr: { portlight: 'increase(container_log_dropped_total{reason="rate_limit"}[5m]) > 0' },
    missing: { cadvisor: 'it has no logs' },
    why: 'What the limit holds back is counted, and told in the log itself; here somebody is to see it.',
    summary: 'Lines of the log of CONTAINER are withheld',
    description:
      'Container CONTAINER on {{ $labels.instance }} logs faster than logs.rate_limit allows: {{ $value | printf "%.0f" }} lines were withheld within 5 minutes.',
  },
  {
    rule: 'descriptors',
    severity: 'warning',
    expr: { portlight: 'container_process_open_file_descriptor_utilization_ratio >= 0.9' },
    missing: { cadvisor: 'it has the number of open files, but not what each process may open' },
    why: 'Wants metrics.enable: [process]. At its soft limit a process can neither open files nor accept connections.',
    summary:
      'A process of CONTAINER has {{ $value | humanizePercentage }} of the open files that it may have',
    description:
      'A process of container CONTAINER on {{ $labels.instance }} is at {{ $value | humanizePercentage }} of its soft limit of open files.',
  },
];

/** Rules that are off in the agent too, and are in a file of their own. */
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
    missing: { cadvisor: 'of the host it has the memory that there is, but not what is available' },
    why: 'Not every container needs a limit: one without matters where the host is short, and it is one of the large ones.',
    summary: "CONTAINER has no memory limit, and uses {{ $value | humanizePercentage }} of the host's memory",
    description:
      "Container CONTAINER has no memory limit and uses {{ $value | humanizePercentage }} of the memory of {{ $labels.instance }}, of which less than 10% is available. The kernel may kill another container's process for it.",
  },
];
