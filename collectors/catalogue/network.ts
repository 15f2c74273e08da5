/** /proc/<pid>/net/{dev,snmp,sockstat,tcp}: proc_pid_net(5), in the container's own network namespace. */
import type { Attributes } from '../records/records.ts';
import { cadvisorName, type DialectName, dockerName, row } from './entry.ts';

type Direction = 'receive' | 'transmit';

const direction = (of: Direction): Attributes => ({ 'network.io.direction': of });
const named = (attributes: Attributes): Attributes => ({
  interface: String(attributes['network.interface.name']),
});
const SHORT = { receive: 'rx', transmit: 'tx' } as const;
const both: readonly Direction[] = ['receive', 'transmit'];

const dockerNames = (what: string, unit: string): DialectName[] =>
  both.map((of) =>
    dockerName(`network.io.usage.${SHORT[of]}_${what}`, unit, 'counter', {
      when: direction(of),
      attributes: named,
    }),
  );
const cadvisorNames = (what: string): DialectName[] =>
  both.map((of) =>
    cadvisorName(`container_network_${of}_${what}_total`, { when: direction(of), attributes: named }),
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
