/** /proc/<pid>/net/{dev,snmp,sockstat,tcp}: proc_pid_net(5), in the container's own network namespace. */
import type { Attributes } from '../records/records.ts';
import { cadvisorName, type DialectName, dockerName, row } from './entry.ts';

type Direction = 'receive' | 'transmit';

const inDirection = (direction: Direction): Attributes => ({ 'network.io.direction': direction });
const interfaceLabel = (attributes: Attributes): Attributes => ({
  interface: String(attributes['network.interface.name']),
});
const SHORT = { receive: 'rx', transmit: 'tx' } as const;
const directions: readonly Direction[] = ['receive', 'transmit'];

const dockerNames = (what: string, unit: string): DialectName[] =>
  directions.map((direction) =>
    dockerName(`network.io.usage.${SHORT[direction]}_${what}`, unit, 'counter', {
      when: inDirection(direction),
      attributes: interfaceLabel,
    }),
  );
const cadvisorNames = (what: string): DialectName[] =>
  directions.map((direction) =>
    cadvisorName(`container_network_${direction}_${what}_total`, {
      when: inDirection(direction),
      attributes: interfaceLabel,
    }),
  );

const PER_INTERFACE = '/proc/<pid>/net/dev';

export const network = {
  networkIo: row('network', 'container.network.io', 'counter', 'By', 'Bytes by interface and direction', {
    source: PER_INTERFACE,
    dockerStats: dockerNames('bytes', 'By'),
    cadvisor: cadvisorNames('bytes'),
  }),
  networkPackets: row(
    'network',
    'container.network.packet.count',
    'counter',
    '{packet}',
    'Packets by interface and direction',
    {
      source: PER_INTERFACE,
      dockerStats: dockerNames('packets', '{packets}'),
      cadvisor: cadvisorNames('packets'),
    },
  ),
  networkErrors: row(
    'network',
    'container.network.errors',
    'counter',
    '{error}',
    'Errors by interface and direction',
    {
      source: PER_INTERFACE,
      dockerStats: dockerNames('errors', '{errors}'),
      cadvisor: cadvisorNames('errors'),
    },
  ),
  networkDropped: row(
    'network',
    'container.network.packet.dropped',
    'counter',
    '{packet}',
    'Packets dropped by interface and direction',
    {
      source: PER_INTERFACE,
      dockerStats: dockerNames('dropped', '{packets}'),
      cadvisor: cadvisorNames('packets_dropped'),
    },
  ),
  tcpRetransmits: row(
    'network',
    'container.network.tcp.retransmits',
    'counter',
    '{segment}',
    'Retransmitted TCP segments',
    {
      optIn: true,
      source: '/proc/<pid>/net/snmp, Tcp RetransSegs',
    },
  ),
  sockets: row(
    'network',
    'container.network.sockets',
    'updowncounter',
    '{socket}',
    'Sockets in use, by protocol',
    {
      optIn: true,
      source: '/proc/<pid>/net/sockstat, inuse',
    },
  ),
  tcpConnections: row(
    'network',
    'container.network.connections',
    'updowncounter',
    '{connection}',
    'TCP connections by state',
    {
      optIn: true,
      source: '/proc/<pid>/net/{tcp,tcp6}',
    },
  ),
};
