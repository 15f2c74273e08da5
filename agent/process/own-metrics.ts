/**
 * The agent's own telemetry in OpenTelemetry's SDK, which names, describes and aggregates it. What it makes goes the
 * way of everything else: through the pipeline, the spool and the destinations. Of the SDK only the part for metrics is
 * loaded: sdk-node brings every exporter with it, for twelve megabytes of memory.
 */
import type { Attributes } from '../../collectors/records/records.ts';
import { VERSION } from '../../config/version.ts';
import {
  type MetricSeries,
  type OwnGauge,
  type OwnMetric,
  ownGauges,
  ownMetrics,
  type Telemetry,
} from '../../exporters/shared/telemetry.ts';

export interface OwnMetricsOptions {
  readonly telemetry: Telemetry;
  /** What had been counted when this agent began: after a reload, an earlier one has told of it. */
  readonly baseline: ReadonlyMap<Readonly<MetricSeries>, number>;
  /** Of the agent itself. */
  readonly resource: Attributes;
  readonly temporality: 'cumulative' | 'delta';
  /** Takes an encoded request of so many data points. */
  readonly emit: (otlp: Buffer, count: number) => void;
}

export interface OwnMetrics {
  /** Hands over what is counted up to now. */
  collect(): Promise<void>;
  shutdown(): Promise<void>;
}

export async function startOwnMetrics({
  telemetry,
  baseline: before,
  resource,
  temporality,
  emit: take,
}: OwnMetricsOptions): Promise<OwnMetrics> {
  // Large libraries: they are loaded after the agent has begun its work.
  const [
    { AggregationTemporality, MeterProvider, MetricReader },
    { resourceFromAttributes },
    { ProtobufMetricsSerializer },
  ] = await Promise.all([
    import('@opentelemetry/sdk-metrics'),
    import('@opentelemetry/resources'),
    import('@opentelemetry/otlp-transformer'),
  ]);
  const { DELTA, CUMULATIVE } = AggregationTemporality;
  /** Is asked by the agent's rounds, and has no clock of its own. */
  class Reader extends MetricReader {
    protected override async onShutdown(): Promise<void> {}
    protected override async onForceFlush(): Promise<void> {}
  }
  const reader = new Reader({
    aggregationTemporalitySelector: () => (temporality === 'delta' ? DELTA : CUMULATIVE),
  });
  const provider = new MeterProvider({
    resource: resourceFromAttributes({ ...resource, 'service.version': VERSION }),
    readers: [reader],
  });
  const meter = provider.getMeter('portlight', VERSION);
  for (const [name, [unit, description]] of Object.entries(ownMetrics)) {
    meter.createObservableCounter(name, { unit, description }).addCallback((result) => {
      for (const series of telemetry.counterSeries(name as OwnMetric))
        result.observe(series.value - (before.get(series) ?? 0), series.attributes);
    });
  }
  for (const [name, [unit, description]] of Object.entries(ownGauges)) {
    meter.createObservableGauge(name, { unit, description }).addCallback((result) => {
      for (const { attributes, value } of telemetry.gaugeSeries(name as OwnGauge))
        result.observe(value, attributes);
    });
  }
  return {
    async collect() {
      const { resourceMetrics } = await reader.collect();
      const count = resourceMetrics.scopeMetrics
        .flatMap((scope) => scope.metrics)
        .reduce((sum, { dataPoints }) => sum + dataPoints.length, 0);
      const bytes = ProtobufMetricsSerializer.serializeRequest(resourceMetrics);
      if (bytes !== undefined && count > 0) take(Buffer.from(bytes), count);
    },
    shutdown: () => provider.shutdown(),
  };
}
