/** All records of one container's life arrive at a receiver, by each protocol. */
import test from 'ava';
import { protocolNames } from '../../config/receiver-options.ts';
import { spawnAgent } from '../support/agent.ts';
import {
  createContainer,
  docker,
  ensureImage,
  execute,
  IMAGE,
  runContainer,
  uniqueName,
} from '../support/docker.ts';
import { Receiver } from '../support/receiver.ts';
import { waitFor } from '../support/wait.ts';

const LINES = 1000;
/** What a person sees who runs a container, executes a command in it, kills and removes it. */
const STORY = [
  'container.create',
  'network.connect',
  'container.start',
  'container.exec_create',
  'container.exec_start',
  'container.exec_die',
  'container.kill',
  'container.die',
  'network.disconnect',
  'container.destroy',
].map((action) => `docker.${action}`);

test.before(ensureImage);

for (const protocol of protocolNames) {
  test(`run, log ${LINES} lines, exec, kill, rm: everything arrives in order over ${protocol}`, async (t) => {
    const receiver = await Receiver.start();
    t.teardown(() => receiver.stop());
    const agent = await spawnAgent(t, {
      variables: {
        OTEL_EXPORTER_OTLP_ENDPOINT: receiver.endpoint(protocol),
        OTEL_EXPORTER_OTLP_PROTOCOL: protocol,
        OTEL_EXPORTER_OTLP_COMPRESSION: 'gzip',
      },
    });

    const name = uniqueName('life');
    const container = await runContainer(t, {
      name,
      script: `i=0; while [ $i -lt ${LINES} ]; do i=$((i+1)); echo "line $i"; [ $((i % 10)) = 0 ] && echo "error $i" >&2; done; sleep 600`,
      host: { Memory: 64 * 1024 * 1024 },
    });
    const lines = (stream: string) =>
      receiver
        .logsOf(name)
        .filter(
          ({ scope, attributes }) => scope === 'portlight.logs' && attributes['log.iostream'] === stream,
        );
    await waitFor('all lines', () => lines('stdout').length >= LINES && lines('stderr').length >= LINES / 10);
    await execute(container, 'true');
    await waitFor('metrics', () => receiver.pointsOf(name, 'container.cpu.usage').length > 0);
    await container.kill();
    await container.wait();
    await container.remove();
    const events = () => receiver.logsOf(name).filter(({ eventName }) => eventName.startsWith('docker.'));
    await waitFor('the last event', () =>
      events().some(({ eventName }) => eventName === 'docker.container.destroy'),
    );

    const { code } = await agent.stop();
    t.is(code, 0, agent.stderr);

    t.deepEqual(
      lines('stdout').map(({ body }) => body),
      Array.from({ length: LINES }, (_, index) => `line ${index + 1}`),
    );
    t.deepEqual(
      lines('stderr').map(({ body }) => body),
      Array.from({ length: LINES / 10 }, (_, index) => `error ${(index + 1) * 10}`),
    );
    const times = lines('stdout').map(({ time }) => time);
    t.deepEqual(
      times,
      times.toSorted((a, b) => Number(a - b)),
      'times rise',
    );
    t.true(
      times.some((time) => time % 1000n !== 0n),
      'times have nanoseconds',
    );

    // The network's disconnect comes before or after the exit, depending on the Engine.
    for (const type of ['docker.container.', 'docker.network.']) {
      const isOfType = (event: string) => event.startsWith(type);
      const names = events().map(({ eventName }) => eventName);
      t.deepEqual(names.filter(isOfType), STORY.filter(isOfType));
    }
    const byAction = new Map(events().map((event) => [event.eventName, event]));
    t.is(byAction.get('docker.container.die')!.attributes['process.exit.code'], 137);
    t.is(byAction.get('docker.container.die')!.severityNumber, 13);
    t.is(byAction.get('docker.container.die')!.attributes['portlight.exit.reason'], 'killed');
    t.is(byAction.get('docker.container.kill')!.attributes['docker.event.signal'], '9');

    const records = receiver.logsOf(name);
    const { resource } = records.find(({ eventName }) => eventName === 'docker.container.start')!;
    t.is(resource['container.id'], container.id);
    t.is(resource['service.name'], name);
    t.is(resource['container.image.name'], 'portlight-test');
    t.deepEqual(resource['container.image.tags'], ['busybox']);
    t.regex(String(resource['container.image.id']), /^sha256:/);
    t.true(String(resource['host.name']).length > 0);
    t.is(resource['os.type'], 'linux');
    t.is(resource['container.runtime.name'], 'docker');
    t.is(resource['container.runtime.version'], (await docker.version()).Version);
    for (const record of records)
      t.deepEqual(record.resource, resource, 'logs and events have the same resource');
    for (const point of receiver.points) {
      if (point.resource['container.name'] === name)
        t.deepEqual(point.resource, resource, 'and so do metrics');
    }

    const json = protocol === 'http/json' ? 'application/json' : 'application/x-protobuf';
    if (protocol !== 'grpc') t.deepEqual([...receiver.contentTypes], [json]);
    const own = receiver.points.filter(({ name: metric }) => metric === 'portlight.records.collected');
    t.true(
      own.some(({ attributes, value }) => attributes.signal === 'logs' && value >= LINES),
      'the agent reports its own metrics',
    );
    t.is(own[0]!.resource['service.name'], 'portlight');
  });
}

test('each container has its own resource, and a round is one request', async (t) => {
  const receiver = await Receiver.start();
  t.teardown(() => receiver.stop());
  const names = [uniqueName('one'), uniqueName('two')];
  const script = 'while :; do echo "$HOSTNAME"; sleep 0.1; done';
  const containers = await Promise.all(
    names.map((name) =>
      runContainer(t, { name, script, labels: { 'com.docker.compose.service': `service-${name}` } }),
    ),
  );
  const agent = await spawnAgent(t, {
    variables: { OTEL_EXPORTER_OTLP_ENDPOINT: receiver.endpoint('http') },
  });
  await waitFor('both', () =>
    names.every(
      (name) => receiver.logsOf(name).length > 3 && receiver.pointsOf(name, 'container.cpu.usage').length > 1,
    ),
  );
  await agent.stop();
  names.forEach((name, index) => {
    const { id } = containers[index]!;
    for (const { resource, body, scope } of receiver.logsOf(name)) {
      t.is(resource['container.id'], id);
      t.is(resource['service.name'], `service-${name}`);
      if (scope === 'portlight.logs')
        t.is(body, id.slice(0, 12), 'a line is filed under the container that wrote it');
    }
  });
  const requests = names.map((name) =>
    receiver.pointsOf(name, 'container.memory.usage').map(({ request }) => request),
  );
  t.deepEqual(requests[0], requests[1], 'both containers come in the same requests');
});

test('a renamed container keeps its id, and its records get the new name', async (t) => {
  const receiver = await Receiver.start();
  t.teardown(() => receiver.stop());
  const [before, after] = [uniqueName('before'), uniqueName('after')];
  const container = await runContainer(t, { name: before, script: 'while :; do echo tick; sleep 0.1; done' });
  await spawnAgent(t, { variables: { OTEL_EXPORTER_OTLP_ENDPOINT: receiver.endpoint('http') } });
  await waitFor('lines', () => receiver.logsOf(before).length > 2);
  await container.rename({ name: after });
  await waitFor('lines under the new name', () =>
    receiver.logsOf(after).some(({ scope }) => scope === 'portlight.logs'),
  );
  t.is(receiver.logsOf(after)[0]!.resource['container.id'], container.id);
});

test('the log of a terminal is one stream, without carriage returns', async (t) => {
  const receiver = await Receiver.start();
  t.teardown(() => receiver.stop());
  await spawnAgent(t, { variables: { OTEL_EXPORTER_OTLP_ENDPOINT: receiver.endpoint('http') } });
  const name = uniqueName('tty');
  await runContainer(t, { name, tty: true, script: 'echo one; echo two >&2; sleep 600' });
  const lines = () => receiver.logsOf(name).filter(({ scope }) => scope === 'portlight.logs');
  await waitFor('both lines', () => lines().length === 2);
  t.deepEqual(
    lines().map(({ body, attributes }) => [body, attributes['log.iostream']]),
    [
      ['one', 'stdout'],
      ['two', 'stdout'],
    ],
  );
});

test('log lines of any size and any bytes arrive whole', async (t) => {
  const receiver = await Receiver.start();
  t.teardown(() => receiver.stop());
  await spawnAgent(t, { variables: { OTEL_EXPORTER_OTLP_ENDPOINT: receiver.endpoint('http') } });
  const name = uniqueName('bytes');
  await runContainer(t, {
    name,
    script: "printf '\\303\\244\\n\\n'; head -c 100000 /dev/zero | tr '\\0' x; echo; echo end; sleep 600",
  });
  const bodies = () =>
    receiver
      .logsOf(name)
      .filter(({ scope }) => scope === 'portlight.logs')
      .map(({ body }) => body);
  await waitFor('the last line', () => bodies().includes('end'));
  t.deepEqual(bodies(), ['ä', '', 'x'.repeat(100_000), 'end']);
});

test('a container created before the agent and started after it is observed', async (t) => {
  const receiver = await Receiver.start();
  t.teardown(() => receiver.stop());
  const name = uniqueName('created');
  const container = await createContainer(t, { name, script: 'echo hello; sleep 600' });
  await spawnAgent(t, { variables: { OTEL_EXPORTER_OTLP_ENDPOINT: receiver.endpoint('http') } });
  await container.start();
  await waitFor('its line', () => receiver.logsOf(name).some(({ body }) => body === 'hello'));
  t.pass();
});

test('the log of a restarted container arrives, each line once', async (t) => {
  const receiver = await Receiver.start();
  t.teardown(() => receiver.stop());
  await spawnAgent(t, { variables: { OTEL_EXPORTER_OTLP_ENDPOINT: receiver.endpoint('http') } });
  const name = uniqueName('restarted');
  const container = await runContainer(t, {
    name,
    script: 'echo "run $(cat /n 2>/dev/null | wc -l)"; echo x >> /n; sleep 600',
  });
  const bodies = () =>
    receiver
      .logsOf(name)
      .filter(({ scope }) => scope === 'portlight.logs')
      .map(({ body }) => body);
  await waitFor('the first run', () => bodies().length === 1);
  // Its line can be here before a round of metrics has seen it.
  await waitFor('a point of the first run', () => receiver.pointsOf(name, 'container.cpu.time').length > 0);
  await container.restart({ t: 0 });
  await waitFor('the second run', () => bodies().length >= 2);
  await container.restart({ t: 0 });
  await waitFor('the third run', () => bodies().length >= 3);
  t.deepEqual(bodies(), ['run 0', 'run 1', 'run 2']);
  await waitFor('counters that start at zero with each run', () => {
    const starts = receiver.pointsOf(name, 'container.cpu.time').map(({ startTime }) => startTime);
    return new Set(starts).size >= 2;
  });
});

test('events that are about no container have the resource of the host', async (t) => {
  const receiver = await Receiver.start();
  t.teardown(() => receiver.stop());
  await spawnAgent(t, { variables: { OTEL_EXPORTER_OTLP_ENDPOINT: receiver.endpoint('http') } });
  const tag = uniqueName('tag');
  await docker.getImage(IMAGE).tag({ repo: tag, tag: 'x' });
  await docker.getImage(`${tag}:x`).remove();
  await waitFor('the events', () =>
    receiver.logs.some(
      ({ eventName, attributes }) =>
        eventName === 'docker.image.untag' && attributes['docker.actor.name'] !== undefined,
    ),
  );
  const { resource, attributes } = receiver.logs.find(({ eventName }) => eventName === 'docker.image.tag')!;
  t.is(resource['container.id'], undefined);
  t.is(resource['service.name'], 'portlight');
  t.is(attributes['docker.event.type'], 'image');
});
