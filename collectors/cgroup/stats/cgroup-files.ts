/**
 * Formats an answer of the stats API as the text of the kernel's cgroup files. The daemon has the answer from
 * those files, so the same catalogue rows can read both.
 * Source: GET /containers/{id}/stats of the Engine API; moby, daemon/stats_unix.go, for what comes from which
 * file.
 */
import type { Container } from '../../records/records.ts';

/** The period that the daemon enforces a CPU limit in, microseconds. */
const PERIOD_US = 100_000;
/** Nanoseconds of a tick of cpuacct.stat, and of a microsecond. */
const TICK_NS = 10_000_000;
const MICROSECOND_NS = 1000;

interface BlockEntry {
  readonly major: number;
  readonly minor: number;
  /** `Read` on cgroup v1, `read` on v2. */
  readonly op: string;
  readonly value: number;
}

interface InterfaceStats {
  readonly rx_bytes: number;
  readonly rx_packets: number;
  readonly rx_errors: number;
  readonly rx_dropped: number;
  readonly tx_bytes: number;
  readonly tx_packets: number;
  readonly tx_errors: number;
  readonly tx_dropped: number;
}

/** The part of the answer that the agent reads. What the host does not have is absent or null. */
export interface Stats {
  /** Time of the measurement, RFC 3339; in the year 1 for a container that does not run. */
  readonly read: string;
  readonly cpu_stats?: {
    /** Nanoseconds. */
    readonly cpu_usage?: {
      readonly total_usage?: number;
      readonly usage_in_usermode?: number;
      readonly usage_in_kernelmode?: number;
      readonly percpu_usage?: readonly number[] | null;
    };
    readonly throttling_data?: {
      readonly periods: number;
      readonly throttled_periods: number;
      /** Nanoseconds. */
      readonly throttled_time: number;
    };
  };
  /** Bytes. */
  readonly memory_stats?: {
    readonly usage?: number;
    readonly max_usage?: number;
    readonly failcnt?: number;
    /** memory.stat. */
    readonly stats?: Readonly<Record<string, number>>;
  };
  readonly pids_stats?: { readonly current?: number; readonly limit?: number };
  readonly blkio_stats?: {
    readonly io_service_bytes_recursive?: readonly BlockEntry[] | null;
    readonly io_serviced_recursive?: readonly BlockEntry[] | null;
  };
  readonly networks?: Readonly<Record<string, InterfaceStats>>;
}

const formatLines = (entries: readonly (readonly [string, number | undefined])[]): string =>
  entries
    .filter(([, value]) => value !== undefined)
    .map(([key, value]) => `${key} ${value}\n`)
    .join('');

const inUnits = (value: number | undefined, unit: number): number | undefined =>
  value === undefined ? undefined : Math.round(value / unit);

const hasText = ([, value]: readonly [string, unknown]): boolean => value !== undefined && value !== '';

/** A file's text by its name; absent where the answer does not have it. */
type Files = ReadonlyMap<string, string>;

const withoutAbsent = (texts: Readonly<Record<string, string | number | undefined>>): Files =>
  new Map(
    Object.entries(texts)
      .filter(hasText)
      .map(([name, text]) => [name, String(text)]),
  );

function formatV1Files({ cpu_stats, memory_stats, pids_stats, blkio_stats }: Stats, limits: Limits): Files {
  const { cpu_usage = {}, throttling_data } = cpu_stats ?? {};
  const block = (entries: readonly BlockEntry[] | null | undefined) =>
    (entries ?? []).map(({ major, minor, op, value }) => `${major}:${minor} ${op} ${value}\n`).join('');
  return withoutAbsent({
    'cpuacct.usage': cpu_usage.total_usage,
    'cpuacct.stat': formatLines([
      ['user', inUnits(cpu_usage.usage_in_usermode, TICK_NS)],
      ['system', inUnits(cpu_usage.usage_in_kernelmode, TICK_NS)],
    ]),
    'cpuacct.usage_percpu': (cpu_usage.percpu_usage ?? []).join(' '),
    'cpu.stat': formatLines([
      ['nr_periods', throttling_data?.periods],
      ['nr_throttled', throttling_data?.throttled_periods],
      ['throttled_time', throttling_data?.throttled_time],
    ]),
    'cpu.cfs_quota_us': limits.quota,
    'cpu.cfs_period_us': limits.quota === undefined ? undefined : PERIOD_US,
    'memory.usage_in_bytes': memory_stats?.usage,
    'memory.max_usage_in_bytes': memory_stats?.max_usage,
    'memory.failcnt': memory_stats?.failcnt,
    'memory.limit_in_bytes': limits.memory,
    'memory.stat': formatLines(Object.entries(memory_stats?.stats ?? {})),
    'pids.current': pids_stats?.current,
    'pids.max': limits.pids,
    'blkio.throttle.io_service_bytes_recursive': block(blkio_stats?.io_service_bytes_recursive),
    'blkio.throttle.io_serviced_recursive': block(blkio_stats?.io_serviced_recursive),
  });
}

function formatV2Files({ cpu_stats, memory_stats, pids_stats, blkio_stats }: Stats, limits: Limits): Files {
  const { cpu_usage = {}, throttling_data } = cpu_stats ?? {};
  const devices = new Map<string, string>();
  const block = (entries: readonly BlockEntry[] | null | undefined, unit: string) => {
    for (const { major, minor, op, value } of entries ?? []) {
      const device = `${major}:${minor}`;
      const pair = `${op[0]!.toLowerCase()}${unit}=${value}`;
      devices.set(device, `${devices.get(device) ?? device} ${pair}`);
    }
  };
  block(blkio_stats?.io_service_bytes_recursive, 'bytes');
  block(blkio_stats?.io_serviced_recursive, 'ios');
  return withoutAbsent({
    'cpu.stat': formatLines([
      ['usage_usec', inUnits(cpu_usage.total_usage, MICROSECOND_NS)],
      ['user_usec', inUnits(cpu_usage.usage_in_usermode, MICROSECOND_NS)],
      ['system_usec', inUnits(cpu_usage.usage_in_kernelmode, MICROSECOND_NS)],
      ['nr_periods', throttling_data?.periods],
      ['nr_throttled', throttling_data?.throttled_periods],
      ['throttled_usec', inUnits(throttling_data?.throttled_time, MICROSECOND_NS)],
    ]),
    'cpu.max': limits.quota === undefined ? undefined : `${limits.quota} ${PERIOD_US}`,
    'memory.current': memory_stats?.usage,
    'memory.max': limits.memory,
    'memory.stat': formatLines(Object.entries(memory_stats?.stats ?? {})),
    'pids.current': pids_stats?.current,
    'pids.max': limits.pids,
    'io.stat': [...devices.values()].map((line) => `${line}\n`).join(''),
  });
}

/** The container's limits; undefined where there is none. */
interface Limits {
  readonly quota: number | undefined;
  readonly memory: number | undefined;
  readonly pids: number | undefined;
}

/** The cgroup version of the daemon's host. Only v2 calls anonymous memory `anon`. */
export const cgroupVersion = ({ memory_stats }: Stats): 1 | 2 =>
  memory_stats?.stats?.anon === undefined ? 1 : 2;

export function formatCgroupFiles(stats: Stats, container: Container): Files {
  const limits: Limits = {
    quota: container.cpuLimit > 0 ? Math.round(container.cpuLimit * PERIOD_US) : undefined,
    // Without a limit, the stats have the host's memory as the limit.
    memory: container.memoryLimit > 0 ? container.memoryLimit : undefined,
    pids: stats.pids_stats?.limit || undefined,
  };
  return cgroupVersion(stats) === 1 ? formatV1Files(stats, limits) : formatV2Files(stats, limits);
}
