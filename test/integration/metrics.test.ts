/** Compares exported metrics with the kernel's files and with the stats API, for a busy container. */
import test from 'ava';
import { spawnAgent } from '../support/agent.ts';
import { kernelValues } from '../support/cgroup.ts';
import { docker, ensureImage, runContainer, uniqueName } from '../support/docker.ts';
import { type ReceivedPoint, Receiver } from '../support/receiver.ts';
import { MEBIBYTE } from '../support/units.ts';
import { waitFor } from '../support/wait.ts';

const LIMIT = 64 * MEBIBYTE;
const HELD = 24 * MEBIBYTE;
const CPUS = 0.5;

test.before(ensureImage);

test('metrics of a busy container equal the values of the kernel and of docker stats', async (t) => {
  const receiver = await Receiver.start();
  t.teardown(() => receiver.stop());
  const name = uniqueName('busy');
  const container = await runContainer(t, {
    name,
    script: `dd if=/dev/zero of=/dev/shm/held bs=1M count=${HELD / MEBIBYTE} 2>/dev/null; while :; do :; done`,
    host: { Memory: LIMIT, NanoCpus: CPUS * 1e9 },
  });
  await spawnAgent(t, { variables: { OTEL_EXPORTER_OTLP_ENDPOINT: receiver.endpoint('http') } });
  const latest = (metric: string, mode?: string): ReceivedPoint | undefined =>
    receiver
      .pointsOf(name, metric)
      .findLast(({ attributes }) => mode === undefined || attributes['cpu.mode'] === mode);
  await waitFor('several rounds', () => receiver.pointsOf(name, 'container.cpu.usage').length >= 6);

  // The kernel's values before and after one round enclose what that round exported.
  const before = await kernelValues(container.id);
  const seen = receiver.pointsOf(name, 'container.uptime').length;
  await waitFor('two more rounds', () => receiver.pointsOf(name, 'container.uptime').length >= seen + 2);
  const points = {
    user: latest('container.cpu.time', 'user')!,
    system: latest('container.cpu.time', 'system')!,
    usage: latest('container.memory.usage')!,
    workingSet: latest('container.memory.working_set')!,
    limit: latest('container.memory.limit')!,
    available: latest('container.memory.available')!,
    pids: latest('container.pids.current')!,
  };
  const stats = await docker.getContainer(container.id).stats({ stream: false });
  const after = await kernelValues(container.id);

  const between = (value: number, low: number, high: number, what: string) =>
    t.true(value >= low && value <= high, `${what}: ${low} <= ${value} <= ${high}`);
  between(points.user.value, before.cpuUser, after.cpuUser, 'user time');
  between(points.system.value, before.cpuSystem, after.cpuSystem, 'system time');
  t.true(points.user.value > 0);
  // Memory moves by the kernel's per-CPU batches while the container works.
  const SLACK = 2 * MEBIBYTE;
  between(points.usage.value, before.memoryUsage - SLACK, before.memoryUsage + SLACK, 'usage');
  between(points.workingSet.value, HELD, HELD + 4 * MEBIBYTE, 'working set');
  t.is(points.limit.value, LIMIT);
  t.is(points.limit.value, after.memoryLimit);
  t.is(points.available.value, LIMIT - points.workingSet.value);
  t.is(points.pids.value, after.pids);

  const { cpu_stats: cpu, memory_stats: memory } = stats;
  const cache = memory.stats.total_inactive_file ?? memory.stats.inactive_file;
  between(
    points.workingSet.value,
    memory.usage - cache - SLACK,
    memory.usage - cache + SLACK,
    'memory as docker stats shows it',
  );
  t.is(points.limit.value, memory.limit);
  t.true(points.user.value + points.system.value <= cpu.cpu_usage.total_usage / 1e9 + 0.02);

  // Usage is the rate of the CPU time that is exported with it. The container can get less than its limit from a busy
  // machine, but not more.
  const uses = receiver.pointsOf(name, 'container.cpu.usage').slice(-6);
  const timeAt = (time: bigint) =>
    receiver
      .pointsOf(name, 'container.cpu.time')
      .filter((point) => point.time === time)
      .reduce((sum, { value }) => sum + value, 0);
  const seconds = (until: bigint, since: bigint) => Number(until - since) / 1e9;
  const span = seconds(uses.at(-1)!.time, uses[0]!.time);
  const rate = (timeAt(uses.at(-1)!.time) - timeAt(uses[0]!.time)) / span;
  const mean =
    uses.slice(1).reduce((sum, use, index) => sum + use.value * seconds(use.time, uses[index]!.time), 0) /
    span;
  // The clocks of the rate and of the round differ by the time between the two readings.
  const slack = 0.03 * Number(process.env.PORTLIGHT_TEST_PATIENCE ?? 1);
  between(mean, rate - slack, rate + slack, 'CPU use beside CPU time');
  between(mean, 0.01, CPUS * 1.2, 'CPU use under --cpus 0.5');
});

test('kinds, units and times follow the semantic conventions', async (t) => {
  const receiver = await Receiver.start();
  t.teardown(() => receiver.stop());
  const name = uniqueName('kinds');
  const container = await runContainer(t, {
    name,
    script: 'while :; do sleep 1; done',
    host: { Memory: LIMIT },
  });
  await spawnAgent(t, { variables: { OTEL_EXPORTER_OTLP_ENDPOINT: receiver.endpoint('http') } });
  await waitFor('two rounds', () => receiver.pointsOf(name, 'container.cpu.usage').length >= 2);
  const shape = (metric: string) => {
    const [{ kind, monotonic, unit, isInteger }] = receiver.pointsOf(name, metric) as [ReceivedPoint];
    return [kind, monotonic, unit, isInteger];
  };
  t.deepEqual(shape('container.cpu.time'), ['sum', true, 's', false]);
  t.deepEqual(shape('container.cpu.usage'), ['gauge', false, '{cpu}', false]);
  t.deepEqual(shape('container.uptime'), ['gauge', false, 's', false]);
  for (const metric of ['usage', 'working_set', 'limit', 'available']) {
    t.deepEqual(shape(`container.memory.${metric}`), ['sum', false, 'By', true]);
  }
  const [time] = receiver.pointsOf(name, 'container.cpu.time');
  t.is(time!.temporality, 2, 'cumulative');
  const { State } = await container.inspect();
  t.is(
    time!.startTime / 1_000_000n,
    BigInt(Date.parse(State.StartedAt)),
    'counters start with the container',
  );
  const uptime = receiver.pointsOf(name, 'container.uptime').at(-1)!;
  const age = Number(uptime.time / 1_000_000n - BigInt(Date.parse(State.StartedAt))) / 1000;
  t.true(uptime.value >= age - 0.01 && uptime.value < age + 5, `${age} <= ${uptime.value}`);
});

test('a container without a limit exports no limit, and a stopped one only its state', async (t) => {
  const receiver = await Receiver.start();
  t.teardown(() => receiver.stop());
  const name = uniqueName('unlimited');
  const container = await runContainer(t, { name, script: 'sleep 600' });
  await spawnAgent(t, { variables: { OTEL_EXPORTER_OTLP_ENDPOINT: receiver.endpoint('http') } });
  await waitFor('two rounds', () => receiver.pointsOf(name, 'container.memory.usage').length >= 2);
  t.is(receiver.pointsOf(name, 'container.memory.limit').length, 0);
  t.is(receiver.pointsOf(name, 'container.memory.available').length, 0);
  await container.kill();
  await waitFor('its exit code', () => receiver.pointsOf(name, 'container.exit_code').length >= 1);
  const [{ value, time: ended }] = receiver.pointsOf(name, 'container.exit_code') as [ReceivedPoint];
  t.is(value, 137);
  await waitFor('two more rounds', () => receiver.pointsOf(name, 'container.exit_code').length >= 3);
  const after = receiver.points.filter(
    ({ resource, time }) => resource['container.name'] === name && time >= ended,
  );
  const groups = new Set(after.map(({ name: metric }) => metric.split('.').slice(0, 2).join('.')));
  for (const group of ['container.cpu', 'container.memory', 'container.network', 'container.uptime'])
    t.false(groups.has(group), group);
  const last = receiver.pointsOf(name, 'container.status').at(-1)!;
  t.is(last.attributes['container.status'], 'exited');
});
