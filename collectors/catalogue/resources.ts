/** pids, hugetlb, rdma, misc and freezer. v1: Documentation/admin-guide/cgroup-v1/; v2: cgroup-v2.rst. */
import {
  active,
  cadvisorName,
  dockerName,
  fromField,
  key,
  rare,
  row,
  setting,
  type TableReading,
  value,
} from './entry.ts';

const hugetlb = (file: string, key?: string): TableReading => ({
  controller: 'hugetlb',
  file,
  format: key === undefined ? 'value' : 'key',
  column: key ?? '',
  label: 'page_size',
  scale: 1,
});

const rdma = (file: string, column: string): TableReading => ({
  controller: 'rdma',
  file,
  format: 'pairs',
  column,
  label: 'resource',
  scale: 1,
});

const misc = (file: string): TableReading => ({
  controller: 'misc',
  file,
  format: 'keys',
  column: '',
  label: 'resource',
  scale: 1,
});

export const resources = {
  pidsCount: row(
    'pids',
    'container.pids.current',
    'updowncounter',
    '{pid}',
    'Number of processes and threads',
    {
      v1: fromField(active(value('pids', 'pids.current'))),
      v2: fromField(active(value('pids', 'pids.current'))),
      dockerStats: [dockerName('pids.count', '{pids}', 'updowncounter')],
      cadvisor: [cadvisorName('container_threads')],
    },
  ),
  pidsLimit: row(
    'pids',
    'container.pids.limit',
    'updowncounter',
    '{pid}',
    'Limit of processes and threads; absent without a limit',
    {
      v1: fromField(setting(value('pids', 'pids.max'))),
      v2: fromField(setting(value('pids', 'pids.max'))),
      dockerStats: [dockerName('pids.limit', '{pids}', 'updowncounter')],
      cadvisor: [cadvisorName('container_threads_max')],
    },
  ),
  pidsFails: row(
    'pids',
    'container.pids.fails',
    'counter',
    '{fail}',
    'Forks that failed because of the limit',
    {
      v1: fromField(rare(key('pids', 'pids.events', 'max'))),
      v2: fromField(rare(key('pids', 'pids.events', 'max'))),
    },
  ),
  hugetlbUsage: row(
    'hugetlb',
    'container.hugetlb.usage',
    'updowncounter',
    'By',
    'Huge pages in use, by page size',
    {
      optIn: true,
      tables: [hugetlb('hugetlb.*.usage_in_bytes'), hugetlb('hugetlb.*.current')],
    },
  ),
  hugetlbLimit: row(
    'hugetlb',
    'container.hugetlb.limit',
    'updowncounter',
    'By',
    'Huge page limit, by page size',
    {
      optIn: true,
      tables: [hugetlb('hugetlb.*.limit_in_bytes'), hugetlb('hugetlb.*.max')],
    },
  ),
  hugetlbFails: row(
    'hugetlb',
    'container.hugetlb.fails',
    'counter',
    '{fail}',
    'Huge page allocations that failed because of the limit, by page size',
    {
      optIn: true,
      tables: [hugetlb('hugetlb.*.failcnt'), hugetlb('hugetlb.*.events', 'max')],
    },
  ),
  rdmaHandles: row(
    'rdma',
    'container.rdma.handles',
    'updowncounter',
    '{handle}',
    'RDMA handles in use, by device',
    {
      optIn: true,
      tables: [rdma('rdma.current', 'hca_handle')],
    },
  ),
  rdmaObjects: row(
    'rdma',
    'container.rdma.objects',
    'updowncounter',
    '{object}',
    'RDMA objects in use, by device',
    {
      optIn: true,
      tables: [rdma('rdma.current', 'hca_object')],
    },
  ),
  miscUsage: row(
    'misc',
    'container.misc.usage',
    'updowncounter',
    '{unit}',
    'Use of scalar host resources such as encryption contexts',
    {
      optIn: true,
      tables: [misc('misc.current')],
    },
  ),
  frozen: row(
    'pids',
    'container.frozen',
    'updowncounter',
    '{boolean}',
    '1 while the container is paused (frozen), else 0',
    {
      v1: fromField({
        controller: 'freezer',
        file: 'freezer.state',
        location: { at: 'text', text: 'FROZEN' },
        scale: 1,
        cadence: 'setting',
      }),
      v2: fromField(setting(key('unified', 'cgroup.events', 'frozen'))),
    },
  ),
};
