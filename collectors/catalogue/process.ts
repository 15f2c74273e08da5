/** The container's processes: cgroup.procs of its whole subtree, /proc/<pid>/{stat,fd}. */
import { cadvisorName, row } from './entry.ts';

export const processes = {
  processCount: row('process', 'container.processes', 'updowncounter', '{process}', 'Number of processes', {
    optIn: true,
    source: 'cgroup.procs, sub-cgroups included',
    cadvisor: [cadvisorName('container_processes')],
  }),
  openDescriptors: row(
    'process',
    'container.process.open_file_descriptors',
    'updowncounter',
    '{file_descriptor}',
    'Open file descriptors of all processes',
    {
      optIn: true,
      source: '/proc/<pid>/fd',
      cadvisor: [cadvisorName('container_file_descriptors')],
    },
  ),
  descriptorUtilization: row(
    'process',
    'container.process.open_file_descriptor.utilization',
    'gauge',
    '1',
    'Open file descriptors as a share of the soft limit (RLIMIT_NOFILE), of the process with the highest share',
    {
      optIn: true,
      source: '/proc/<pid>/fd, /proc/<pid>/limits',
    },
  ),
  openSockets: row(
    'process',
    'container.process.open_sockets',
    'updowncounter',
    '{socket}',
    'Open file descriptors that are sockets',
    {
      optIn: true,
      source: '/proc/<pid>/fd',
      cadvisor: [cadvisorName('container_sockets')],
    },
  ),
  taskStates: row('process', 'container.process.state', 'updowncounter', '{process}', 'Processes by state', {
    optIn: true,
    source: '/proc/<pid>/stat',
    cadvisor: [
      cadvisorName('container_tasks_state', {
        attributes: (attributes) => ({ state: String(attributes['process.state']) }),
      }),
    ],
  }),
};
