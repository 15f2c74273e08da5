/** v1: Documentation/admin-guide/cgroup-v1/blkio-controller.rst; v2: cgroup-v2.rst, "IO Interface Files". */
import type { Attributes } from '../records/records.ts';
import { cadvisorName, type DialectName, dockerName, MICRO, row, type TableReading } from './entry.ts';

type Direction = 'read' | 'write' | 'discard';

const inDirection = (direction: Direction): Attributes => ({ 'disk.io.direction': direction });

/** The BFQ scheduler has its own counters; without it, the throttling policy counts everything. */
const V1_POLICIES = ['blkio.bfq', 'blkio.throttle'];

function tables(v1File: string, v2Columns: Readonly<Record<Direction, string>>): TableReading[] {
  const directions: Direction[] = ['read', 'write', 'discard'];
  const common = { label: 'device', scale: 1 } as const;
  return [
    ...V1_POLICIES.flatMap((policy) =>
      directions.map(
        (direction): TableReading => ({
          ...common,
          controller: 'blkio',
          file: `${policy}.${v1File}_recursive`,
          format: 'words',
          column: direction[0]!.toUpperCase() + direction.slice(1),
          attributes: inDirection(direction),
        }),
      ),
    ),
    ...directions.map(
      (direction): TableReading => ({
        ...common,
        controller: 'io',
        file: 'io.stat',
        format: 'pairs',
        column: v2Columns[direction],
        attributes: inDirection(direction),
      }),
    ),
  ];
}

function blockAttributes(attributes: Attributes): Attributes {
  const [major = '', minor = ''] = String(attributes['linux.device.id']).split(':');
  return { device_major: major, device_minor: minor, operation: String(attributes['disk.io.direction']) };
}

const deviceLabel = (attributes: Attributes): Attributes => ({
  device: `/dev/${attributes['system.device']}`,
});

const cadvisorDisk = (name: string, direction: Direction): DialectName =>
  cadvisorName(name, { when: inDirection(direction), attributes: deviceLabel });

export const disk = {
  diskIo: row('disk', 'container.disk.io', 'counter', 'By', 'Bytes read, written and discarded, by device', {
    tables: tables('io_service_bytes', { read: 'rbytes', write: 'wbytes', discard: 'dbytes' }),
    dockerStats: [
      dockerName('blockio.io_service_bytes_recursive', 'By', 'counter', { attributes: blockAttributes }),
    ],
    cadvisor: [
      cadvisorDisk('container_fs_reads_bytes_total', 'read'),
      cadvisorDisk('container_fs_writes_bytes_total', 'write'),
      cadvisorName('container_blkio_device_usage_total', {
        attributes: (attributes) => ({
          ...deviceLabel(attributes),
          operation: String(attributes['disk.io.direction']).replace(/^./, (first) => first.toUpperCase()),
        }),
      }),
    ],
  }),
  diskOperations: row(
    'disk',
    'container.disk.operations',
    'counter',
    '{operation}',
    'Read, write and discard operations, by device',
    {
      tables: tables('io_serviced', { read: 'rios', write: 'wios', discard: 'dios' }),
      dockerStats: [
        dockerName('blockio.io_serviced_recursive', '{operations}', 'counter', {
          attributes: blockAttributes,
        }),
      ],
      cadvisor: [
        cadvisorDisk('container_fs_reads_total', 'read'),
        cadvisorDisk('container_fs_writes_total', 'write'),
      ],
    },
  ),
  diskCost: row(
    'disk',
    'container.disk.cost',
    'counter',
    's',
    'Device time of the I/O cost model: used, waited for, owed and delayed (cgroup v2 with io.cost)',
    {
      tables: ['usage', 'wait', 'indebt', 'indelay'].map((state) => ({
        controller: 'io',
        file: 'io.stat',
        format: 'pairs',
        column: `cost.${state}`,
        label: 'device',
        attributes: { 'linux.io.cost.state': state },
        scale: MICRO,
      })),
    },
  ),
};
