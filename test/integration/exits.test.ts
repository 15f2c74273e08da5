/** Exit reasons: each one is provoked, and reported with its evidence. */
import test from 'ava';
import { spawnAgent } from '../support/agent.ts';
import { limitedParent } from '../support/cgroup.ts';
import { ensureImage, runContainer, uniqueName } from '../support/docker.ts';
import { type ReceivedLog, Receiver } from '../support/receiver.ts';
import { waitFor } from '../support/wait.ts';

test.before(ensureImage);

const eventsOf = (receiver: Receiver, name: string, event: string): ReceivedLog[] =>
  receiver.logsOf(name).filter(({ eventName }) => eventName === event);

const dieOf = (receiver: Receiver, name: string): Promise<ReceivedLog> =>
  waitFor(`the end of ${name}`, () => eventsOf(receiver, name, 'docker.container.die')[0]);

test('each exit reason is recognised', async (t) => {
  const receiver = await Receiver.start();
  t.teardown(() => receiver.stop());
  await spawnAgent(t, { variables: { OTEL_EXPORTER_OTLP_ENDPOINT: receiver.endpoint('http') } });
  const run = async (purpose: string, script: string, host = {}) => {
    const name = uniqueName(purpose);
    const container = await runContainer(t, { name, script, host });
    await waitFor(
      `the start of ${name}`,
      () => eventsOf(receiver, name, 'docker.container.start').length > 0,
    );
    return { name, container };
  };
  const facts = async (name: string) => {
    const { severityNumber, attributes } = await dieOf(receiver, name);
    return [
      attributes['portlight.exit.reason'],
      attributes['portlight.exit.signal'],
      attributes['process.exit.code'],
      severityNumber,
    ];
  };
  const obedient = 'trap exit TERM; while :; do sleep 0.05; done';

  const completed = await run('completed', 'sleep 0.2');
  t.deepEqual(await facts(completed.name), ['completed', undefined, 0, 9]);

  const error = await run('error', 'sleep 0.2; exit 3');
  t.deepEqual(await facts(error.name), ['error', undefined, 3, 17]);

  const fault = await run('fault', "sleep 0.2; sh -c 'kill -SEGV $$'; exit $?");
  t.deepEqual(await facts(fault.name), ['signal', 'SIGSEGV', 139, 17]);

  const stopped = await run('stopped', obedient);
  await stopped.container.stop({ t: 10 });
  t.deepEqual(await facts(stopped.name), ['stopped', undefined, 0, 9]);

  const stubborn = await run('stubborn', 'sleep 600');
  await stubborn.container.stop({ t: 0 });
  t.deepEqual(await facts(stubborn.name), ['killed_after_grace', 'SIGKILL', 137, 13]);

  const killed = await run('killed', 'sleep 600');
  await killed.container.kill();
  t.deepEqual(await facts(killed.name), ['killed', 'SIGKILL', 137, 13]);

  const outside = await run('outside', 'sleep 600');
  process.kill((await outside.container.inspect()).State.Pid, 'SIGKILL');
  t.deepEqual(await facts(outside.name), ['signal', 'SIGKILL', 137, 17]);
});

const EAT = 'x=$(yes | head -c 100000000)';

test('an OOM kill is reported with the limit, the memory usage and the last log lines', async (t) => {
  const receiver = await Receiver.start();
  t.teardown(() => receiver.stop());
  await spawnAgent(t, {
    variables: { OTEL_EXPORTER_OTLP_ENDPOINT: receiver.endpoint('http') },
    args: ['--interval', '100ms', '--logs-redact', 'password'],
  });
  const name = uniqueName('oom');
  const limit = 16 * 1024 * 1024;
  await runContainer(t, {
    name,
    script: `i=0; while [ $i -lt 15 ]; do i=$((i+1)); echo "line $i"; done; sleep 0.5; echo password=hunter2 >&2; sleep 2; ${EAT}`,
    host: { Memory: limit, MemorySwap: limit },
  });
  const { attributes, severityNumber } = await dieOf(receiver, name);
  t.is(attributes['portlight.exit.reason'], 'oom_killed');
  t.is(severityNumber, 17);
  t.is(attributes['portlight.exit.memory.limit'], limit);
  t.true(Number(attributes['portlight.exit.memory.usage']) > 0);
  t.true(Number(attributes['portlight.exit.memory.usage']) <= limit);
  const lines = attributes['portlight.exit.log'] as string[];
  t.is(lines.length, 10, 'the last ten');
  t.true(lines.includes('line 15'));
  t.true(lines.includes('password=[redacted]'), 'what is redacted in the log is redacted here');
  // The daemon can report the exit before the OOM kill.
  const oom = await waitFor('the kill', () => eventsOf(receiver, name, 'docker.container.oom')[0]);
  t.is(oom.severityNumber, 17);
});

test('a container that exits at once is reported with its last log lines', async (t) => {
  const receiver = await Receiver.start();
  t.teardown(() => receiver.stop());
  await spawnAgent(t, { variables: { OTEL_EXPORTER_OTLP_ENDPOINT: receiver.endpoint('http') } });
  for (const driver of ['json-file', 'local']) {
    const name = uniqueName('words');
    await runContainer(t, {
      name,
      script: 'echo farewell; exit 1',
      host: { LogConfig: { Type: driver, Config: {} } },
    });
    const { attributes } = await dieOf(receiver, name);
    t.deepEqual(attributes['portlight.exit.log'], ['farewell'], driver);
  }
});

test('an exit is reported with the CPU throttling before it', async (t) => {
  const receiver = await Receiver.start();
  t.teardown(() => receiver.stop());
  await spawnAgent(t, {
    variables: { OTEL_EXPORTER_OTLP_ENDPOINT: receiver.endpoint('http') },
    args: ['--interval', '200ms'],
  });
  const name = uniqueName('throttled');
  await runContainer(t, {
    name,
    script: 'end=$(($(date +%s) + 4)); while [ $(date +%s) -lt $end ]; do :; done; exit 2',
    host: { CpuQuota: 10_000, CpuPeriod: 100_000 },
  });
  const { attributes } = await dieOf(receiver, name);
  const share = Number(attributes['portlight.exit.cpu.throttled']);
  t.true(share > 0.3 && share <= 1, `${share}`);
});

test('a restart loop is reported once', async (t) => {
  const receiver = await Receiver.start();
  t.teardown(() => receiver.stop());
  await spawnAgent(t, { variables: { OTEL_EXPORTER_OTLP_ENDPOINT: receiver.endpoint('http') } });
  const name = uniqueName('loop');
  await runContainer(t, { name, script: 'exit 1', host: { RestartPolicy: { Name: 'always' } } });
  await waitFor('five ends', () => eventsOf(receiver, name, 'docker.container.die').length >= 5);
  const loops = eventsOf(receiver, name, 'portlight.container.restart_loop');
  t.is(loops.length, 1);
  t.is(loops[0]!.severityNumber, 13);
  t.is(loops[0]!.attributes['portlight.restart_loop.ends'], 3);
});

test('flapping health is reported once', async (t) => {
  const receiver = await Receiver.start();
  t.teardown(() => receiver.stop());
  await spawnAgent(t, { variables: { OTEL_EXPORTER_OTLP_ENDPOINT: receiver.endpoint('http') } });
  const name = uniqueName('flapping');
  const second = 1_000_000_000;
  await runContainer(t, {
    name,
    script: 'sleep 600',
    create: {
      Healthcheck: {
        Test: ['CMD-SHELL', 'if [ -e /sick ]; then rm /sick; exit 1; else touch /sick; fi'],
        Interval: second,
        Timeout: 10 * second,
        Retries: 1,
      },
    },
  });
  const flapping = () => eventsOf(receiver, name, 'portlight.container.health_flapping');
  await waitFor('flapping', () => flapping().length > 0, 60_000);
  const unhealthy = () => eventsOf(receiver, name, 'docker.container.health_status.unhealthy');
  const before = unhealthy().length;
  await waitFor('it to flap on', () => unhealthy().length > before + 1, 60_000);
  t.is(flapping().length, 1);
  t.is(unhealthy()[0]!.severityNumber, 13);
  t.true(Number(unhealthy()[0]!.attributes['docker.event.duration']) > 0);
});

test("an OOM kill at a parent cgroup is not attributed to the container's own limit", async (t) => {
  const receiver = await Receiver.start();
  t.teardown(() => receiver.stop());
  const parent = limitedParent(t, 24 * 1024 * 1024);
  if (parent === undefined) {
    t.pass('no cgroup v1 memory hierarchy to make a parent in');
    return;
  }
  const name = uniqueName('squeezed');
  // The agent observes only this container, so that other tests' OOM kills do not count.
  await spawnAgent(t, {
    variables: { OTEL_EXPORTER_OTLP_ENDPOINT: receiver.endpoint('http') },
    args: ['--containers-include', `name=${name}`],
  });
  await runContainer(t, { name, script: `sleep 1; ${EAT}`, host: { CgroupParent: parent } });
  const { attributes } = await dieOf(receiver, name);
  t.is(attributes['portlight.exit.reason'], 'oom_killed_by_host');
});
