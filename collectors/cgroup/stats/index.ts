/**
 * The stats API, for containers whose cgroups cannot be read from here: those of a daemon elsewhere, above all. It costs
 * the daemon milliseconds a container, so that only so many are asked for at a time.
 */

import type Docker from 'dockerode';
import type { CatalogueEntry } from '../../catalogue/entry.ts';
import { catalogue } from '../../catalogue/index.ts';
import { isNotFound } from '../../engine/client.ts';
import type { Collector, RecordSink } from '../../records/collector.ts';
import type { Container, Metric, PointSink } from '../../records/records.ts';
import { InterfaceAttributes } from '../../shared/interface-attributes.ts';
import { kernelBuffer } from '../../shared/kernel-file.ts';
import { compile, controllersOf, type Plan } from '../plan.ts';
import { DeviceNames, TableAttributes } from '../tables.ts';
import { type ReadableFile, Watched } from '../watched.ts';
import { type Stats, textsOf, versionOf } from './files.ts';

const PARALLEL = 8;
/** A metric and its fields in the answer, for receive and transmit. */
const NETWORK = [
  [catalogue.networkIo, 'rx_bytes', 'tx_bytes'],
  [catalogue.networkPackets, 'rx_packets', 'tx_packets'],
  [catalogue.networkErrors, 'rx_errors', 'tx_errors'],
  [catalogue.networkDropped, 'rx_dropped', 'tx_dropped'],
] as const satisfies readonly (readonly [Metric, string, string])[];

/** A file that the daemon has read. */
class ToldFile implements ReadableFile {
  text = '';

  read(): number {
    return kernelBuffer.write(this.text, 'latin1');
  }

  close(): void {}
}

/** How a container's answers are read. */
interface Reading {
  /** By name. */
  readonly files: ReadonlyMap<string, ToldFile>;
  readonly watched: Watched;
}

interface Asked {
  readonly container: Container;
  /** Undefined before the first answer. */
  reading: Reading | undefined;
  /** What the daemon said last, until it was collected. */
  stats: Stats | undefined;
  /** When what was collected last was measured. */
  lastRead: string;
}

export interface StatsOptions {
  readonly docker: Docker;
  readonly sink: RecordSink;
  readonly rows: readonly CatalogueEntry[];
  /** Whether a container's cgroup can be read from here: then the daemon is not asked. */
  readonly isVisible: (container: Container) => boolean;
}

export class StatsCollector implements Collector {
  readonly name = 'stats';
  private readonly options: StatsOptions;
  private readonly asked = new Map<string, Asked>();
  private readonly plans = new Map<1 | 2, Plan>();
  private readonly sides = new InterfaceAttributes();
  private readonly tableAttributes = new TableAttributes(new DeviceNames(undefined));

  constructor(options: StatsOptions) {
    this.options = options;
  }

  attachContainer(container: Container): void {
    this.detachContainer(container);
    if (container.pid === 0 || this.options.isVisible(container)) return;
    this.asked.set(container.id, { container, reading: undefined, stats: undefined, lastRead: '' });
  }

  detachContainer({ id }: Container): void {
    this.asked.delete(id);
  }

  close(): void {
    this.asked.clear();
  }

  /** Asks the daemon for what is to be collected; what it does not say in time is absent from the round. */
  async prepareRound(signal: AbortSignal): Promise<void> {
    const queue = [...this.asked.values()];
    const askNext = async () => {
      for (let next = queue.pop(); next !== undefined && !signal.aborted; next = queue.pop())
        await this.ask(next, signal);
    };
    await Promise.all(Array.from({ length: PARALLEL }, askNext));
  }

  collectContainer(container: Container, points: PointSink): void {
    const asked = this.asked.get(container.id);
    const stats = asked?.stats;
    if (asked === undefined || stats === undefined) return;
    asked.stats = undefined;
    asked.lastRead = stats.read;
    asked.reading ??= this.readingOf(stats);
    const { files, watched } = asked.reading;
    const texts = textsOf(stats, container);
    for (const [name, file] of files) file.text = texts.get(name) ?? '';
    // All of it is told each time: nothing is left for another round.
    watched.isNew = true;
    watched.collect(points, Date.parse(stats.read));
    this.network(stats, container, points);
  }

  private async ask(asked: Asked, signal: AbortSignal): Promise<void> {
    const { docker, sink } = this.options;
    const { container } = asked;
    try {
      const question = { stream: false, 'one-shot': true, abortSignal: signal } as object;
      const stats = (await docker.getContainer(container.id).stats(question as never)) as unknown as Stats;
      // One that has ended has no figures; a daemon that gives the last ones again has no news.
      if (stats.read.startsWith('0001-') || stats.read === asked.lastRead) return;
      asked.stats = stats;
    } catch (error) {
      if (!isNotFound(error) && !signal.aborted) sink.reportError(this.name, error, container);
    }
  }

  private network({ networks = {} }: Stats, { networkMode }: Container, points: PointSink): void {
    // What a host or another container counts is not this one's.
    if (networkMode === 'host' || networkMode.startsWith('container:')) return;
    const all = Object.entries(networks);
    for (const [metric, received, transmitted] of NETWORK) {
      for (const [name, counters] of all) {
        const { receive, transmit } = this.sides.forInterface(name);
        points.push({ metric, value: counters[received], attributes: receive });
        points.push({ metric, value: counters[transmitted], attributes: transmit });
      }
    }
  }

  private readingOf(stats: Stats): Reading {
    const plan = this.planFor(versionOf(stats));
    const files = new Map<string, ToldFile>();
    const named = (name: string) => {
      const file = files.get(name) ?? new ToldFile();
      files.set(name, file);
      return file;
    };
    const watched = new Watched({
      plan,
      files: plan.files.map(({ name }) => named(name)),
      tables: plan.tables.map((table) => ({ table, files: [{ file: named(table.file), label: '' }] })),
      attributes: this.tableAttributes,
      seldomEvery: 1,
      turn: 0,
    });
    return { files, watched };
  }

  private planFor(version: 1 | 2): Plan {
    let plan = this.plans.get(version);
    if (plan === undefined) {
      const { rows } = this.options;
      plan = compile(rows, new Map([...controllersOf(rows)].map((controller) => [controller, version])));
      this.plans.set(version, plan);
    }
    return plan;
  }
}
