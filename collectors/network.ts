/**
 * Traffic in each container's own network namespace. A namespace is counted once, on its owner: containers
 * that join another's (`--network container:X`) and those on the host's network report none of their own.
 * Source: proc_pid_net(5). A descriptor of /proc/<pid>/net belongs to the namespace, and stays open.
 */

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { catalogue } from './catalogue/index.ts';
import type { Collector } from './records/collector.ts';
import type { Attributes, Container, Metric, PointSink } from './records/records.ts';
import { assertContainerProcess } from './shared/cgroup-location.ts';
import { InterfaceAttributes } from './shared/interface-attributes.ts';
import { type KernelFile, type KernelFiles, kernelBuffer } from './shared/kernel-file.ts';
import { type InterfaceCounters, parseNetDev } from './shared/proc-files.ts';

/** A metric and its columns in /proc/net/dev, for receive and transmit. */
const COLUMNS: readonly {
  readonly metric: Metric;
  readonly received: number;
  readonly transmitted: number;
}[] = [
  { metric: catalogue.networkIo, received: 0, transmitted: 8 },
  { metric: catalogue.networkPackets, received: 1, transmitted: 9 },
  { metric: catalogue.networkErrors, received: 2, transmitted: 10 },
  { metric: catalogue.networkDropped, received: 3, transmitted: 11 },
];

/** A counter of /proc/net/snmp; undefined where the kernel does not have it. */
export function parseSnmp(text: string, protocol: string, name: string): number | undefined {
  const [head = '', values = ''] = text.split('\n').filter((line) => line.startsWith(`${protocol}: `));
  const column = head.split(' ').indexOf(name);
  const value = column === -1 ? Number.NaN : Number(values.split(' ')[column]);
  return Number.isFinite(value) ? value : undefined;
}

/** Sockets in use by protocol, from /proc/net/sockstat. */
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

/** Connections by state, from the text of /proc/net/tcp or tcp6. */
export function countTcpStates(text: string, counts: Map<string, number>): void {
  for (const line of text.split('\n').slice(1)) {
    const state = TCP_STATES[Number.parseInt(line.trim().split(/\s+/)[3] ?? '', 16) - 1];
    if (state !== undefined) counts.set(state, (counts.get(state) ?? 0) + 1);
  }
}

/** In every so manieth round a network is looked at in which nothing moves. */
const LOOK_EVERY = 3;

/** Attributes of what an interface receives, and of what it transmits. */
interface Watched {
  readonly directory: string;
  readonly dev: KernelFile | undefined;
  readonly snmp: KernelFile | undefined;
  readonly sockstat: KernelFile | undefined;
  /** What `dev` said last, and what that means: of most containers, the same again. */
  text: string | undefined;
  interfaces: readonly InterfaceCounters[];
  /** Whether it said the same when it was looked at before. */
  isQuiet: boolean;
  rounds: number;
}

export class NetworkCollector implements Collector {
  readonly name = 'network';
  private readonly procfs: string;
  private readonly enabled: ReadonlySet<Metric>;
  private readonly files: KernelFiles;
  private readonly watched = new Map<string, Watched>();
  private readonly attributes = new Map<string, Attributes>();
  private readonly sides = new InterfaceAttributes();
  /** Whether other files than `dev` are read. */
  private readonly looksFurther: boolean;
  private readonly isStill: (container: Container) => boolean;

  /** @param isStill whether nothing has happened in a container for two rounds */
  constructor(
    procfs: string,
    enabled: ReadonlySet<Metric>,
    files: KernelFiles,
    isStill: (container: Container) => boolean = () => false,
  ) {
    this.isStill = isStill;
    this.looksFurther = [catalogue.tcpRetransmits, catalogue.sockets, catalogue.tcpConnections].some(
      (metric) => enabled.has(metric),
    );
    this.procfs = procfs;
    this.files = files;
    this.enabled = enabled;
  }

  attachContainer(container: Container): void {
    this.detachContainer(container);
    const { networkMode } = container;
    if (container.pid === 0 || networkMode === 'host' || networkMode.startsWith('container:')) return;
    const directory = join(this.procfs, String(container.pid), 'net');
    const watched = this.files.openAll((open) => {
      const opened: Watched = {
        text: undefined,
        interfaces: [],
        isQuiet: false,
        // Containers have their turns in different rounds.
        rounds: this.watched.size,
        directory,
        dev: open(join(directory, 'dev')),
        snmp: this.enabled.has(catalogue.tcpRetransmits) ? open(join(directory, 'snmp')) : undefined,
        sockstat: this.enabled.has(catalogue.sockets) ? open(join(directory, 'sockstat')) : undefined,
      };
      // After opening: what is open stays that process's, whoever gets its pid.
      assertContainerProcess(this.procfs, container.pid, container.id);
      return opened;
    });
    this.watched.set(container.id, watched);
  }

  detachContainer(container: Container): void {
    const watched = this.watched.get(container.id);
    if (watched === undefined) return;
    this.watched.delete(container.id);
    for (const file of [watched.dev, watched.snmp, watched.sockstat]) file?.close();
  }

  close(): void {
    for (const id of [...this.watched.keys()]) this.detachContainer({ id } as Container);
  }

  collectContainer(container: Container, points: PointSink): void {
    const watched = this.watched.get(container.id);
    if (watched === undefined) return;
    const isTurn = watched.rounds++ % LOOK_EVERY === 0;
    const { looksFurther } = this;
    // Traffic needs no process of this container's: it comes from outside, or is of others that have joined its network.
    if (!isTurn && !looksFurther && watched.isQuiet && this.isStill(container) && points.repeatPrevious())
      return;
    const text = this.read(watched.dev);
    watched.isQuiet = text === watched.text;
    if (watched.isQuiet && !looksFurther && points.repeatPrevious()) return;
    if (!watched.isQuiet) {
      watched.text = text;
      watched.interfaces = parseNetDev(text);
    }
    const { interfaces } = watched;
    // A container without a network has no interface but the loopback, and no sockets worth a number.
    if (interfaces.length === 0) return;
    for (let index = 0; index < COLUMNS.length; index++) {
      const { metric, received, transmitted } = COLUMNS[index]!;
      for (let at = 0; at < interfaces.length; at++) {
        const { name, values } = interfaces[at]!;
        const { receive, transmit } = this.sides.forInterface(name);
        points.push({ metric, value: values[received]!, attributes: receive });
        points.push({ metric, value: values[transmitted]!, attributes: transmit });
      }
    }
    if (watched.snmp !== undefined) {
      const value = parseSnmp(this.read(watched.snmp), 'Tcp', 'RetransSegs');
      if (value !== undefined) points.push({ metric: catalogue.tcpRetransmits, value });
    }
    if (watched.sockstat !== undefined) {
      for (const { protocol, inUse } of parseSockstat(this.read(watched.sockstat))) {
        points.push({
          metric: catalogue.sockets,
          value: inUse,
          attributes: this.interned('network.protocol.name', protocol),
        });
      }
    }
    if (this.enabled.has(catalogue.tcpConnections)) {
      const counts = new Map<string, number>();
      for (const file of ['tcp', 'tcp6'])
        countTcpStates(readFileSync(join(watched.directory, file), 'latin1'), counts);
      for (const [state, value] of counts) {
        const attributes = this.interned('network.connection.state', state);
        points.push({ metric: catalogue.tcpConnections, value, attributes });
      }
    }
  }

  private read(file: KernelFile | undefined): string {
    return kernelBuffer.toString('latin1', 0, file?.read() ?? 0);
  }

  /** One object for equal attributes. */
  private interned(...pairs: string[]): Attributes {
    const id = pairs.join('\0');
    let attributes = this.attributes.get(id);
    if (attributes === undefined) {
      const made: Record<string, string> = {};
      for (let index = 0; index < pairs.length; index += 2) made[pairs[index]!] = pairs[index + 1]!;
      attributes = made;
      this.attributes.set(id, attributes);
    }
    return attributes;
  }
}
