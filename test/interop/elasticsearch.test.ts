/** A real Elasticsearch receives everything once, in OpenTelemetry's names and in ECS, with the shipped templates. */
import { join } from 'node:path';
import test from 'ava';
import { spawnAgent } from '../support/agent.ts';
import { ensureImage, runContainer, uniqueName } from '../support/docker.ts';
import { numbered } from '../support/logs.ts';
import { MEBIBYTE } from '../support/units.ts';
import { waitFor } from '../support/wait.ts';
import { type Elasticsearch, type Fields, startElasticsearch } from './elasticsearch.ts';
import { pathOf } from './peers.ts';

const configured = (file: string) => ['--config', join(import.meta.dirname, '../../config/elastic', file)];
const LINES = 200;
const programs = pathOf('elasticsearch');
const withElasticsearch = programs === undefined ? test.skip : test;

test.before(ensureImage);

/** Polls until a search finds `count` documents. */
const found = (server: Elasticsearch, stream: string, wanted: Readonly<Record<string, unknown>>, count = 1) =>
  waitFor(`${count} of ${JSON.stringify(wanted)} in ${stream}`, async () => {
    const filter = Object.entries(wanted).map(([field, value]) => ({ term: { [field]: value } }));
    const fields = await server.search(stream, { bool: { filter } });
    return fields.length >= count && fields;
  });

const sorted = (all: readonly Fields[], field: string) => all.map((one) => String(one[field])).toSorted();

withElasticsearch('mapping mode otel: every signal is in its data stream, and linked by trace', async (t) => {
  const server = await startElasticsearch(t, programs!);
  const name = uniqueName('elastic');
  await spawnAgent(t, {
    args: configured('portlight.yaml'),
    variables: { GATEWAY: server.gateway, PORTLIGHT_CONTAINERS_INCLUDE: `name=${name}` },
  });
  const container = await runContainer(t, {
    name,
    script: `i=0; while [ $i -lt ${LINES} ]; do i=$((i+1)); echo "line $i"; done; echo '{"level":"error","msg":"broken"}' >&2; sleep 5; echo the last words; exit 3`,
    host: { Memory: 64 * MEBIBYTE },
    labels: { 'com.docker.compose.service': 'shop' },
  });
  const logs = 'logs-portlight.otel-default';

  // Attributes are found by their plain names, wherever they are in the document.
  const [died] = await found(server, logs, { 'container.name': name, event_name: 'docker.container.die' });
  t.deepEqual(died!['resource.attributes.container.id'], [container.id]);
  t.deepEqual(died!['resource.attributes.service.name'], ['shop']);
  t.deepEqual(died!['attributes.portlight.exit.reason'], ['error']);
  t.deepEqual(died!['attributes.process.exit.code'], [3]);
  t.deepEqual(died!.severity_number, [17]);

  const lines = await found(
    server,
    logs,
    { 'container.id': container.id, 'scope.name': 'portlight.logs' },
    LINES + 2,
  );
  const written = lines.filter((line) => String(line['body.text']).startsWith('line '));
  t.deepEqual(sorted(written, 'body.text'), numbered(LINES).toSorted(), 'each line once');
  t.is(lines.length, LINES + 2);
  const bad = await server.search(logs, {
    bool: {
      filter: [{ term: { 'container.id': container.id } }, { range: { severity_number: { gte: 17 } } }],
    },
  });
  t.deepEqual(
    sorted(bad, 'scope.name'),
    ['portlight.events', 'portlight.logs'],
    'the line that says so, and the end',
  );

  // This needs the shipped component template.
  const words = await server.search(logs, { match: { 'attributes.portlight.exit.log': 'words' } });
  t.deepEqual(sorted(words, 'event_name'), ['docker.container.die']);
  t.is(await server.typeOf(logs, 'attributes.portlight.exit.sample.age'), 'double');

  const [trace] = died!.trace_id as [string];
  t.regex(trace, /^[0-9a-f]{32}$/);
  const events = await server.search(logs, { bool: { filter: [{ term: { trace_id: trace } }] } });
  for (const action of ['create', 'start', 'die'])
    t.is(
      events.filter(({ event_name }) => event_name?.[0] === `docker.container.${action}`).length,
      1,
      action,
    );
  const spans = await found(server, 'traces-portlight.otel-default', {
    trace_id: trace,
    name: 'container',
  });
  t.is(spans.length, 1);
  t.deepEqual(spans[0]!['resource.attributes.container.id'], [container.id]);

  const metrics = 'metrics-portlight.otel-default';
  const points = await found(server, metrics, { 'container.id': container.id });
  const valuesOf = (metric: string) => points.flatMap((point) => point[`metrics.${metric}`] ?? []);
  t.deepEqual([...new Set(valuesOf('container.memory.limit'))], [64 * MEBIBYTE]);
  // The CPU time of a mode is 0 if no tick of the kernel fell into it.
  t.true(Math.max(...valuesOf('container.cpu.time').map(Number)) > 0);
  t.true(valuesOf('container.cpu.time').every((value) => Number(value) >= 0));
  t.is(await server.typeOf(metrics, 'metrics.container.cpu.time'), 'double');
  t.notRegex(server.log(), /\t(warn|error)\t/);
});

withElasticsearch('in the mapping mode ecs, logs and events have the names of ECS', async (t) => {
  const server = await startElasticsearch(t, programs!);
  const name = uniqueName('ecs');
  await spawnAgent(t, {
    args: configured('portlight-ecs.yaml'),
    variables: { GATEWAY: server.gateway, PORTLIGHT_CONTAINERS_INCLUDE: `name=${name}` },
  });
  const container = await runContainer(t, { name, script: 'echo first; echo second; sleep 3; exit 3' });
  const stream = 'logs-portlight-default';
  const lines = await found(server, stream, { 'container.id': container.id, 'log.iostream': 'stdout' }, 2);
  t.deepEqual(sorted(lines, 'message'), ['first', 'second']);
  for (const line of lines) {
    t.deepEqual(line['container.name'], [name]);
    t.deepEqual(line['container.image.name'], ['portlight-test']);
    t.deepEqual(line['data_stream.dataset'], ['portlight']);
  }
  const [died] = await found(server, stream, {
    'container.id': container.id,
    'portlight.exit.reason': 'error',
  });
  t.deepEqual(died!['process.exit.code'], [3]);
  t.regex(String(died!['trace.id']), /^[0-9a-f]{32}$/);
  t.notRegex(server.log(), /\t(warn|error)\t/);
});
