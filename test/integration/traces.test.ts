/** The life of a container as a trace, over each protocol. */
import test from 'ava';
import { protocolNames } from '../../config/receiver-options.ts';
import { spawnAgent } from '../support/agent.ts';
import { createContainer, ensureImage, execute, pause, runContainer, uniqueName } from '../support/docker.ts';
import { type ReceivedSpan, Receiver } from '../support/receiver.ts';
import { waitFor } from '../support/wait.ts';

test.before(ensureImage);

const SECOND = 1_000_000_000;
const OBEDIENT = 'trap exit TERM; while :; do sleep 0.05; done';

const seconds = ({ start, end }: ReceivedSpan): number => Number(end - start) / 1e9;

for (const protocol of protocolNames) {
  test(`a container's life from creation to exit is one trace over ${protocol}`, async (t) => {
    const receiver = await Receiver.start();
    t.teardown(() => receiver.stop());
    await spawnAgent(t, {
      variables: {
        OTEL_EXPORTER_OTLP_ENDPOINT: receiver.endpoint(protocol),
        OTEL_EXPORTER_OTLP_PROTOCOL: protocol,
      },
    });
    const name = uniqueName('life');
    const container = await createContainer(t, {
      name,
      script: `touch /healthy; ${OBEDIENT}`,
      create: {
        Healthcheck: {
          Test: ['CMD', 'test', '-e', '/healthy'],
          Interval: SECOND,
          Timeout: 10 * SECOND,
          Retries: 1,
        },
      },
    });
    await container.start();
    const spans = (span: string) => receiver.spansOf(name).filter((known) => known.name === span);
    await waitFor('health', () => spans('container.health').length === 1, 60_000);
    await execute(container, 'rm /healthy; exit 3');
    await waitFor('sickness', () => spans('container.health').length === 2, 60_000);
    await pause(container);
    await container.unpause();
    await container.stop({ t: 10 });
    await waitFor('the whole life', () => spans('container').length === 1);

    const all = receiver.spansOf(name);
    t.is(new Set(all.map(({ traceId }) => traceId)).size, 1, 'one trace');
    t.is(new Set(all.map(({ spanId }) => spanId)).size, all.length);
    const [root] = spans('container');
    t.is(root!.parentSpanId, '');
    for (const span of all) {
      if (span !== root) t.is(span.parentSpanId, root!.spanId, span.name);
      t.is(span.resource['container.id'], container.id);
      t.true(span.start >= root!.start && span.end <= root!.end && span.start <= span.end, span.name);
    }
    t.deepEqual(
      all.map((span) => span.name).sort(),
      [
        'container',
        'container.exec',
        'container.health',
        'container.health',
        'container.pause',
        'container.run',
        'container.start',
        'container.stop',
      ],
      "and none for the health checks' own commands",
    );
    const [starting, healthy] = spans('container.health');
    t.is(starting!.attributes['container.health.status'], 'starting');
    t.false(starting!.isError);
    t.is(healthy!.attributes['container.health.status'], 'healthy');
    t.true(healthy!.isError);
    t.is(healthy!.start, starting!.end, 'one begins where the other ends');
    const [exec] = spans('container.exec');
    t.is(exec!.attributes['process.exit.code'], 3);
    t.true(exec!.isError);
    const [stop] = spans('container.stop');
    t.is(stop!.attributes['portlight.exit.reason'], 'stopped');
    t.false(stop!.isError);
    t.is(stop!.end, root!.end);
    const [run] = spans('container.run');
    t.is(run!.start, starting!.start, 'the check begins with the run');
    t.true(seconds(run!) > 1);
    for (const event of receiver
      .logsOf(name)
      .filter(({ eventName }) => eventName.startsWith('docker.container.')))
      t.is(event.context, `${root!.traceId} ${root!.spanId}`, 'its events are part of it');
  });
}

test('a life links to the previous one of the same container, name or Compose service', async (t) => {
  const receiver = await Receiver.start();
  t.teardown(() => receiver.stop());
  await spawnAgent(t, { variables: { OTEL_EXPORTER_OTLP_ENDPOINT: receiver.endpoint('http') } });
  const service = uniqueName('service');
  const labels = { 'com.docker.compose.project': 'shop', 'com.docker.compose.service': service };
  const first = await runContainer(t, { name: uniqueName('first'), script: OBEDIENT, labels });
  await first.restart({ t: 10 });
  await first.kill();
  await first.wait();
  const second = await runContainer(t, { name: uniqueName('second'), script: 'exit 0', labels });
  await second.wait();
  const roots = () =>
    receiver.spans.filter(
      ({ resource, name }) => resource['service.name'] === service && name === 'container',
    );
  await waitFor('three lives', () => roots().length === 3);
  const [one, two, three] = roots();
  const context = ({ traceId, spanId }: ReceivedSpan) => `${traceId} ${spanId}`;
  t.is(new Set(roots().map(({ traceId }) => traceId)).size, 3);
  t.deepEqual(one!.links, []);
  t.deepEqual(two!.links, [context(one!)]);
  t.deepEqual(three!.links, [context(two!)]);
  t.is(two!.attributes['portlight.exit.reason'], 'killed');
  t.true(two!.isError);
});

test('a container that ignores the stop signal is killed after the stop timeout', async (t) => {
  const receiver = await Receiver.start();
  t.teardown(() => receiver.stop());
  await spawnAgent(t, { variables: { OTEL_EXPORTER_OTLP_ENDPOINT: receiver.endpoint('http') } });
  const name = uniqueName('stubborn');
  const container = await runContainer(t, { name, script: 'sleep 600' });
  await container.stop({ t: 1 });
  const stop = () => receiver.spansOf(name).find((span) => span.name === 'container.stop');
  await waitFor('the stop', () => stop() !== undefined);
  t.is(stop()!.attributes['portlight.exit.reason'], 'killed_after_grace');
  t.true(stop()!.isError);
  t.true(seconds(stop()!) >= 0.9, 'it shows how long was waited');
});

test('an option of Portlight or of OpenTelemetry disables traces', async (t) => {
  for (const variables of [{ PORTLIGHT_TRACES_ENABLED: 'false' }, { OTEL_TRACES_EXPORTER: 'none' }]) {
    const receiver = await Receiver.start();
    t.teardown(() => receiver.stop());
    const agent = await spawnAgent(t, {
      variables: { OTEL_EXPORTER_OTLP_ENDPOINT: receiver.endpoint('http'), ...variables },
    });
    const name = uniqueName('dark');
    const container = await runContainer(t, { name, script: 'exit 0' });
    await container.wait();
    await waitFor('its end', () =>
      receiver.logsOf(name).some(({ eventName }) => eventName === 'docker.container.die'),
    );
    await agent.stop();
    t.is(receiver.requests.traces, 0);
  }
});
