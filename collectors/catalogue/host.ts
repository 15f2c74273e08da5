/** The host: https://opentelemetry.io/docs/specs/semconv/system/system-metrics/ from /proc and statfs(2). */
import { cadvisorName, row } from './entry.ts';

export const host = {
  systemCpuTime: row('host', 'system.cpu.time', 'counter', 's', 'CPU time by mode, summed over all CPUs', {
    source: '/proc/stat',
  }),
  systemCpuCount: row(
    'host',
    'system.cpu.logical.count',
    'updowncounter',
    '{cpus}',
    'Number of logical CPUs',
    {
      source: '/proc/stat',
      cadvisor: [cadvisorName('machine_cpu_cores')],
    },
  ),
  systemMemoryUsage: row('host', 'system.memory.usage', 'updowncounter', 'By', 'Memory by state', {
    source: '/proc/meminfo',
  }),
  systemMemoryLimit: row('host', 'system.memory.limit', 'updowncounter', 'By', 'Total memory', {
    source: '/proc/meminfo, MemTotal',
    cadvisor: [cadvisorName('machine_memory_bytes')],
  }),
  systemMemoryAvailable: row(
    'host',
    'system.memory.linux.available',
    'updowncounter',
    'By',
    'Memory available for new processes without swapping',
    {
      source: '/proc/meminfo, MemAvailable',
    },
  ),
  systemFilesystemUsage: row(
    'host',
    'system.filesystem.usage',
    'updowncounter',
    'By',
    'File system space by state',
    { source: 'statfs(2) of block devices in /proc/mounts' },
  ),
  systemDiskIo: row('host', 'system.disk.io', 'counter', 'By', 'Bytes read and written, by device', {
    source: '/proc/diskstats',
  }),
  systemDiskOperations: row(
    'host',
    'system.disk.operations',
    'counter',
    '{operation}',
    'Read and write operations, by device',
    { source: '/proc/diskstats' },
  ),
  systemNetworkIo: row(
    'host',
    'system.network.io',
    'counter',
    'By',
    "Bytes by interface and direction, in the host's network namespace",
    { source: '/proc/1/net/dev' },
  ),
  systemPressure: row(
    'host',
    'system.pressure.time',
    'counter',
    's',
    'Time that some or all (full) tasks waited, by resource',
    { source: '/proc/pressure/' },
  ),
  systemUptime: row('host', 'system.uptime', 'gauge', 's', 'Time since the host was started', {
    source: '/proc/uptime',
  }),
};
