/** The OpenTelemetry Collector takes every signal over every transport, and tells the same of containers as its own receiver. */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { startAgent, temporaryDirectory } from '../support/agent.ts';
import { docker, ensureImage, runContainer, uniqueName } from '../support/docker.ts';
import { daemonCertificates } from '../support/far.ts';
import { numbered } from '../support/logs.ts';
import { freePort } from '../support/port.ts';
import { waitFor } from '../support/wait.ts';
import { type Running, startPeer } from './peer.ts';
import { pathOf } from './peers.ts';

test.before(ensureImage);

/** As the file exporter writes it: OTLP's JSON, a request a line. */
interface Attribute {
  readonly key: string;
  readonly value: { readonly stringValue?: string };
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

interface Resource {
  readonly resource: { readonly attributes?: readonly Attribute[] };
  readonly scopeLogs?: readonly {
    readonly logRecords: readonly {
      readonly body?: { readonly stringValue?: string };
      readonly eventName?: string;
    }[];
  }[];
  readonly scopeMetrics?: readonly { readonly metrics: readonly Metric[] }[];
  readonly scopeSpans?: readonly { readonly spans: readonly { readonly name: string }[] }[];
}

const valuesOf = (attributes: readonly Attribute[] = []): Record<string, string | undefined> =>
  Object.fromEntries(attributes.map(({ key, value }) => [key, value.stringValue]));

/** What a file has of one container; a line that is still being written waits. */
function resourcesOf(path: string, container: string): Resource[] {
  if (!existsSync(path)) return [];
  const lines = readFileSync(path, 'utf8').split('\n').slice(0, -1);
  return lines
    .flatMap((line) => Object.values(JSON.parse(line) as Record<string, Resource[]>).flat())
    .filter(({ resource }) => valuesOf(resource.attributes)['container.name'] === container);
}

interface Collector extends Running {
  readonly grpc: string;
  readonly http: string;
  /** The path of what it wrote for a pipeline. */
  file(pipeline: string): string;
}

async function startCollector(
  t: ExecutionContext,
  { tls, receivers = {} }: { tls?: object; receivers?: Record<string, object> } = {},
): Promise<Collector> {
  const directory = temporaryDirectory(t);
  const [grpc, http, health] = [await freePort(), await freePort(), await freePort()];
  const file = (pipeline: string) => join(directory, `${pipeline}.jsonl`);
  const secured = (port: number) => ({ endpoint: `127.0.0.1:${port}`, ...(tls && { tls }) });
  const own = Object.keys(receivers);
  const pipelines = {
    ...Object.fromEntries(
      ['logs', 'metrics', 'traces'].map((signal) => [
        signal,
        { receivers: ['otlp'], exporters: [`file/${signal}`] },
      ]),
    ),
    ...(own.length > 0 && { 'metrics/own': { receivers: own, exporters: ['file/own'] } }),
  };
  const names = ['logs', 'metrics', 'traces', 'own'];
  const config = {
    extensions: { health_check: { endpoint: `127.0.0.1:${health}` } },
    receivers: { otlp: { protocols: { grpc: secured(grpc), http: secured(http) } }, ...receivers },
    exporters: Object.fromEntries(
      names.map((name) => [`file/${name}`, { path: file(name), flush_interval: '200ms' }]),
    ),
    service: {
      extensions: ['health_check'],
      telemetry: { metrics: { level: 'none' } },
      pipelines,
    },
  };
  const path = join(directory, 'collector.yaml');
  writeFileSync(path, JSON.stringify(config));
  const running = await startPeer(t, [pathOf('collector')!, '--config', path], `http://127.0.0.1:${health}/`);
  const scheme = tls === undefined ? 'http' : 'https';
  return { ...running, grpc: `${scheme}://127.0.0.1:${grpc}`, http: `${scheme}://127.0.0.1:${http}`, file };
}

const LINES = 50;

for (const protocol of ['grpc', 'http/protobuf', 'http/json'] as const) {
  for (const [security, compression] of [
    ['plain', 'none'],
    ['TLS', 'none'],
    ['mTLS', 'gzip'],
  ] as const) {
    test(`every signal over ${protocol}, ${security}, compression ${compression}`, async (t) => {
      const certificates = security === 'plain' ? undefined : daemonCertificates(t);
      const tls = certificates && {
        cert_file: certificates.server.certificate,
        key_file: certificates.server.key,
        ...(security === 'mTLS' && { client_ca_file: certificates.ca }),
      };
      const collector = await startCollector(t, { tls });
      const name = uniqueName('collected');
      await startAgent(t, {
        variables: {
          PORTLIGHT_CONTAINERS_INCLUDE: `name=${name}`,
          OTEL_EXPORTER_OTLP_PROTOCOL: protocol,
          OTEL_EXPORTER_OTLP_ENDPOINT: protocol === 'grpc' ? collector.grpc : collector.http,
          OTEL_EXPORTER_OTLP_COMPRESSION: compression,
          ...(certificates && { OTEL_EXPORTER_OTLP_CERTIFICATE: certificates.ca }),
          ...(security === 'mTLS' && {
            OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE: certificates!.client.certificate,
            OTEL_EXPORTER_OTLP_CLIENT_KEY: certificates!.client.key,
          }),
        },
      });
      const container = await runContainer(t, {
        name,
        script: `i=0; while [ $i -lt ${LINES} ]; do i=$((i+1)); echo "line $i"; done; sleep 2; exit 3`,
      });
      const of = (signal: string) => resourcesOf(collector.file(signal), name);
      const records = () =>
        of('logs').flatMap(({ scopeLogs = [] }) => scopeLogs.flatMap((scope) => scope.logRecords));
      await container.wait();
      await waitFor('the end of the container', () =>
        records().some(({ eventName }) => eventName === 'docker.container.die'),
      );
      await waitFor('a metric and a span', () => of('metrics').length > 0 && of('traces').length > 0);
      t.deepEqual(
        records()
          .filter(({ eventName }) => !eventName)
          .map(({ body }) => body?.stringValue),
        numbered(LINES),
      );
      for (const signal of ['logs', 'metrics', 'traces'])
        for (const { resource } of of(signal))
          t.is(valuesOf(resource.attributes)['container.id'], container.id);
      t.notRegex(collector.log(), /\t(warn|error)\t/);
    });
  }
}

const INTERVAL_S = 1;

/** By name: the unit, the attributes' keys, and the values in the order of their times. */
function metricsOf(path: string, container: string) {
  const found = new Map<string, { unit: string; kind: string; series: Map<string, number[]> }>();
  for (const { scopeMetrics = [] } of resourcesOf(path, container)) {
    for (const metric of scopeMetrics.flatMap(({ metrics }) => metrics)) {
      const kind = metric.sum === undefined ? 'gauge' : metric.sum.isMonotonic ? 'counter' : 'updowncounter';
      const known = found.get(metric.name) ?? { unit: metric.unit ?? '', kind, series: new Map() };
      found.set(metric.name, known);
      for (const { attributes, asInt, asDouble } of (metric.sum ?? metric.gauge)!.dataPoints) {
        const key = JSON.stringify(Object.entries(valuesOf(attributes)).sort());
        const values = known.series.get(key) ?? [];
        known.series.set(key, values);
        values.push(asInt === undefined ? asDouble! : Number(asInt));
      }
    }
  }
  return found;
}

/** cgroup v1 tells the same I/O once more, as synchronous or not and in sum; v2 and the agent tell reads and writes. */
const isOfVersion1 = (key: string): boolean => /"operation","(sync|async|total)"/.test(key);

test('the docker_stats dialect is what the docker_stats receiver tells of the same container', async (t) => {
  const name = uniqueName('stats');
  await runContainer(t, {
    name,
    script: 'while :; do dd if=/dev/zero of=/file bs=64k count=16 conv=fsync 2>/dev/null; sleep 0.2; done',
    host: { Memory: 64 * 1024 * 1024, NanoCpus: 5e8, PidsLimit: 30 },
  });
  const collector = await startCollector(t, {
    receivers: {
      docker_stats: {
        endpoint: process.env.DOCKER_HOST,
        collection_interval: `${INTERVAL_S}s`,
        api_version: (await docker.version()).ApiVersion,
      },
    },
  });
  await startAgent(t, {
    args: ['--interval', `${INTERVAL_S}s`],
    variables: {
      PORTLIGHT_CONTAINERS_INCLUDE: `name=${name}`,
      OTEL_EXPORTER_OTLP_ENDPOINT: collector.http,
      PORTLIGHT_OTLP_METRIC_NAMES: 'docker_stats',
    },
  });
  const [theirs, ours] = ['own', 'metrics'].map((file) => () => metricsOf(collector.file(file), name));
  const rounds = (of: typeof theirs) =>
    of!().get('container.cpu.usage.total')?.series.values().next().value?.length ?? 0;
  await waitFor('some rounds of both', () => rounds(theirs) > 5 && rounds(ours) > 5, 60_000);
  const mine = ours!();
  const differences: string[] = [];
  for (const [metric, { unit, kind, series }] of theirs!()) {
    const own = mine.get(metric);
    if (own === undefined || own.unit !== unit || own.kind !== kind) {
      differences.push(`${metric}: ${kind} ${unit}, not ${own?.kind} ${own?.unit}`);
      continue;
    }
    for (const [key, values] of series) {
      if (isOfVersion1(key)) continue;
      const same = own.series.get(key);
      if (same === undefined) {
        differences.push(`${metric} ${key}: there are ${[...own.series.keys()].join(' ')}`);
        continue;
      }
      // Both were looking at the same time: what one saw lies within what the other saw, and one interval's change.
      const change = Math.max(0, ...same.slice(1).map((value, index) => Math.abs(value - same[index]!)));
      const [low, high] = [Math.min(...same) - change, Math.max(...same) + change];
      const last = values.at(-1)!;
      if (!(last >= low && last <= high))
        differences.push(`${metric} ${key}: ${last} is not within ${low} and ${high}`);
    }
  }
  t.deepEqual(differences, []);
});
