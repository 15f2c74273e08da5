/**
 * Exports the agent's own metrics. OpenTelemetry's SDK names, describes and aggregates them; the encoded request goes
 * through the pipeline, the spool and the destinations like every other record. Only the metrics part of the SDK is loaded:
 * sdk-node imports every exporter, which costs 12 MB of memory.
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
  /** The counters when this agent started: after a reload, the agent before it has exported those. */
  readonly baseline: ReadonlyMap<Readonly<MetricSeries>, number>;
  /** Of the agent itself. */
  readonly resource: Attributes;
  readonly temporality: 'cumulative' | 'delta';
  /** @param otlp an encoded request @param count its data points */
  readonly emit: (otlp: Buffer, count: number) => void;
}

export interface OwnMetrics {
  /** Emits the current values. */
  collect(): Promise<void>;
  shutdown(): Promise<void>;
}

export async function startOwnMetrics(options: OwnMetricsOptions): Promise<OwnMetrics> {
  const { telemetry, baseline, resource, temporality, emit } = options;
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
  /** The agent decides when to collect: this reader has no timer. */
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
        result.observe(series.value - (baseline.get(series) ?? 0), series.attributes);
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
      if (bytes !== undefined && count > 0) emit(Buffer.from(bytes), count);
    },
    shutdown: () => provider.shutdown(),
  };
}
