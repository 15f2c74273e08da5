/** Starts a real OpenTelemetry Collector: one that writes into files, or the shipped gateway. */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ExecutionContext } from 'ava';
import { freePort } from '../support/port.ts';
import { temporaryDirectory } from '../support/temporary.ts';
import { onLoopback, type Running, startPeer, withoutOwnMetrics } from './peer.ts';
import { pathOf } from './peers.ts';

const GATEWAY = join(import.meta.dirname, '../../config/collector/gateway.yaml');
const program = () => pathOf('collector')!;

/** The format of the file exporter: OTLP/JSON, one request a line. */
interface Attribute {
  readonly key: string;
  /** An OTLP scalar. */
  readonly value: Readonly<Record<string, unknown>>;
}

interface Point {
  readonly attributes?: readonly Attribute[];
  readonly timeUnixNano: string;
  readonly asInt?: string;
  readonly asDouble?: number;
}

interface Metric {
  readonly name: string;
  readonly unit?: string;
  readonly sum?: { readonly dataPoints: Point[]; readonly isMonotonic?: boolean };
  readonly gauge?: { readonly dataPoints: Point[] };
}

interface LogRecord {
  readonly timeUnixNano?: string;
  readonly body?: { readonly stringValue?: string };
  /** Empty or absent for a log line. */
  readonly eventName?: string;
  readonly attributes?: readonly Attribute[];
}

interface ResourceJson {
  readonly resource: { readonly attributes?: readonly Attribute[] };
  readonly scopeLogs?: readonly { readonly logRecords: readonly LogRecord[] }[];
  readonly scopeMetrics?: readonly { readonly metrics: readonly Metric[] }[];
  readonly scopeSpans?: readonly { readonly spans: readonly { readonly name: string }[] }[];
}

/** Attributes as text, by key. */
export const valuesOf = (attributes: readonly Attribute[] = []): Record<string, string> =>
  Object.fromEntries(attributes.map(({ key, value }) => [key, String(Object.values(value)[0])]));

/** The requests in a file; an incomplete last line is skipped. */
export function resourcesOf(path: string, container: string): ResourceJson[] {
  if (!existsSync(path)) return [];
  const lines = readFileSync(path, 'utf8').split('\n').slice(0, -1);
  return lines
    .flatMap((line) => Object.values(JSON.parse(line) as Record<string, ResourceJson[]>).flat())
    .filter(({ resource }) => valuesOf(resource.attributes)['container.name'] === container);
}

/** The log records of a container. */
export const logRecordsOf = (path: string, container: string): LogRecord[] =>
  resourcesOf(path, container).flatMap(({ scopeLogs = [] }) =>
    scopeLogs.flatMap(({ logRecords }) => logRecords),
  );

/** A value of a series at a time, ms since the epoch. */
export interface Moment {
  readonly time: number;
  readonly value: number;
}

/** Unit, kind and series of each metric, by name. Series are keyed by attributes and ordered by time. */
export function metricsOf(path: string, container: string) {
  const found = new Map<string, { unit: string; kind: string; series: Map<string, Moment[]> }>();
  for (const { scopeMetrics = [] } of resourcesOf(path, container)) {
    for (const metric of scopeMetrics.flatMap(({ metrics }) => metrics)) {
      const kind = metric.sum === undefined ? 'gauge' : metric.sum.isMonotonic ? 'counter' : 'updowncounter';
      const known = found.get(metric.name) ?? { unit: metric.unit ?? '', kind, series: new Map() };
      found.set(metric.name, known);
      for (const { attributes, timeUnixNano, asInt, asDouble } of (metric.sum ?? metric.gauge)!.dataPoints) {
        const key = JSON.stringify(Object.entries(valuesOf(attributes)).sort());
        const values = known.series.get(key) ?? [];
        known.series.set(key, values);
        values.push({
          time: Number(timeUnixNano) / 1e6,
          value: asInt === undefined ? asDouble! : Number(asInt),
        });
      }
    }
  }
  return found;
}

export interface CollectorProcess extends Running {
  readonly grpc: string;
  readonly http: string;
  /** Path of the file for a signal that it received, or `own` for the data of its own receivers. */
  file(pipeline: string): string;
}

interface CollectorOptions {
  readonly tls?: object | undefined;
  /** URL of its OTLP/HTTP receiver. */
  readonly port?: number;
  /** Its own receivers, with their signal. */
  readonly receivers?: Readonly<Record<string, object>>;
  readonly signal?: 'logs' | 'metrics';
  /** Exporters for received metrics, besides the file. */
  readonly exporters?: Readonly<Record<string, object>>;
}

/** Starts a Collector on loopback that writes everything it receives into files. */
export async function startCollector(
  t: ExecutionContext,
  { tls, port, receivers = {}, signal = 'metrics', exporters = {} }: CollectorOptions = {},
): Promise<CollectorProcess> {
  const directory = temporaryDirectory(t);
  const [grpc, http, health] = [await freePort(), port ?? (await freePort()), await freePort()];
  const file = (pipeline: string) => join(directory, `${pipeline}.jsonl`);
  const secured = (own: number) => ({ endpoint: `127.0.0.1:${own}`, ...(tls && { tls }) });
  const written = (name: string) => [`file/${name}`, { path: file(name), flush_interval: '200ms' }];
  const own = Object.keys(receivers);
  const config = {
    extensions: { health_check: { endpoint: `127.0.0.1:${health}` } },
    receivers: { otlp: { protocols: { grpc: secured(grpc), http: secured(http) } }, ...receivers },
    exporters: { ...Object.fromEntries(['logs', 'metrics', 'traces', 'own'].map(written)), ...exporters },
    service: {
      extensions: ['health_check'],
      telemetry: { metrics: { level: 'none' } },
      pipelines: {
        logs: { receivers: ['otlp'], exporters: ['file/logs'] },
        metrics: { receivers: ['otlp'], exporters: ['file/metrics', ...Object.keys(exporters)] },
        traces: { receivers: ['otlp'], exporters: ['file/traces'] },
        ...(own.length > 0 && { [`${signal}/own`]: { receivers: own, exporters: ['file/own'] } }),
      },
    },
  };
  const path = join(directory, 'collector.yaml');
  writeFileSync(path, JSON.stringify(config));
  const running = await startPeer(t, [program(), '--config', path], `http://127.0.0.1:${health}/`);
  const scheme = tls === undefined ? 'http' : 'https';
  return { ...running, grpc: `${scheme}://127.0.0.1:${grpc}`, http: `${scheme}://127.0.0.1:${http}`, file };
}

/** Starts the shipped gateway on free ports. */
export async function startGateway(t: ExecutionContext, backend: string) {
  const directory = temporaryDirectory(t);
  const path = join(directory, 'gateway.yaml');
  const { text, own } = await onLoopback(readFileSync(GATEWAY, 'utf8'), [4317, 4318, 13133]);
  writeFileSync(path, withoutOwnMetrics(text));
  const variables = { STORAGE: join(directory, 'queue'), BACKEND: backend };
  const command = [program(), '--config', path];
  const start = () => startPeer(t, command, `http://127.0.0.1:${own(13133)}/`, { variables });
  return { http: `http://127.0.0.1:${own(4318)}`, start };
}
