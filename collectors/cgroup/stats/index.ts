/**
 * Metrics from the stats API, for containers whose cgroups cannot be read from here, mostly those of a remote
 * daemon. An answer costs the daemon milliseconds per container, so only a few requests run at a time.
 */

import type Docker from 'dockerode';
import type { CatalogueEntry } from '../../catalogue/entry.ts';
import { catalogue } from '../../catalogue/index.ts';
import { isNotFound } from '../../engine/client.ts';
import type { Collector, RecordSink } from '../../records/collector.ts';
import type { Container, Metric, PointSink } from '../../records/records.ts';
import { InterfaceAttributes } from '../../shared/interface-attributes.ts';
import { kernelBuffer } from '../../shared/kernel-file.ts';
import type { ReadableFile } from '../container-files.ts';
import { ContainerReader } from '../container-reader.ts';
import { DeviceNames } from '../device-names.ts';
import { compileReadPlan, controllersOf, type ReadPlan } from '../read-plan.ts';
import { ReadSchedule } from '../read-schedule.ts';
import { TableAttributes } from '../table-attributes.ts';
import { cgroupVersion, formatCgroupFiles, type Stats } from './cgroup-files.ts';

const PARALLEL_REQUESTS = 8;
/** A metric and its fields in the answer, for receive and transmit. */
const NETWORK = [
  [catalogue.networkIo, 'rx_bytes', 'tx_bytes'],
  [catalogue.networkPackets, 'rx_packets', 'tx_packets'],
  [catalogue.networkErrors, 'rx_errors', 'tx_errors'],
  [catalogue.networkDropped, 'rx_dropped', 'tx_dropped'],
] as const satisfies readonly (readonly [Metric, string, string])[];

/** A cgroup file whose text comes from the daemon. */
class TextFile implements ReadableFile {
  text = '';

  read(): number {
    return kernelBuffer.write(this.text, 'latin1');
  }

  close(): void {}
}

/** The files that a container's answers are formatted into, and what reads them. */
interface StatsReader {
  /** By name. */
  readonly files: ReadonlyMap<string, TextFile>;
  readonly reader: ContainerReader;
}

interface RequestedContainer {
  readonly container: Container;
  /** Undefined before the first answer. */
  reader: StatsReader | undefined;
  /** The daemon's last answer, until it was collected. */
  stats: Stats | undefined;
  /** `read` of the answer that was collected last. */
  lastRead: string;
}

export interface StatsOptions {
  readonly docker: Docker;
  readonly sink: RecordSink;
  readonly rows: readonly CatalogueEntry[];
  /** Whether a container's cgroup can be read from here: then no stats are requested. */
  readonly isVisible: (container: Container) => boolean;
}

export class StatsCollector implements Collector {
  readonly name = 'stats';
  private readonly options: StatsOptions;
  private readonly requested = new Map<string, RequestedContainer>();
  private readonly plans = new Map<1 | 2, ReadPlan>();
  private readonly interfaceAttributes = new InterfaceAttributes();
  private readonly tableAttributes = new TableAttributes(new DeviceNames(undefined));

  constructor(options: StatsOptions) {
    this.options = options;
  }

  attachContainer(container: Container): void {
    this.detachContainer(container);
    if (container.pid === 0 || this.options.isVisible(container)) return;
    this.requested.set(container.id, { container, reader: undefined, stats: undefined, lastRead: '' });
  }

  detachContainer({ id }: Container): void {
    this.requested.delete(id);
  }

  close(): void {
    this.requested.clear();
  }

  /** Requests the stats of the coming round. An answer that is late is absent from the round. */
  async prepareRound(signal: AbortSignal): Promise<void> {
    const queue = [...this.requested.values()];
    const requestNext = async () => {
      for (let next = queue.pop(); next !== undefined && !signal.aborted; next = queue.pop())
        await this.requestStats(next, signal);
    };
    await Promise.all(Array.from({ length: PARALLEL_REQUESTS }, requestNext));
  }

  collectContainer(container: Container, points: PointSink): void {
    const requested = this.requested.get(container.id);
    const stats = requested?.stats;
    if (requested === undefined || stats === undefined) return;
    requested.stats = undefined;
    requested.lastRead = stats.read;
    requested.reader ??= this.createReader(stats);
    const { files, reader } = requested.reader;
    const texts = formatCgroupFiles(stats, container);
    for (const [name, file] of files) file.text = texts.get(name) ?? '';
    // Each answer is complete: nothing is left for another round.
    reader.readEverythingNext();
    reader.collect(points, Date.parse(stats.read));
    this.collectNetwork(stats, container, points);
  }

  private async requestStats(requested: RequestedContainer, signal: AbortSignal): Promise<void> {
    const { docker, sink } = this.options;
    const { container } = requested;
    try {
      const options = { stream: false, 'one-shot': true, abortSignal: signal } as object;
      const stats = (await docker.getContainer(container.id).stats(options as never)) as unknown as Stats;
      // A container that has ended has no stats. A daemon that repeats the last ones has nothing new.
      if (stats.read.startsWith('0001-') || stats.read === requested.lastRead) return;
      requested.stats = stats;
    } catch (error) {
      if (!isNotFound(error) && !signal.aborted) sink.reportError(this.name, error, container);
    }
  }

  private collectNetwork({ networks = {} }: Stats, { networkMode }: Container, points: PointSink): void {
    // The counters of the host, or of another container, are not this container's.
    if (networkMode === 'host' || networkMode.startsWith('container:')) return;
    const interfaces = Object.entries(networks);
    for (const [metric, received, transmitted] of NETWORK) {
      for (const [name, counters] of interfaces) {
        const { receive, transmit } = this.interfaceAttributes.forInterface(name);
        points.push({ metric, value: counters[received], attributes: receive });
        points.push({ metric, value: counters[transmitted], attributes: transmit });
      }
    }
  }

  private createReader(stats: Stats): StatsReader {
    const plan = this.planFor(cgroupVersion(stats));
    const files = new Map<string, TextFile>();
    const fileFor = (name: string) => {
      const file = files.get(name) ?? new TextFile();
      files.set(name, file);
      return file;
    };
    const reader = new ContainerReader({
      plan,
      files: plan.files.map(({ name }) => fileFor(name)),
      tables: plan.tables.map((table) => ({ table, files: [{ file: fileFor(table.file), label: '' }] })),
      attributes: this.tableAttributes,
      schedule: new ReadSchedule(1, 0),
    });
    return { files, reader };
  }

  private planFor(version: 1 | 2): ReadPlan {
    let plan = this.plans.get(version);
    if (plan === undefined) {
      const { rows } = this.options;
      const versions = new Map([...controllersOf(rows)].map((controller) => [controller, version]));
      plan = compileReadPlan(rows, versions);
      this.plans.set(version, plan);
    }
    return plan;
  }
}
