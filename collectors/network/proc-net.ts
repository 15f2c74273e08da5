/**
 * Parsers of the files of /proc/<pid>/net.
 * Source: proc_pid_net(5).
 */

/** A counter of /proc/<pid>/net/snmp; undefined where the kernel does not have it. */
export function parseSnmp(text: string, protocol: string, name: string): number | undefined {
  const [head = '', values = ''] = text.split('\n').filter((line) => line.startsWith(`${protocol}: `));
  const column = head.split(' ').indexOf(name);
  const value = column === -1 ? Number.NaN : Number(values.split(' ')[column]);
  return Number.isFinite(value) ? value : undefined;
}

/** Sockets in use by protocol, from the text of /proc/<pid>/net/sockstat. */
export function parseSockstat(text: string): { protocol: string; inUse: number }[] {
  return [...text.matchAll(/^(\w+): inuse (\d+)/gm)].map(([, protocol = '', inUse]) => ({
    protocol: protocol.toLowerCase(),
    inUse: Number(inUse),
  }));
}

/** The kernel's TCP states by number (include/net/tcp_states.h), in the semantic conventions' names. */
const TCP_STATES = [
  'established',
  'syn_sent',
  'syn_received',
  'fin_wait_1',
  'fin_wait_2',
  'time_wait',
  'close',
  'close_wait',
  'last_ack',
  'listen',
  'closing',
];

/** Adds the connections of the text of /proc/<pid>/net/tcp or tcp6 to `counts`, by state. */
export function countTcpStates(text: string, counts: Map<string, number>): void {
  for (const line of text.split('\n').slice(1)) {
    const state = TCP_STATES[Number.parseInt(line.trim().split(/\s+/)[3] ?? '', 16) - 1];
    if (state !== undefined) counts.set(state, (counts.get(state) ?? 0) + 1);
  }
}
