/** The host: https://opentelemetry.io/docs/specs/semconv/system/system-metrics/ from /proc and statfs(2). */
import { cadvisorName, row } from './entry.ts';

export const host = {
  systemCpuTime: row('host', 'system.cpu.time', 'counter', 's', 'CPU time by mode, all CPUs together', {
    source: '/proc/stat',
  }),
  systemCpuCount: row('host', 'system.cpu.logical.count', 'updowncounter', '{cpus}', 'Logical CPUs', {
    source: '/proc/stat',
    cadvisor: [cadvisorName('machine_cpu_cores')],
  }),
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
    'Memory that new work could use without swapping',
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
  systemDiskIo: row('host', 'system.disk.io', 'counter', 'By', 'Bytes by device and direction', {
    source: '/proc/diskstats',
  }),
  systemDiskOperations: row(
    'host',
    'system.disk.operations',
    'counter',
    '{operation}',
    'Operations by device and direction',
    { source: '/proc/diskstats' },
  ),
  systemNetworkIo: row(
    'host',
    'system.network.io',
    'counter',
    'By',
    "Bytes by interface and direction, of the host's own network",
    { source: '/proc/1/net/dev' },
  ),
  systemPressure: row(
    'host',
    'system.pressure.time',
    'counter',
    's',
    'Time that some or all tasks waited, by resource',
    { source: '/proc/pressure/' },
  ),
  systemUptime: row('host', 'system.uptime', 'gauge', 's', 'Time since the host was started', {
    source: '/proc/uptime',
  }),
};
