import type { Resource } from '../../collectors/records/records.ts';
import { type ContainerFilter, compileContainerFilter } from '../../collectors/shared/container-filter.ts';
import { type Destination, signalOfKind } from '../../config/destinations.ts';
import { type LaneRoute, SpooledDelivery } from '../sending/spooled-delivery.ts';
import type { AlertBatch, Batch } from '../shared/batch.ts';
import type { DestinationStatus, Exporter } from '../shared/exporter.ts';
import { OWN_SPAN_SCOPE } from '../shared/own-tracer.ts';
import type { Telemetry } from '../shared/telemetry.ts';
import type { LaneName } from '../spool/index.ts';
import { createTransport } from './transport.ts';
import { decodeMetrics } from './wire/decode.ts';
import { countRecords, halve, hasOnlyScope, selectResources } from './wire/split.ts';

/** The batches that have OTLP bytes. An alert is sent as its event, its state is not. */
type OtlpBatch = Exclude<Batch, AlertBatch>;

const laneOf = (batch: OtlpBatch): LaneName =>
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

/** Whether a request has only spans of the agent's own work. */
const isSelfTrace = (request: Buffer): boolean => hasOnlyScope(request, OWN_SPAN_SCOPE);

/** Sends logs, events, metrics and traces to one OTLP destination. */
export class OtlpExporter implements Exporter {
  readonly name: string;
  private readonly destination: Destination;
  private readonly isSelected: ContainerFilter;
  private readonly delivery: SpooledDelivery;

  private constructor(destination: Destination, delivery: SpooledDelivery) {
    this.name = destination.name;
    this.destination = destination;
    this.isSelected = compileContainerFilter(destination.containers.include, destination.containers.exclude);
    this.delivery = delivery;
  }

  /**
   * @param directory of all spools; undefined keeps waiting batches in memory
   * @param logsWait whether logs wait at their source when the spool is full
   * @throws {Error} when a file that the destination names cannot be read
   */
  static async create(
    destination: Destination,
    directory: string | undefined,
    logsWait: boolean,
    telemetry: Telemetry,
  ): Promise<OtlpExporter> {
    const { name, kinds, endpoints, maxBytes, maxAgeMs, metricsOrder, backlogRate } = destination;
    // The transports can fail, so they come first: an open spool is always sent.
    const routes: LaneRoute[] = [];
    try {
      for (const lane of kinds) {
        const endpoint = endpoints[signalOfKind(lane)]!;
        routes.push({
          lane,
          signal: lane,
          transport: await createTransport(endpoint),
          origin: endpoint.url.origin,
          halve,
          countRecords: lane === 'metrics' ? countPoints : countRecords,
          ...(lane === 'traces' && { isSelfTrace }),
        });
      }
    } catch (error) {
      for (const { transport } of routes) transport.close();
      throw error;
    }
    const bounds = { maxBytes, maxAgeMs, logsWait, metricsOrder, backlogRate };
    return new OtlpExporter(
      destination,
      new SpooledDelivery({ name, directory, routes, telemetry, ...bounds }),
    );
  }

  start(): void {
    this.delivery.start();
  }

  export(batch: Batch): Promise<void> {
    if (batch.signal === 'alerts') return Promise.resolve();
    const lane = laneOf(batch);
    if (batch.count === 0 || !this.destination.kinds.includes(lane)) return Promise.resolve();
    const { otlp, count } = this.filter(batch);
    return count === 0 ? Promise.resolve() : this.delivery.enqueue(lane, otlp, count);
  }

  status(): DestinationStatus {
    return this.delivery.status();
  }

  shutdown(deadline: AbortSignal): Promise<void> {
    return this.delivery.shutdown(deadline);
  }

  private filter(batch: OtlpBatch): { otlp: Buffer; count: number } {
    const { include, exclude } = this.destination.containers;
    if (include.length === 0 && exclude.length === 0) return batch;
    const isWanted = ({ subject }: Resource) => subject === undefined || this.isSelected(subject);
    if (batch.signal !== 'metrics')
      return { otlp: batch.otlp, count: isWanted(batch.resource) ? batch.count : 0 };
    const wanted = batch.resources.map(isWanted);
    if (!wanted.includes(false)) return batch;
    const otlp = selectResources(batch.otlp, (index) => wanted[index]!);
    return { otlp, count: countPoints(otlp) };
  }
}
