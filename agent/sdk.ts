/** Ships the agent's own telemetry through OpenTelemetry's SDK. */
import type { Attributes } from '@opentelemetry/api';
import { DiagLogLevel, diag, metrics } from '@opentelemetry/api';
import type { PushMetricExporter } from '@opentelemetry/sdk-metrics';
import type { Protocol } from '../exporters/otlp/transport.ts';
import { type OwnMetric, ownMetrics, type Telemetry } from './telemetry.ts';
import { VERSION } from './version.ts';

async function metricExporter(protocol: Protocol): Promise<PushMetricExporter> {
  switch (protocol) {
    case 'grpc':
      return new (await import('@opentelemetry/exporter-metrics-otlp-grpc')).OTLPMetricExporter();
    case 'http/json':
      return new (await import('@opentelemetry/exporter-metrics-otlp-http')).OTLPMetricExporter();
    case 'http/protobuf':
      return new (await import('@opentelemetry/exporter-metrics-otlp-proto')).OTLPMetricExporter();
  }
}

/** The specification's default. The agent's own state moves slowly, and each export costs as much as a round. */
const INTERVAL_MS = 60_000;

export interface SdkOptions {
  readonly telemetry: Telemetry;
  readonly protocol: Protocol;
  readonly host: Attributes;
}

/** @returns what stops it, after a last export */
export async function startSdk({ telemetry, protocol, host }: SdkOptions): Promise<() => Promise<void>> {
  // The SDK is by far the largest library here: it is loaded after the agent has begun its work.
  const [{ NodeSDK }, { PeriodicExportingMetricReader }, { resourceFromAttributes }, exporter] =
    await Promise.all([
      import('@opentelemetry/sdk-node'),
      import('@opentelemetry/sdk-metrics'),
      import('@opentelemetry/resources'),
      metricExporter(protocol),
    ]);
  // The SDK's own complaints, of the receiver above all, are those of our exporters once more.
  diag.setLogger({ error() {}, warn() {}, info() {}, debug() {}, verbose() {} }, DiagLogLevel.ERROR);
  const sdk = new NodeSDK({
    autoDetectResources: false,
    resource: resourceFromAttributes({
      'service.name': process.env.OTEL_SERVICE_NAME || 'portlight',
      'service.version': VERSION,
      ...host,
    }),
    metricReaders: [
      new PeriodicExportingMetricReader({
        exporter,
        exportIntervalMillis: INTERVAL_MS,
      }),
    ],
    spanProcessors: [],
    logRecordProcessors: [],
  });
  sdk.start();
  const meter = metrics.getMeter('portlight', VERSION);
  for (const [name, [unit, description]] of Object.entries(ownMetrics)) {
    meter.createObservableCounter(name, { unit, description }).addCallback((result) => {
      for (const { attributes, value } of telemetry.series(name as OwnMetric))
        result.observe(value, attributes);
    });
  }
  return () => sdk.shutdown();
}
