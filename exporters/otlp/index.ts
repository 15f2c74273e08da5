/** Ships logs, events, metrics and traces to one OTLP destination, through a spool of its own. */
import { join } from 'node:path';
import { decodeMetrics } from '../../agent/otlp/decode.ts';
import { countRecords, resourcesOf } from '../../agent/otlp/split.ts';
import type { Batch, Resource } from '../../agent/records.ts';
import { isSelected } from '../../agent/selection.ts';
import { messageOf, type Telemetry } from '../../agent/telemetry.ts';
import { type Destination, signalOf } from '../../config/destinations.ts';
import type { DestinationStatus, Exporter } from '../exporter.ts';
import { type LaneName, Spool } from '../spool/index.ts';
import { Gate } from './gate.ts';
import { Pace } from './pace.ts';
import { Sender } from './sender.ts';
import { createTransport } from './transport.ts';
import type { Transport } from './verdict.ts';

const laneOf = (batch: Batch): LaneName =>
  batch.signal !== 'logs' ? batch.signal : batch.kind === 'event' ? 'events' : 'logs';

interface Metrics {
  resourceMetrics?: {
    scopeMetrics?: { metrics?: Record<'sum' | 'gauge', { dataPoints?: unknown[] } | undefined>[] }[];
  }[];
}

function countPoints(otlp: Buffer): number {
  const { resourceMetrics = [] } = decodeMetrics(otlp) as Metrics;
  return resourceMetrics
    .flatMap(({ scopeMetrics = [] }) => scopeMetrics.flatMap(({ metrics = [] }) => metrics))
    .reduce((sum, { sum: counters, gauge }) => sum + ((counters ?? gauge)?.dataPoints?.length ?? 0), 0);
}

export class OtlpExporter implements Exporter {
  readonly name: string;
  private readonly destination: Destination;
  private readonly telemetry: Telemetry;
  private readonly spool: Spool;
  private readonly transports: readonly Transport[];
  private readonly gates: ReadonlyMap<string, Gate>;
  private readonly ending = new AbortController();

  private constructor(
    destination: Destination,
    telemetry: Telemetry,
    spool: Spool,
    transports: ReadonlyMap<LaneName, Transport>,
  ) {
    this.name = destination.name;
    this.destination = destination;
    this.telemetry = telemetry;
    this.spool = spool;
    this.transports = [...transports.values()];
    const gates = new Map<string, Gate>();
    this.gates = gates;
    const pace = new Pace(destination.backlogRate);
    pace.begin();
    const { signal } = this.ending;
    for (const [name, transport] of transports) {
      const { origin } = destination.targets[signalOf(name)]!.url;
      const gate = gates.get(origin) ?? new Gate(signal);
      gates.set(origin, gate);
      const labels = { signal: name, destination: this.name };
      const sender = new Sender({
        lane: spool.lanes[name],
        transport,
        gate,
        pace,
        countOf: name === 'metrics' ? countPoints : countRecords,
        onSent: (records, bytes) => {
          telemetry.add('portlight.records.sent', records, labels);
          telemetry.add('portlight.exporter.sent', bytes, labels);
        },
        onRetry: (message) => {
          telemetry.add('portlight.exporter.retries', 1, labels);
          telemetry.warn(`${this.name}: cannot send ${name}: ${message}`);
        },
        onDropped: (records, reason, message) => {
          telemetry.add('portlight.records.dropped', records, { ...labels, reason });
          telemetry.warn(`${this.name}: the receiver refused ${name}: ${message}`);
        },
        setAside: (otlp) => spool.refused(name, otlp),
      });
      void sender.run(signal);
    }
  }

  /**
   * @param directory where spools are; undefined keeps what waits in memory
   * @throws {Error} when a file that the destination names cannot be read
   */
  static async create(
    destination: Destination,
    directory: string | undefined,
    telemetry: Telemetry,
  ): Promise<OtlpExporter> {
    const { name } = destination;
    const spool = OtlpExporter.openSpool(destination, directory && join(directory, name), telemetry);
    const transports = new Map<LaneName, Transport>();
    for (const kind of destination.kinds)
      transports.set(kind, await createTransport(destination.targets[signalOf(kind)]!));
    return new OtlpExporter(destination, telemetry, spool, transports);
  }

  private static openSpool(
    { name, maxBytes, maxAgeMs, metricsOrder }: Destination,
    directory: string | undefined,
    telemetry: Telemetry,
  ): Spool {
    const options = {
      maxBytes,
      maxAgeMs,
      metrics: metricsOrder,
      onDropped: (lane: LaneName, count: number, reason: string) =>
        telemetry.add('portlight.records.dropped', count, { signal: lane, destination: name, reason }),
      onFault: (error: unknown) => telemetry.fault('spool', error),
    };
    try {
      return new Spool({ ...options, directory });
    } catch (error) {
      telemetry.warn(`data_dir: ${messageOf(error)}: what waits for ${name} is kept in memory only`);
      return new Spool({ ...options, directory: undefined });
    }
  }

  export(batch: Batch): Promise<void> {
    const name = laneOf(batch);
    if (batch.count === 0 || !this.destination.kinds.includes(name)) return Promise.resolve();
    const { otlp, count } = this.filtered(batch);
    if (count === 0) return Promise.resolve();
    this.telemetry.add('portlight.records.spooled', count, { signal: name, destination: this.name });
    return this.spool.lanes[name].add(otlp, count);
  }

  status(): DestinationStatus {
    return {
      isReachable: this.isReachable,
      waiting: this.destination.kinds.map((signal) => {
        const { bytes, oldest } = this.spool.lanes[signal];
        return { signal, bytes, oldest };
      }),
    };
  }

  async stop(deadline: AbortSignal): Promise<void> {
    const isDrained = () => Object.values(this.spool.lanes).every(({ bytes }) => bytes === 0);
    // What a receiver that is away does not take is on the disk, and need not be waited for.
    while (!deadline.aborted && this.isReachable && !isDrained())
      await new Promise((resolve) => setTimeout(resolve, 10));
    this.ending.abort();
    const { logs, ...left } = await this.spool.stop();
    for (const [signal, count] of Object.entries(left)) {
      if (count > 0)
        this.telemetry.add('portlight.records.dropped', count, {
          signal,
          destination: this.name,
          reason: 'shutdown',
        });
    }
    for (const transport of this.transports) transport.close();
  }

  private get isReachable(): boolean {
    return [...this.gates.values()].every(({ isOpen }) => isOpen);
  }

  private filtered(batch: Batch): { otlp: Buffer; count: number } {
    const { include, exclude } = this.destination.containers;
    if (include.length === 0 && exclude.length === 0) return batch;
    const isWanted = ({ subject }: Resource) =>
      subject === undefined || isSelected(subject, include, exclude);
    if (batch.signal !== 'metrics')
      return { otlp: batch.otlp, count: isWanted(batch.resource) ? batch.count : 0 };
    const wanted = batch.resources.map(isWanted);
    if (!wanted.includes(false)) return batch;
    const otlp = resourcesOf(batch.otlp, (index) => wanted[index]!);
    return { otlp, count: countPoints(otlp) };
  }
}
