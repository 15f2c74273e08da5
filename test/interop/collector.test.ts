/** A real OpenTelemetry Collector receives every signal over every transport, and agrees with its own receivers about containers. */
import test from 'ava';
import { listenUrl, spawnAgent } from '../support/agent.ts';
import { docker, ensureImage, runContainer, uniqueName } from '../support/docker.ts';
import { numbered } from '../support/logs.ts';
import { freePort } from '../support/port.ts';
import { daemonCertificates } from '../support/remote-daemon.ts';
import { waitFor } from '../support/wait.ts';
import { logRecordsOf, metricsOf, resourcesOf, startCollector, startGateway, valuesOf } from './collector.ts';

test.before(ensureImage);

const LINES = 50;

for (const protocol of ['grpc', 'http/protobuf', 'http/json'] as const) {
  for (const [security, compression] of [
    ['plain', 'none'],
    ['plain', 'gzip'],
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
      await spawnAgent(t, {
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
      const received = (signal: string) => resourcesOf(collector.file(signal), name);
      const records = () => logRecordsOf(collector.file('logs'), name);
      await container.wait();
      await waitFor('the end of the container', () =>
        records().some(({ eventName }) => eventName === 'docker.container.die'),
      );
      await waitFor(
        'a metric and a span',
        () => received('metrics').length > 0 && received('traces').length > 0,
      );
      t.deepEqual(
        records()
          .filter(({ eventName }) => !eventName)
          .map(({ body }) => body?.stringValue),
        numbered(LINES),
      );
      for (const signal of ['logs', 'metrics', 'traces'])
        for (const { resource } of received(signal))
          t.is(valuesOf(resource.attributes)['container.id'], container.id);
      t.notRegex(collector.log(), /\t(warn|error)\t/);
    });
  }
}

test('the shipped gateway, killed while its back end is away, keeps the data that it acknowledged', async (t) => {
  const backend = await freePort();
  const gateway = await startGateway(t, `http://127.0.0.1:${backend}`);
  const first = await gateway.start();
  const name = uniqueName('gateway');
  const agent = await spawnAgent(t, {
    variables: {
      PORTLIGHT_CONTAINERS_INCLUDE: `name=${name}`,
      OTEL_EXPORTER_OTLP_ENDPOINT: gateway.http,
    },
  });
  const script = `i=0; while [ $i -lt ${LINES} ]; do i=$((i+1)); echo "line $i"; done; sleep 1; exit 3`;
  const container = await runContainer(t, { name, script });
  await container.wait();
  // The agent does not send acknowledged data again.
  t.is((await agent.stop()).code, 0);
  await first.kill();
  const collector = await startCollector(t, { port: backend });
  await gateway.start();
  const records = () => logRecordsOf(collector.file('logs'), name);
  const received = () => new Set(records().map(({ body }) => body?.stringValue));
  await waitFor('all lines', () => numbered(LINES).every((line) => received().has(line)), 60_000);
  await waitFor('the end', () => records().some(({ eventName }) => eventName === 'docker.container.die'));
  for (const signal of ['metrics', 'traces'])
    await waitFor(signal, () => resourcesOf(collector.file(signal), name).length > 0);
});

test('the filelog receiver reads the same lines and times from the log file', async (t) => {
  const name = uniqueName('filelog');
  const script = `i=0; while [ $i -lt ${LINES} ]; do i=$((i+1)); echo "line $i"; done; sleep 600`;
  const container = await runContainer(t, { name, script });
  const { LogPath } = await container.inspect();
  const collector = await startCollector(t, {
    signal: 'logs',
    receivers: {
      filelog: {
        include: [LogPath],
        start_at: 'beginning',
        operators: [{ type: 'container', format: 'docker', add_metadata_from_filepath: false }],
        resource: { 'container.name': name },
      },
    },
  });
  await spawnAgent(t, {
    variables: {
      PORTLIGHT_CONTAINERS_INCLUDE: `name=${name}`,
      OTEL_EXPORTER_OTLP_ENDPOINT: collector.http,
    },
  });
  const lines = (file: string) =>
    logRecordsOf(collector.file(file), name)
      .filter(({ eventName }) => !eventName)
      .map(({ body, timeUnixNano, attributes }) => ({
        // The receiver keeps the newline.
        body: body?.stringValue?.replace(/\n$/, ''),
        timeUnixNano,
        stream: valuesOf(attributes)['log.iostream'],
      }));
  await waitFor('all lines of both', () => ['own', 'logs'].every((file) => lines(file).length === LINES));
  t.deepEqual(lines('logs'), lines('own'));
});

test("the Collector's prometheus exporter produces the same names as the agent's /metrics", async (t) => {
  const port = await freePort();
  const name = uniqueName('exported');
  const collector = await startCollector(t, {
    exporters: { prometheus: { endpoint: `127.0.0.1:${port}` }, debug: { verbosity: 'detailed' } },
  });
  const agent = await spawnAgent(t, {
    variables: {
      PORTLIGHT_CONTAINERS_INCLUDE: `name=${name}`,
      OTEL_EXPORTER_OTLP_ENDPOINT: collector.http,
    },
  });
  await runContainer(t, { name, script: 'while :; do sleep 0.2; done', host: { Memory: 32 * 1024 * 1024 } });
  const own = await listenUrl(agent);
  const served = async (url: string) => {
    const text = await (await fetch(`${url}/metrics`)).text();
    return new Map(
      [...text.matchAll(/^# TYPE (container_\S+) (\w+)$/gm)].map(([, metric = '', type = '']) => [
        metric,
        type,
      ]),
    );
  };
  await waitFor('what both serve', async () => {
    const [theirs, ours] = await Promise.all([served(`http://127.0.0.1:${port}`), served(own)]);
    return theirs.has('container_cpu_time_seconds_total') && ours.has('container_cpu_time_seconds_total');
  });
  const [theirs, ours] = await Promise.all([served(`http://127.0.0.1:${port}`), served(own)]);
  t.deepEqual([...theirs].sort(), [...ours].sort());
  t.true(theirs.size > 20);
  t.true(collector.log().includes(`container.name: Str(${name})`), 'the debug exporter has it too');
});

const INTERVAL_S = 1;
/** The daemon takes two samples, a second apart. */
const ANSWER_MS = 2000;

/** cgroup v1 also reports the same I/O as synchronous, asynchronous and total; v2 and the agent report reads and writes. */
const isOfVersion1 = (key: string): boolean => /"operation","(sync|async|total)"/.test(key);

test('the docker_stats dialect matches what the docker_stats receiver reports for the same container', async (t) => {
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
  await spawnAgent(t, {
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
  let compared = 0;
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
      // One's value lies between the other's values around it, plus one interval's change. Its time is that of the request.
      const changes = same.slice(1).map(({ value }, index) => Math.abs(value - same[index]!.value));
      const change = Math.max(0, ...changes);
      for (const { time, value } of values) {
        const before = same.findLastIndex((moment) => moment.time <= time);
        const after = same.findIndex((moment) => moment.time >= time + ANSWER_MS);
        if (before === -1 || after === -1) continue;
        compared++;
        const around = same.slice(before, after + 1).map((moment) => moment.value);
        const [low, high] = [Math.min(...around) - change, Math.max(...around) + change];
        if (!(value >= low && value <= high))
          differences.push(`${metric} ${key}: ${value} is not within ${low} and ${high}`);
      }
    }
  }
  t.deepEqual(differences, []);
  t.true(compared > 50, `${compared}`);
  const [theirResource, ourResource] = ['own', 'metrics'].map((file) =>
    valuesOf(resourcesOf(collector.file(file), name)[0]!.resource.attributes),
  );
  const others = Object.keys(theirResource!).filter((key) => theirResource![key] !== ourResource![key]);
  t.deepEqual(others.toSorted(), ['container.hostname', 'container.image.name', 'container.runtime']);
});
