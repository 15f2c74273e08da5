/** Ships logs, events, metrics and traces to one OTLP destination, through a spool of its own. */
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { decodeMetrics } from '../../agent/otlp/decode.ts';
import { countRecords, resourcesOf } from '../../agent/otlp/split.ts';
import type { AlertBatch, Batch, Resource } from '../../agent/records.ts';
import { isSelected } from '../../agent/selection.ts';
import { messageOf, type Telemetry } from '../../agent/telemetry.ts';
import { type Destination, signalOf } from '../../config/destinations.ts';
import type { DestinationStatus, Exporter } from '../exporter.ts';
import { type LaneName, Spool } from '../spool/index.ts';
import { Gate, Hold } from './gate.ts';
import { Pace } from './pace.ts';
import { Sender } from './sender.ts';
import { createTransport } from './transport.ts';
import type { Transport } from './verdict.ts';

/** How long the end waits for answers that are on their way. */
const LAST_ANSWERS_MS = 250;
const AFTER_FAULT_MS = 1000;

/** What is sent as it is. The state of alerts is not: their events are. */
type Sent = Exclude<Batch, AlertBatch>;

const laneOf = (batch: Sent): LaneName =>
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
  private readonly senders: Sender[] = [];
  private running: Promise<unknown> = Promise.resolve();
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
        hold: new Hold(signal),
        pace,
        countOf: name === 'metrics' ? countPoints : countRecords,
        onSent: (records, bytes) => {
          telemetry.add('portlight.records.sent', records, labels);
          telemetry.add('portlight.exporter.sent', bytes, labels);
        },
        onRetry: (message) => {
          telemetry.add('portlight.exporter.retries', 1, labels);
          telemetry.warn(`${this.name}: cannot send ${name}: ${message}`, {}, `retry ${this.name} ${name}`);
        },
        onDropped: (records, reason, message) => {
          if (records > 0) telemetry.add('portlight.records.dropped', records, { ...labels, reason });
          const what = records > 0 ? 'the receiver refused' : 'the receiver says of';
          telemetry.warn(`${this.name}: ${what} ${name}: ${message}`, {}, `${reason} ${this.name} ${name}`);
        },
        setAside: (otlp) => spool.refused(name, otlp),
      });
      this.senders.push(sender);
    }
  }

  /**
   * @param directory where spools are; undefined keeps what waits in memory
   * @param logsWait whether logs wait in their files where its spool is full
   * @throws {Error} when a file that the destination names cannot be read
   */
  static async create(
    destination: Destination,
    directory: string | undefined,
    logsWait: boolean,
    telemetry: Telemetry,
  ): Promise<OtlpExporter> {
    const { name } = destination;
    // What can be refused comes first: a spool that was begun is one that is sent.
    const transports = new Map<LaneName, Transport>();
    try {
      for (const kind of destination.kinds)
        transports.set(kind, await createTransport(destination.targets[signalOf(kind)]!));
    } catch (error) {
      for (const transport of transports.values()) transport.close();
      throw error;
    }
    const spool = OtlpExporter.openSpool(
      destination,
      directory && join(directory, name),
      logsWait,
      telemetry,
    );
    return new OtlpExporter(destination, telemetry, spool, transports);
  }

  start(): void {
    this.running = Promise.all(this.senders.map((sender) => this.keepRunning(sender)));
    for (const [lane, { bytes }] of Object.entries(this.spool.lanes)) {
      if (bytes > 0 && !this.destination.kinds.includes(lane as LaneName))
        this.telemetry.warn(
          `${this.name}: ${bytes} bytes of ${lane} wait in the spool that are not to be sent any more; they are given up when they are too old`,
        );
    }
  }

  private static openSpool(
    { name, maxBytes, maxAgeMs, metricsOrder }: Destination,
    directory: string | undefined,
    logsWait: boolean,
    telemetry: Telemetry,
  ): Spool {
    const options = {
      logsWait,
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
    if (batch.signal === 'alerts') return Promise.resolve();
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
    const { kinds } = this.destination;
    const isDrained = () => kinds.every((kind) => this.spool.lanes[kind].bytes === 0);
    // What a receiver that is away does not take is on the disk, and need not be waited for.
    while (!deadline.aborted && this.isReachable && !isDrained()) await sleep(10);
    this.ending.abort();
    for (const transport of this.transports) transport.close();
    // What was answered in this moment is not sent again.
    await Promise.race([this.running, sleep(LAST_ANSWERS_MS, undefined, { ref: false })]);
    // Logs and events are had again from their sources.
    const { metrics, traces } = await this.spool.stop();
    for (const [signal, count] of Object.entries({ metrics, traces })) {
      if (count > 0)
        this.telemetry.add('portlight.records.dropped', count, {
          signal,
          destination: this.name,
          reason: 'shutdown',
        });
    }
  }

  /** Whatever goes wrong in it, it goes on: nothing else sends what is in its lane. */
  private async keepRunning(sender: Sender): Promise<void> {
    const { signal } = this.ending;
    while (!signal.aborted) {
      try {
        await sender.run(signal);
      } catch (error) {
        this.telemetry.fault('spool', error);
        await sleep(AFTER_FAULT_MS, undefined, { signal }).catch(() => {});
      }
    }
  }

  private get isReachable(): boolean {
    return (
      [...this.gates.values()].every(({ isOpen }) => isOpen) && !this.senders.some(({ isHeld }) => isHeld)
    );
  }

  private filtered(batch: Sent): { otlp: Buffer; count: number } {
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
