/** Delivery while the receiver, the agent or the daemon fails. */
import { spawn } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { setTimeout as sleep } from 'node:timers/promises';
import test from 'ava';
import type { Status } from '../../exporters/shared/status.ts';
import { AgentProcess, CLI, listenUrl, spawnAgent } from '../support/agent.ts';
import { docker, ensureImage, execute, FLOOD, runContainer, uniqueName } from '../support/docker.ts';
import { bodiesOf } from '../support/logs.ts';
import { Receiver } from '../support/receiver.ts';
import { temporaryDirectory } from '../support/temporary.ts';
import { waitFor } from '../support/wait.ts';

test.before(ensureImage);

const counting = (count: number) =>
  `i=0; while [ $i -lt ${count} ]; do i=$((i+1)); echo $i; sleep 0.02; done; echo end; sleep 600`;
const numbers = (count: number) => [...Array.from({ length: count }, (_, index) => String(index + 1)), 'end'];

for (const { protocol, status } of [
  { protocol: 'http/protobuf', status: 503 },
  { protocol: 'http/protobuf', status: 429 },
  { protocol: 'grpc', status: 14 },
]) {
  test(`a receiver that answers ${status} over ${protocol} for a while gets everything once, in order`, async (t) => {
    const receiver = await Receiver.start();
    t.teardown(() => receiver.stop());
    receiver.fault = () => ({ status, retryAfter: '1' });
    await spawnAgent(t, {
      variables: {
        OTEL_EXPORTER_OTLP_ENDPOINT: receiver.endpoint(protocol),
        OTEL_EXPORTER_OTLP_PROTOCOL: protocol,
      },
    });
    const name = uniqueName('refused');
    await runContainer(t, { name, script: counting(100) });
    await sleep(3000);
    t.deepEqual(bodiesOf(receiver, name), []);
    receiver.fault = () => undefined;
    await waitFor('the last line', () => bodiesOf(receiver, name).includes('end'), 60_000);
    t.deepEqual(bodiesOf(receiver, name), numbers(100));
    await waitFor('its events', () =>
      receiver.logsOf(name).some(({ eventName }) => eventName === 'docker.container.start'),
    );
  });
}

test('refused records are quarantined and counted, and later ones are delivered', async (t) => {
  const receiver = await Receiver.start();
  t.teardown(() => receiver.stop());
  receiver.fault = (signal) => (signal === 'logs' ? { status: 400 } : undefined);
  const dataDirectory = temporaryDirectory(t);
  const agent = await spawnAgent(t, {
    variables: { OTEL_EXPORTER_OTLP_ENDPOINT: receiver.endpoint('http') },
    dataDirectory,
  });
  const name = uniqueName('refused');
  const container = await runContainer(t, { name, script: 'echo lost; sleep 600' });
  await waitFor('the refusal', () =>
    receiver.refused.some(({ resource, body }) => resource['container.name'] === name && body === 'lost'),
  );
  await waitFor('the warning', () => agent.stderr.includes('HTTP 400'));
  const quarantine = join(dataDirectory, 'spool/otlp/aside');
  await waitFor('the refused request in aside/', () =>
    readdirSync(quarantine)
      .filter((file) => file.endsWith('.logs.otlp'))
      .some((file) => readFileSync(join(quarantine, file)).includes('lost')),
  );
  receiver.fault = () => undefined;
  await execute(container, 'echo kept > /proc/1/fd/1');
  await waitFor('the next line', () => bodiesOf(receiver, name).includes('kept'));
  await agent.stop();
  const dropped = receiver.points.find(
    ({ name: metric, attributes }) => metric === 'portlight.records.dropped' && attributes.signal === 'logs',
  );
  t.deepEqual(dropped?.attributes, { destination: 'otlp', reason: 'refused', signal: 'logs' });
  t.true(dropped!.value > 0);
  t.deepEqual(bodiesOf(receiver, name), ['kept']);
});

/** The stored position of the event stream, ms since the epoch. */
function eventPosition(dataDirectory: string): number {
  const database = new DatabaseSync(join(dataDirectory, 'positions.db'), { readOnly: true });
  try {
    const row = database.prepare("SELECT value FROM position WHERE source = 'events'").get();
    return row === undefined ? 0 : Number(BigInt(String(row.value)) / 1_000_000n);
  } finally {
    database.close();
  }
}

test('after kill -9 the agent continues from its position', async (t) => {
  const receiver = await Receiver.start();
  t.teardown(() => receiver.stop());
  const dataDirectory = temporaryDirectory(t);
  const variables = { OTEL_EXPORTER_OTLP_ENDPOINT: receiver.endpoint('http') };
  const first = await spawnAgent(t, { variables, dataDirectory });
  const name = uniqueName('killed');
  // The container writes the rest when the second agent runs.
  const script = counting(200).replace(
    'echo $i;',
    'echo $i; while [ $i = 100 ] && ! [ -e /on ]; do sleep 0.05; done;',
  );
  const container = await runContainer(t, { name, script });
  await waitFor('the first lines', () => bodiesOf(receiver, name).length > 50);
  const startedAt = Date.parse((await container.inspect()).State.StartedAt);
  await waitFor('a position after its start', () => eventPosition(dataDirectory) >= startedAt);
  first.kill('SIGKILL');
  await first.exit;
  const before = new Set(bodiesOf(receiver, name)).size;
  await container.rename({ name: `${name}-renamed` });
  await spawnAgent(t, { variables, dataDirectory });
  await execute(container, 'touch /on');
  await waitFor('the last line', () => bodiesOf(receiver, `${name}-renamed`).includes('end'));

  const all = [...bodiesOf(receiver, name), ...bodiesOf(receiver, `${name}-renamed`)];
  t.deepEqual([...new Set(all)], numbers(200), 'nothing is lost');
  t.true(bodiesOf(receiver, `${name}-renamed`).length < 201 - before + 60, 'not everything is sent again');
  const renames = () =>
    receiver.logs.filter(
      ({ eventName, resource }) =>
        eventName === 'docker.container.rename' && resource['container.id'] === container.id,
    );
  await waitFor('the event during the downtime', () => renames().length > 0);
  t.is(renames().length, 1);
  const starts = receiver.logs.filter(
    ({ eventName, resource }) =>
      eventName === 'docker.container.start' && resource['container.id'] === container.id,
  );
  t.is(starts.length, 1, 'earlier events are not repeated');
});

test('a stopped agent has delivered what it read, and the next one repeats nothing', async (t) => {
  const receiver = await Receiver.start();
  t.teardown(() => receiver.stop());
  const dataDirectory = temporaryDirectory(t);
  const variables = { OTEL_EXPORTER_OTLP_ENDPOINT: receiver.endpoint('http') };
  const name = uniqueName('stopped');
  let agent = await spawnAgent(t, { variables, dataDirectory });
  await runContainer(t, { name, script: counting(300) });
  for (let stop = 1; stop <= 3; stop++) {
    await waitFor('some lines', () => bodiesOf(receiver, name).length > stop * 40);
    t.is((await agent.stop()).code, 0);
    agent = await spawnAgent(t, { variables, dataDirectory });
  }
  await waitFor('the last line', () => bodiesOf(receiver, name).includes('end'));
  t.deepEqual(bodiesOf(receiver, name), numbers(300));
});

test('with an unavailable receiver SIGTERM exits with 0, and waiting records are on the disk', async (t) => {
  const receiver = await Receiver.start();
  t.teardown(() => receiver.stop());
  receiver.fault = () => ({ status: 503 });
  const dataDirectory = temporaryDirectory(t);
  const variables = { OTEL_EXPORTER_OTLP_ENDPOINT: receiver.endpoint('http') };
  const name = uniqueName('down');
  const agent = await spawnAgent(t, { variables, dataDirectory });
  await runContainer(t, { name, script: counting(50) });
  await waitFor('the failure', () => agent.stderr.includes('cannot send logs'));
  await waitFor('the last line', async () => {
    const status = (await (await fetch(`${await listenUrl(agent)}/status`)).json()) as Status;
    return status.deliveries.some(({ signal, spooled }) => signal === 'logs' && spooled >= 51);
  });
  t.is((await agent.stop()).code, 0);
  receiver.fault = () => undefined;
  t.deepEqual(bodiesOf(receiver, name), []);
  await spawnAgent(t, { variables, dataDirectory });
  await waitFor('the waiting records', () => bodiesOf(receiver, name).includes('end'));
  t.deepEqual(bodiesOf(receiver, name), numbers(50));
});

test('with a receiver that never answers SIGTERM exits with 0, and a second signal exits at once', async (t) => {
  const server = createServer(() => {});
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.teardown(() => void server.close());
  const { port } = server.address() as AddressInfo;
  const variables = {
    OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${port}`,
    OTEL_EXPORTER_OTLP_TIMEOUT: '60000',
  };
  await runContainer(t, { script: 'while :; do echo tick; sleep 0.1; done' });
  const patient = await spawnAgent(t, { variables });
  await sleep(1000);
  const started = performance.now();
  t.is((await patient.stop()).code, 0);
  const patience = performance.now() - started;

  const hurried = await spawnAgent(t, { variables });
  await sleep(1000);
  hurried.kill('SIGINT');
  await waitFor('the first signal', () => hurried.stderr.includes('shutting down'));
  const again = performance.now();
  hurried.kill('SIGINT');
  t.is((await hurried.exit).code, 1);
  t.true(performance.now() - again < patience, 'the second signal does not wait');
});

test('a short-lived --rm container has all its events', async (t) => {
  const receiver = await Receiver.start();
  t.teardown(() => receiver.stop());
  await spawnAgent(t, { variables: { OTEL_EXPORTER_OTLP_ENDPOINT: receiver.endpoint('http') } });
  const name = uniqueName('brief');
  await runContainer(t, { name, script: 'echo brief', host: { AutoRemove: true } });
  await waitFor('its removal', () =>
    receiver.logsOf(name).some(({ eventName }) => eventName === 'docker.container.destroy'),
  );
  const actions = receiver
    .logsOf(name)
    .map(({ eventName }) => eventName)
    .filter((event) => event.startsWith('docker.'));
  t.deepEqual(
    actions,
    [
      'container.create',
      'network.connect',
      'container.start',
      'container.die',
      'network.disconnect',
      'container.destroy',
    ].map((action) => `docker.${action}`),
  );
  t.is((await docker.listContainers({ all: true, filters: { name: [name] } })).length, 0);
});

test('a last line without a newline arrives', async (t) => {
  const receiver = await Receiver.start();
  t.teardown(() => receiver.stop());
  await spawnAgent(t, { variables: { OTEL_EXPORTER_OTLP_ENDPOINT: receiver.endpoint('http') } });
  const name = uniqueName('unfinished');
  await runContainer(t, { name, script: 'echo one; sleep 0.5; printf two' });
  await waitFor('the last line', () => bodiesOf(receiver, name).length === 2);
  t.deepEqual(bodiesOf(receiver, name), ['one', 'two']);
});

test('labels with the names of event attributes do not break events', async (t) => {
  const receiver = await Receiver.start();
  t.teardown(() => receiver.stop());
  await spawnAgent(t, { variables: { OTEL_EXPORTER_OTLP_ENDPOINT: receiver.endpoint('http') } });
  const name = uniqueName('labels');
  await runContainer(t, {
    name,
    script: 'exit 0',
    labels: { timeNano: 'boom', exitCode: 'abc', container: 'zzz' },
  });
  const after = uniqueName('after');
  await runContainer(t, { name: after, script: 'exit 3' });
  const die = (of: string) =>
    receiver.logsOf(of).find(({ eventName }) => eventName === 'docker.container.die');
  await waitFor('both ends', () => die(name) && die(after));
  t.is(die(after)!.attributes['process.exit.code'], 3);
});

test('a container that restarted while the agent was down has metrics', async (t) => {
  const receiver = await Receiver.start();
  t.teardown(() => receiver.stop());
  const dataDirectory = temporaryDirectory(t);
  const variables = { OTEL_EXPORTER_OTLP_ENDPOINT: receiver.endpoint('http') };
  const name = uniqueName('meanwhile');
  const first = await spawnAgent(t, { variables, dataDirectory });
  const container = await runContainer(t, { name, script: 'sleep 600' });
  await waitFor('metrics', () => receiver.pointsOf(name, 'container.memory.usage').length > 0);
  t.is((await first.stop()).code, 0);
  await container.restart({ t: 0 });
  const before = receiver.pointsOf(name, 'container.memory.usage').length;
  await spawnAgent(t, { variables, dataDirectory });
  await waitFor('the events during the downtime', () =>
    receiver.logsOf(name).some(({ eventName }) => eventName === 'docker.container.restart'),
  );
  await waitFor(
    'more than the first rounds',
    () => receiver.pointsOf(name, 'container.memory.usage').length >= before + 4,
  );
  t.pass();
});

test('a large backlog does not keep the agent from stopping', async (t) => {
  const variables = {
    OTEL_EXPORTER_OTLP_ENDPOINT: 'http://127.0.0.1:9',
    OTEL_EXPORTER_OTLP_TIMEOUT: '1000',
    PORTLIGHT_CONTAINERS_EXCLUDE: '',
    PORTLIGHT_CONTAINERS_INCLUDE: `label=${FLOOD}`,
  };
  const container = await runContainer(t, {
    labels: { [FLOOD]: '' },
    script: 'yes 0123456789012345678901234567890123456789 | head -c 60000000; sleep 600',
  });
  await waitFor('the log', async () => (await container.inspect()).State.Running);
  const agent = await spawnAgent(t, { variables });
  await waitFor('the failure', () => agent.stderr.includes('cannot send logs'));
  t.is((await agent.stop()).code, 0);
});

test('an unresponsive daemon does not keep the agent from stopping', async (t) => {
  const server = createServer(() => {});
  const socket = join(temporaryDirectory(t), 'docker.sock');
  await new Promise<void>((resolve) => server.listen(socket, resolve));
  t.teardown(() => void server.close());
  const directory = temporaryDirectory(t);
  const agent = new AgentProcess(
    ['run', '--docker-host', `unix://${socket}`, '--listen', '127.0.0.1:0', '--data-dir', directory],
    {},
    directory,
  );
  t.teardown(() => agent.kill('SIGKILL'));
  await listenUrl(agent);
  t.is((await agent.stop()).code, 0);
});

test('a closed standard output ends the printing, not the agent', async (t) => {
  const directory = temporaryDirectory(t);
  await runContainer(t, { script: 'while :; do echo tick; sleep 0.05; done' });
  const child = spawn(
    'sh',
    [
      '-c',
      `"${process.execPath}" "${CLI}" run --listen 127.0.0.1:0 --exporter console --interval 200ms --data-dir "${directory}" | head -1`,
    ],
    { stdio: ['ignore', 'pipe', 'pipe'] },
  );
  let errors = '';
  child.stderr.setEncoding('utf8').on('data', (text) => {
    errors += text;
  });
  t.teardown(() => spawn('pkill', ['-KILL', '-f', directory]));
  await waitFor('the agent', () => errors.includes('portlight started'));
  await sleep(2000);
  t.false(errors.includes('EPIPE'), errors);
});
