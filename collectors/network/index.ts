/**
 * Traffic in each container's own network namespace. A namespace is counted once, on its owner: containers
 * that join another container's network (`--network container:X`) or the host's have no network metrics.
 * Source: proc_pid_net(5). A descriptor of a file in /proc/<pid>/net belongs to the namespace and stays open.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { catalogue } from '../catalogue/index.ts';
import type { Collector } from '../records/collector.ts';
import type { Attributes, Container, Metric, PointSink } from '../records/records.ts';
import { assertContainerProcess } from '../shared/cgroup-location.ts';
import { InterfaceAttributes } from '../shared/interface-attributes.ts';
import { type KernelFile, type KernelFiles, kernelBuffer } from '../shared/kernel-file.ts';
import { type InterfaceCounters, parseNetDev } from '../shared/proc-files.ts';
import { countTcpStates, parseSnmp, parseSockstat } from './proc-net.ts';

/** A metric and its columns in /proc/<pid>/net/dev, for receive and transmit. */
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

/** A network without traffic is read in every n-th round. */
const READ_EVERY = 3;

interface ContainerNetwork {
  readonly directory: string;
  readonly dev: KernelFile | undefined;
  readonly snmp: KernelFile | undefined;
  readonly sockstat: KernelFile | undefined;
  /** The last text of `dev`, and what it parses to: most texts equal the one before. */
  text: string | undefined;
  interfaces: readonly InterfaceCounters[];
  /** Whether the last two texts of `dev` are equal. */
  isQuiet: boolean;
  rounds: number;
}

export class NetworkCollector implements Collector {
  readonly name = 'network';
  private readonly procfs: string;
  private readonly enabled: ReadonlySet<Metric>;
  private readonly files: KernelFiles;
  private readonly networks = new Map<string, ContainerNetwork>();
  private readonly attributes = new Map<string, Attributes>();
  private readonly interfaceAttributes = new InterfaceAttributes();
  /** Whether a metric is enabled that is in another file than `dev`. */
  private readonly readsOtherFiles: boolean;
  private readonly isIdle: (container: Container) => boolean;

  /** @param isIdle whether nothing has happened in a container for two rounds */
  constructor(
    procfs: string,
    enabled: ReadonlySet<Metric>,
    files: KernelFiles,
    isIdle: (container: Container) => boolean = () => false,
  ) {
    this.isIdle = isIdle;
    this.readsOtherFiles = [catalogue.tcpRetransmits, catalogue.sockets, catalogue.tcpConnections].some(
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
    const network = this.files.openAll((open) => {
      const opened: ContainerNetwork = {
        text: undefined,
        interfaces: [],
        isQuiet: false,
        // So that containers are not all due in the same round.
        rounds: this.networks.size,
        directory,
        dev: open(join(directory, 'dev')),
        snmp: this.enabled.has(catalogue.tcpRetransmits) ? open(join(directory, 'snmp')) : undefined,
        sockstat: this.enabled.has(catalogue.sockets) ? open(join(directory, 'sockstat')) : undefined,
      };
      // After opening: open files stay with that process, even if its pid is reused.
      assertContainerProcess(this.procfs, container.pid, container.id);
      return opened;
    });
    this.networks.set(container.id, network);
  }

  detachContainer({ id }: Container): void {
    const network = this.networks.get(id);
    if (network !== undefined) this.closeNetwork(id, network);
  }

  close(): void {
    for (const [id, network] of this.networks) this.closeNetwork(id, network);
  }

  collectContainer(container: Container, points: PointSink): void {
    const network = this.networks.get(container.id);
    if (network === undefined) return;
    const isDue = network.rounds++ % READ_EVERY === 0;
    const { readsOtherFiles } = this;
    // An idle container can still have traffic: from outside, or of other containers that have joined its
    // network.
    if (!isDue && !readsOtherFiles && network.isQuiet && this.isIdle(container) && points.repeatPrevious())
      return;
    const text = this.read(network.dev);
    network.isQuiet = text === network.text;
    if (network.isQuiet && !readsOtherFiles && points.repeatPrevious()) return;
    if (!network.isQuiet) {
      network.text = text;
      network.interfaces = parseNetDev(text);
    }
    const { interfaces } = network;
    // A container without a network has only the loopback interface, and its sockets are not worth a metric.
    if (interfaces.length === 0) return;
    this.addTraffic(interfaces, points);
    if (readsOtherFiles) this.addSockets(network, points);
  }

  private addTraffic(interfaces: readonly InterfaceCounters[], points: PointSink): void {
    for (let index = 0; index < COLUMNS.length; index++) {
      const { metric, received, transmitted } = COLUMNS[index]!;
      for (let at = 0; at < interfaces.length; at++) {
        const { name, values } = interfaces[at]!;
        const { receive, transmit } = this.interfaceAttributes.forInterface(name);
        points.push({ metric, value: values[received]!, attributes: receive });
        points.push({ metric, value: values[transmitted]!, attributes: transmit });
      }
    }
  }

  private addSockets({ directory, snmp, sockstat }: ContainerNetwork, points: PointSink): void {
    if (snmp !== undefined) {
      const value = parseSnmp(this.read(snmp), 'Tcp', 'RetransSegs');
      if (value !== undefined) points.push({ metric: catalogue.tcpRetransmits, value });
    }
    if (sockstat !== undefined) {
      for (const { protocol, inUse } of parseSockstat(this.read(sockstat))) {
        const attributes = this.intern('network.protocol.name', protocol);
        points.push({ metric: catalogue.sockets, value: inUse, attributes });
      }
    }
    if (this.enabled.has(catalogue.tcpConnections)) {
      const counts = new Map<string, number>();
      for (const file of ['tcp', 'tcp6'])
        countTcpStates(readFileSync(join(directory, file), 'latin1'), counts);
      for (const [state, value] of counts) {
        const attributes = this.intern('network.connection.state', state);
        points.push({ metric: catalogue.tcpConnections, value, attributes });
      }
    }
  }

  private closeNetwork(id: string, { dev, snmp, sockstat }: ContainerNetwork): void {
    this.networks.delete(id);
    for (const file of [dev, snmp, sockstat]) file?.close();
  }

  private read(file: KernelFile | undefined): string {
    return kernelBuffer.toString('latin1', 0, file?.read() ?? 0);
  }

  /** The same object for the same value, so that the pipeline can compare attributes by identity. */
  private intern(key: string, value: string): Attributes {
    const id = `${key}\0${value}`;
    let attributes = this.attributes.get(id);
    if (attributes === undefined) {
      attributes = { [key]: value };
      this.attributes.set(id, attributes);
    }
    return attributes;
  }
}
