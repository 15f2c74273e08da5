/**
 * What the stats API says, as the kernel's files say it: the daemon has it from them, so that the catalogue's rows
 * read the one like the other.
 * Source: GET /containers/{id}/stats of the Engine API; moby, daemon/stats_unix.go, for what comes from which file.
 */
import type { Container } from '../../records/records.ts';

/** Of a period in which a limit of CPU time holds, microseconds: the daemon's own. */
const PERIOD = 100_000;
/** Of a tick of cpuacct.stat and of a microsecond, nanoseconds. */
const TICK = 10_000_000;
const MICRO = 1000;

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

/** As far as it is read. What a host does not have is absent or null. */
export interface Stats {
  /** When it was measured, RFC 3339; the year 1 for a container that does not run. */
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

const lines = (entries: readonly (readonly [string, number | undefined])[]): string =>
  entries
    .filter(([, value]) => value !== undefined)
    .map(([key, value]) => `${key} ${value}\n`)
    .join('');

const parts = (whole: number | undefined, part: number): number | undefined =>
  whole === undefined ? undefined : Math.round(whole / part);

const isEntry = ([, value]: readonly [string, unknown]): boolean => value !== undefined && value !== '';

/** A file's text by its name; absent where the daemon does not tell it. */
type Files = ReadonlyMap<string, string>;

const filesFrom = (texts: Readonly<Record<string, string | number | undefined>>): Files =>
  new Map(
    Object.entries(texts)
      .filter(isEntry)
      .map(([name, text]) => [name, String(text)]),
  );

function v1Files({ cpu_stats, memory_stats, pids_stats, blkio_stats }: Stats, limits: Limits): Files {
  const { cpu_usage = {}, throttling_data } = cpu_stats ?? {};
  const block = (entries: readonly BlockEntry[] | null | undefined) =>
    (entries ?? []).map(({ major, minor, op, value }) => `${major}:${minor} ${op} ${value}\n`).join('');
  return filesFrom({
    'cpuacct.usage': cpu_usage.total_usage,
    'cpuacct.stat': lines([
      ['user', parts(cpu_usage.usage_in_usermode, TICK)],
      ['system', parts(cpu_usage.usage_in_kernelmode, TICK)],
    ]),
    'cpuacct.usage_percpu': (cpu_usage.percpu_usage ?? []).join(' '),
    'cpu.stat': lines([
      ['nr_periods', throttling_data?.periods],
      ['nr_throttled', throttling_data?.throttled_periods],
      ['throttled_time', throttling_data?.throttled_time],
    ]),
    'cpu.cfs_quota_us': limits.quota,
    'cpu.cfs_period_us': limits.quota === undefined ? undefined : PERIOD,
    'memory.usage_in_bytes': memory_stats?.usage,
    'memory.max_usage_in_bytes': memory_stats?.max_usage,
    'memory.failcnt': memory_stats?.failcnt,
    'memory.limit_in_bytes': limits.memory,
    'memory.stat': lines(Object.entries(memory_stats?.stats ?? {})),
    'pids.current': pids_stats?.current,
    'pids.max': limits.pids,
    'blkio.throttle.io_service_bytes_recursive': block(blkio_stats?.io_service_bytes_recursive),
    'blkio.throttle.io_serviced_recursive': block(blkio_stats?.io_serviced_recursive),
  });
}

function v2Files({ cpu_stats, memory_stats, pids_stats, blkio_stats }: Stats, limits: Limits): Files {
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
  return filesFrom({
    'cpu.stat': lines([
      ['usage_usec', parts(cpu_usage.total_usage, MICRO)],
      ['user_usec', parts(cpu_usage.usage_in_usermode, MICRO)],
      ['system_usec', parts(cpu_usage.usage_in_kernelmode, MICRO)],
      ['nr_periods', throttling_data?.periods],
      ['nr_throttled', throttling_data?.throttled_periods],
      ['throttled_usec', parts(throttling_data?.throttled_time, MICRO)],
    ]),
    'cpu.max': limits.quota === undefined ? undefined : `${limits.quota} ${PERIOD}`,
    'memory.current': memory_stats?.usage,
    'memory.max': limits.memory,
    'memory.stat': lines(Object.entries(memory_stats?.stats ?? {})),
    'pids.current': pids_stats?.current,
    'pids.max': limits.pids,
    'io.stat': [...devices.values()].map((line) => `${line}\n`).join(''),
  });
}

/** The container's own; undefined where there is none. */
interface Limits {
  readonly quota: number | undefined;
  readonly memory: number | undefined;
  readonly pids: number | undefined;
}

/** Of the cgroups of the daemon's host: each version calls anonymous memory by a name of its own. */
export const versionOf = ({ memory_stats }: Stats): 1 | 2 =>
  memory_stats?.stats?.anon === undefined ? 1 : 2;

export function textsOf(stats: Stats, container: Container): Files {
  const limits: Limits = {
    quota: container.cpuLimit > 0 ? Math.round(container.cpuLimit * PERIOD) : undefined,
    // Where there is no limit, the daemon says what the host has.
    memory: container.memoryLimit > 0 ? container.memoryLimit : undefined,
    pids: stats.pids_stats?.limit || undefined,
  };
  return versionOf(stats) === 1 ? v1Files(stats, limits) : v2Files(stats, limits);
}
