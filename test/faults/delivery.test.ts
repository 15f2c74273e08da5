/** What happens to records when the receiver, the agent or the daemon fails. */
import { setTimeout as sleep } from 'node:timers/promises';
import test from 'ava';
import { startAgent, temporaryDirectory } from '../support/agent.ts';
import { docker, ensureImage, execute, runContainer, uniqueName } from '../support/docker.ts';
import { Receiver } from '../support/receiver.ts';
import { waitFor } from '../support/wait.ts';

test.before(ensureImage);

const counting = (count: number) =>
  `i=0; while [ $i -lt ${count} ]; do i=$((i+1)); echo $i; sleep 0.02; done; echo end; sleep 600`;
const numbers = (count: number) => [...Array.from({ length: count }, (_, index) => String(index + 1)), 'end'];

const bodiesOf = (receiver: Receiver, name: string) =>
  receiver
    .of(name)
    .filter(({ scope }) => scope === 'portlight.logs')
    .map(({ body }) => body);

for (const { protocol, status } of [
  { protocol: 'http/protobuf', status: 503 },
  { protocol: 'http/protobuf', status: 429 },
  { protocol: 'grpc', status: 14 },
]) {
  test(`a receiver that answers ${status} over ${protocol} for a while gets everything once and in order`, async (t) => {
    const receiver = await Receiver.start();
    t.teardown(() => receiver.stop());
    receiver.fault = () => ({ status, retryAfter: '1' });
    await startAgent(t, {
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
    t.true(receiver.of(name).some(({ eventName }) => eventName === 'docker.container.start'));
  });
}

test('what a receiver refuses for good is given up and counted, and the rest goes on', async (t) => {
  const receiver = await Receiver.start();
  t.teardown(() => receiver.stop());
  receiver.fault = (signal) => (signal === 'logs' ? { status: 400 } : undefined);
  const agent = await startAgent(t, {
    variables: { OTEL_EXPORTER_OTLP_ENDPOINT: receiver.endpoint('http') },
  });
  const name = uniqueName('refused');
  const container = await runContainer(t, { name, script: 'echo lost; sleep 600' });
  await waitFor('the refusal', () =>
    receiver.refused.some(({ resource, body }) => resource['container.name'] === name && body === 'lost'),
  );
  await waitFor('the warning', () => agent.stderr.includes('HTTP 400'));
  receiver.fault = () => undefined;
  await execute(container, 'echo kept > /proc/1/fd/1');
  await waitFor('the next line', () => bodiesOf(receiver, name).includes('kept'));
  await agent.stop();
  const dropped = receiver.points.find(({ name: metric }) => metric === 'portlight.records.dropped');
  t.deepEqual(dropped?.attributes, { exporter: 'otlp', reason: 'refused', signal: 'logs' });
  t.true(dropped!.value > 0);
  t.deepEqual(bodiesOf(receiver, name), ['kept']);
});

test('killed with -9, the agent goes on from where it was', async (t) => {
  const receiver = await Receiver.start();
  t.teardown(() => receiver.stop());
  const dataDirectory = temporaryDirectory(t);
  const variables = { OTEL_EXPORTER_OTLP_ENDPOINT: receiver.endpoint('http') };
  const first = await startAgent(t, { variables, dataDirectory });
  const name = uniqueName('killed');
  const container = await runContainer(t, { name, script: counting(200) });
  await waitFor('a good part', () => bodiesOf(receiver, name).length > 50);
  // Positions are written twice a second.
  await sleep(700);
  first.kill('SIGKILL');
  await first.exit;
  const before = new Set(bodiesOf(receiver, name)).size;
  await container.rename({ name: `${name}-renamed` });
  await startAgent(t, { variables, dataDirectory });
  await waitFor('the last line', () => bodiesOf(receiver, `${name}-renamed`).includes('end'));

  const all = [...bodiesOf(receiver, name), ...bodiesOf(receiver, `${name}-renamed`)];
  t.deepEqual([...new Set(all)], numbers(200), 'nothing is lost');
  t.true(bodiesOf(receiver, `${name}-renamed`).length < 201 - before + 60, 'and not all is sent again');
  const renames = receiver.logs.filter(
    ({ eventName, resource }) =>
      eventName === 'docker.container.rename' && resource['container.id'] === container.id,
  );
  t.is(renames.length, 1, 'the event of the time between is there');
  const starts = receiver.logs.filter(
    ({ eventName, resource }) =>
      eventName === 'docker.container.start' && resource['container.id'] === container.id,
  );
  t.is(starts.length, 1, 'and those before are not repeated');
});

test('a stopped agent has delivered what it read, and its successor repeats nothing', async (t) => {
  const receiver = await Receiver.start();
  t.teardown(() => receiver.stop());
  const dataDirectory = temporaryDirectory(t);
  const variables = { OTEL_EXPORTER_OTLP_ENDPOINT: receiver.endpoint('http') };
  const name = uniqueName('stopped');
  let agent = await startAgent(t, { variables, dataDirectory });
  await runContainer(t, { name, script: counting(300) });
  for (let stop = 1; stop <= 3; stop++) {
    await waitFor('some lines', () => bodiesOf(receiver, name).length > stop * 40);
    t.is((await agent.stop()).code, 0);
    agent = await startAgent(t, { variables, dataDirectory });
  }
  await waitFor('the last line', () => bodiesOf(receiver, name).includes('end'));
  t.deepEqual(bodiesOf(receiver, name), numbers(300));
});

test('with a receiver that is down, SIGTERM still ends the agent with 0, and a second signal at once', async (t) => {
  const variables = { OTEL_EXPORTER_OTLP_ENDPOINT: 'http://127.0.0.1:9', OTEL_EXPORTER_OTLP_TIMEOUT: '1000' };
  await runContainer(t, { script: 'while :; do echo tick; sleep 0.1; done' });
  const patient = await startAgent(t, { variables });
  await waitFor('the failure to be noticed', () => patient.stderr.includes('cannot send logs'));
  const begun = performance.now();
  t.is((await patient.stop()).code, 0);
  const patience = performance.now() - begun;

  const hurried = await startAgent(t, { variables });
  await waitFor('the failure to be noticed', () => hurried.stderr.includes('cannot send logs'));
  hurried.kill('SIGINT');
  await waitFor('the first signal to be heard', () => hurried.stderr.includes('stopping'));
  const again = performance.now();
  hurried.kill('SIGINT');
  t.is((await hurried.exit).code, 1);
  t.true(performance.now() - again < patience, 'the second signal does not wait');
});

test('a short-lived --rm container leaves its events and, as a rule, its lines', async (t) => {
  const receiver = await Receiver.start();
  t.teardown(() => receiver.stop());
  await startAgent(t, { variables: { OTEL_EXPORTER_OTLP_ENDPOINT: receiver.endpoint('http') } });
  const name = uniqueName('brief');
  await runContainer(t, { name, script: 'echo brief', host: { AutoRemove: true } });
  await waitFor('its removal', () =>
    receiver.of(name).some(({ eventName }) => eventName === 'docker.container.destroy'),
  );
  const actions = receiver
    .of(name)
    .map(({ eventName }) => eventName)
    .filter((event) => event.startsWith('docker.'));
  t.deepEqual(
    actions,
    ['create', 'start', 'die', 'destroy'].map((action) => `docker.container.${action}`),
  );
  t.is((await docker.listContainers({ all: true, filters: { name: [name] } })).length, 0);
});
