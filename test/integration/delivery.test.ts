/** Delivery as the user sees it: reload, status, several destinations, receivers that move. */
import { spawn } from 'node:child_process';
import { readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import type { Status } from '../../exporters/shared/status.ts';
import { type AgentProcess, CLI, listenUrl, portlight, spawnAgent } from '../support/agent.ts';
import { ensureImage, runContainer, uniqueName } from '../support/docker.ts';
import { bodiesOf, numbered } from '../support/logs.ts';
import { Receiver } from '../support/receiver.ts';
import { temporaryDirectory } from '../support/temporary.ts';
import { waitFor } from '../support/wait.ts';

test.before(ensureImage);

const counting = (count: number) =>
  `i=0; while [ $i -lt ${count} ]; do i=$((i+1)); echo "line $i"; sleep 0.02; done; sleep 600`;

const receiverFor = async (t: ExecutionContext): Promise<Receiver> => {
  const receiver = await Receiver.start();
  t.teardown(() => receiver.stop());
  return receiver;
};

const fileFor = (t: ExecutionContext, content: string): string => {
  const path = join(temporaryDirectory(t), 'portlight.yaml');
  writeFileSync(path, content);
  return path;
};

/** Starts an agent that is configured by a file only. */
const startWith = (t: ExecutionContext, path: string, dataDirectory?: string): Promise<AgentProcess> =>
  spawnAgent(t, {
    args: ['--config', path],
    ...(dataDirectory !== undefined && { dataDirectory }),
  });

const statusOf = async (agent: AgentProcess): Promise<Status> =>
  (await (await fetch(`${await listenUrl(agent)}/status`)).json()) as Status;

test('SIGHUP applies a changed file, and no line is lost or repeated', async (t) => {
  const [first, second] = [await receiverFor(t), await receiverFor(t)];
  const path = fileFor(t, `otlp: {endpoint: "${first.endpoint('http')}"}\n`);
  const agent = await startWith(t, path);
  const name = uniqueName('reload');
  await runContainer(t, { name, script: counting(300) });
  await waitFor('some lines', () => bodiesOf(first, name).length > 50);
  writeFileSync(path, `otlp: {endpoint: "${second.endpoint('http')}"}\n`);
  agent.kill('SIGHUP');
  await waitFor('the new receiver', () => bodiesOf(second, name).length > 0);
  t.true(agent.stderr.includes('SIGHUP: configuration reloaded'));
  await waitFor('the last line', () => bodiesOf(second, name).includes('line 300'));
  t.deepEqual([...bodiesOf(first, name), ...bodiesOf(second, name)], numbered(300));
  t.is((await agent.stop()).code, 0);
});

test('SIGHUP rejects an invalid file with the reason, and the agent continues', async (t) => {
  const receiver = await receiverFor(t);
  const good = `otlp: {endpoint: "${receiver.endpoint('http')}"}\n`;
  const path = fileFor(t, good);
  const agent = await startWith(t, path);
  const name = uniqueName('refused');
  await runContainer(t, { name, script: counting(200) });
  await waitFor('some lines', () => bodiesOf(receiver, name).length > 10);
  writeFileSync(path, `${good}intervall: 5s\n`);
  agent.kill('SIGHUP');
  await waitFor('the refusal', () =>
    agent.stderr.includes('invalid configuration, keeping the current one: '),
  );
  t.true(agent.stderr.includes('intervall: is not a known key; did you mean interval?'));
  // A mistake that shows only when the exporter is created, after another one was created.
  const more = 'destinations: {second: {endpoint: "http://127.0.0.1:9", headers_file: /nowhere}}';
  writeFileSync(path, `${good}${more}\n`);
  agent.kill('SIGHUP');
  await waitFor('the second refusal', () => agent.stderr.includes('cannot read /nowhere'));
  await waitFor('the last line', () => bodiesOf(receiver, name).includes('line 200'));
  t.deepEqual(bodiesOf(receiver, name), numbered(200));
});

test('each destination gets its signals, and an unreachable one does not hold up the others', async (t) => {
  const [first, second] = [await receiverFor(t), await receiverFor(t)];
  const path = fileFor(
    t,
    `
otlp: {endpoint: "${first.endpoint('http')}"}
destinations:
  second: {endpoint: "${second.endpoint('grpc')}", protocol: grpc, signals: [logs, events]}
`,
  );
  second.fault = () => ({ status: 14 });
  const dataDirectory = temporaryDirectory(t);
  const agent = await startWith(t, path, dataDirectory);
  const name = uniqueName('two');
  await runContainer(t, { name, script: counting(100) });
  await waitFor('all lines at the first', () => bodiesOf(first, name).includes('line 100'));
  t.deepEqual(bodiesOf(second, name), []);
  t.deepEqual(readdirSync(join(dataDirectory, 'spool')).sort(), ['otlp', 'second']);
  const { destinations, deliveries } = await statusOf(agent);
  t.deepEqual(destinations, [
    { name: 'otlp', reachable: true },
    { name: 'second', reachable: false },
  ]);
  const waiting = deliveries.find(
    ({ destination, signal }) => destination === 'second' && signal === 'logs',
  )!;
  t.true(waiting.waitingBytes > 0 && waiting.retries > 0 && waiting.oldestAge! > 0);
  second.fault = () => undefined;
  await waitFor('all lines at the second', () => bodiesOf(second, name).includes('line 100'), 60_000);
  t.deepEqual(bodiesOf(second, name), numbered(100));
  t.is(second.points.length, 0);
  t.true(first.pointsOf(name, 'container.memory.usage').length > 0);
});

test('a second agent refuses the data directory of the first', async (t) => {
  const receiver = await receiverFor(t);
  const dataDirectory = temporaryDirectory(t);
  const variables = { OTEL_EXPORTER_OTLP_ENDPOINT: receiver.endpoint('http') };
  const first = await spawnAgent(t, { variables, dataDirectory });
  const run = ['run', '--listen', '127.0.0.1:0', '--data-dir', dataDirectory];
  const second = await portlight(t, run, variables);
  t.is(second.code, 1);
  t.is(
    second.stderr,
    `portlight: data_dir: ${dataDirectory} is in use by another agent; expected a directory that no other agent uses\n`,
  );
  first.kill('SIGKILL');
  await first.exit;
  await spawnAgent(t, { variables, dataDirectory });
  t.pass();
});

test('portlight status shows the deliveries', async (t) => {
  const receiver = await receiverFor(t);
  const name = uniqueName('status');
  const agent = await spawnAgent(t, {
    variables: {
      OTEL_EXPORTER_OTLP_ENDPOINT: receiver.endpoint('http'),
      PORTLIGHT_CONTAINERS_INCLUDE: `name=${name}`,
    },
  });
  await runContainer(t, { name, script: counting(20) });
  await waitFor('the last line', () => bodiesOf(receiver, name).includes('line 20'));
  const listen = new URL(await listenUrl(agent)).host;
  const { code, stdout } = await portlight(t, ['status', '--listen', listen]);
  t.is(code, 0);
  t.regex(stdout, /^portlight \S+, process \d+, started /);
  t.regex(stdout, /^daemon unix:\/\/.*: connected, \d+ containers?$/m);
  t.regex(stdout, /^destination otlp: reachable$/m);
  t.regex(stdout, /^DESTINATION +SIGNAL +SENT +BYTES +QUEUED +OLDEST +RETRIES +DROPPED$/m);
  t.regex(stdout, /^otlp +logs +\d+ +[\d.]+ \w+ +0 B +- +0 +0$/m);
  const json = await portlight(t, ['status', '--listen', listen, '-o', 'json']);
  t.is((JSON.parse(json.stdout) as Status).pid, agent.pid);
  const page = await (await fetch(`http://${listen}/metrics`)).text();
  t.regex(page, /^portlight_records_sent_total\{signal="logs",destination="otlp"\} \d+$/m);
  t.regex(page, /^portlight_spool_size_bytes\{signal="logs",destination="otlp"\} 0$/m);

  await agent.stop();
  const nobody = await portlight(t, ['status', '--listen', listen]);
  t.is(nobody.code, 1);
  t.regex(
    nobody.stderr,
    /^portlight: no agent answers at http:\/\/127\.0\.0\.1:\d+\/status: .*ECONNREFUSED.*--listen/,
  );
});

test('every record has the configured resource attributes', async (t) => {
  const receiver = await receiverFor(t);
  const agent = await spawnAgent(t, {
    variables: {
      OTEL_EXPORTER_OTLP_ENDPOINT: receiver.endpoint('http'),
      OTEL_RESOURCE_ATTRIBUTES: 'deployment.environment.name=prod%20eu,service.version=7',
      OTEL_SERVICE_NAME: 'watcher',
    },
  });
  const name = uniqueName('attributes');
  await runContainer(t, { name, script: counting(5) });
  await waitFor('a line', () => bodiesOf(receiver, name).includes('line 5'));
  await waitFor('metrics', () => receiver.pointsOf(name, 'container.memory.usage').length > 0);
  await agent.stop();
  for (const { resource } of [
    ...receiver.logsOf(name),
    ...receiver.pointsOf(name, 'container.memory.usage'),
  ]) {
    t.is(resource['deployment.environment.name'], 'prod eu');
    t.is(resource['service.name'], name);
  }
  const own = receiver.points.find((point) => point.name === 'portlight.records.sent')!;
  t.is(own.resource['service.name'], 'watcher');
  t.is(own.resource['deployment.environment.name'], 'prod eu');
});

for (const protocol of ['http/protobuf', 'grpc']) {
  test.serial(`a receiver that moved to another address is found over ${protocol}`, async (t) => {
    const [first, second] = [await receiverFor(t), await receiverFor(t)];
    const directory = temporaryDirectory(t);
    const hosts = join(directory, 'hosts');
    const point = (address: string) => writeFileSync(hosts, `${address} receiver.portlight.test\n`);
    const kind = protocol === 'grpc' ? 'grpc' : 'http';
    const port = new URL(first.endpoint(kind)).port;
    // The same port at another address of loopback.
    await second.listenAt('127.0.0.2', Number(port), kind);
    point('127.0.0.1');
    // The agent gets its own /etc/hosts.
    const child = spawn(
      'unshare',
      [
        [
          '--mount',
          'sh',
          '-c',
          'mount --bind "$0" /etc/hosts && exec "$@"',
          hosts,
          process.execPath,
          CLI,
          'run',
        ],
        ['--listen', '127.0.0.1:0', '--data-dir', join(directory, 'data'), '--interval', '500ms'],
      ].flat(),
      {
        env: {
          PATH: process.env.PATH,
          DOCKER_HOST: process.env.DOCKER_HOST,
          OTEL_EXPORTER_OTLP_ENDPOINT: `http://receiver.portlight.test:${port}`,
          OTEL_EXPORTER_OTLP_PROTOCOL: protocol,
        },
        stdio: 'ignore',
      },
    );
    t.teardown(() => child.kill('SIGKILL'));
    await waitFor('the first receiver', () => first.points.length > 0);
    point('127.0.0.2');
    await first.stop();
    const before = second.points.length;
    await waitFor('the second receiver', () => second.points.length > before, 60_000);
    t.pass();
  });
}
