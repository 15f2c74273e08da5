/** Metrics of the catalogue under workloads that change them, compared with values from other sources. */
import { mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import test from 'ava';
import { spawnAgent } from '../support/agent.ts';
import { isV2, kernelValues, readCgroup } from '../support/cgroup.ts';
import { docker, ensureImage, execute, pause, runContainer, uniqueName } from '../support/docker.ts';
import { type ReceivedPoint, Receiver, type Values } from '../support/receiver.ts';
import { record } from '../support/recording.ts';
import { isSameValue, singleFileMetrics } from '../support/single-file-metrics.ts';
import { MEBIBYTE } from '../support/units.ts';
import { waitFor } from '../support/wait.ts';

test.before(ensureImage);

/** Moves a process into a cgroup below its own, as an init in a container does, in the pids hierarchy. */
function moveIntoSubCgroup(pid: number): void {
  const lines = readFileSync(`/proc/${pid}/cgroup`, 'utf8').trim().split('\n');
  const line =
    lines.find((text) => text.split(':')[1] === 'pids') ?? lines.find((text) => text.startsWith('0::'))!;
  const [, controller, path] = line.split(':');
  const directory = `/sys/fs/cgroup/${controller}${path}/init.scope`;
  mkdirSync(directory);
  writeFileSync(`${directory}/cgroup.procs`, String(pid));
}

/** An agent with a receiver, and the last point that it received of a metric. */
async function observe(t: Parameters<typeof spawnAgent>[0], variables: Record<string, string> = {}) {
  const receiver = await Receiver.start();
  t.teardown(() => receiver.stop());
  await spawnAgent(t, {
    variables: { OTEL_EXPORTER_OTLP_ENDPOINT: receiver.endpoint('http'), ...variables },
  });
  const fits = (attributes: Values, wanted: Values) =>
    Object.entries(wanted).every(([key, value]) => attributes[key] === value);
  const latest = (name: string, metric: string, wanted: Values = {}): ReceivedPoint | undefined =>
    receiver.pointsOf(name, metric).findLast(({ attributes }) => fits(attributes, wanted));
  const until = (name: string, metric: string, wanted: Values, holds: (value: number) => boolean) =>
    waitFor(`${metric} ${JSON.stringify(wanted)} of ${name}`, () => {
      const point = latest(name, metric, wanted);
      return point !== undefined && holds(point.value) && point;
    });
  return { receiver, latest, until };
}

test('a throttled container has periods, throttled periods and time, and a limit', async (t) => {
  const { until, latest } = await observe(t);
  const name = uniqueName('throttled');
  const container = await runContainer(t, {
    name,
    script: 'while :; do :; done',
    // So little that it is throttled even on a busy host.
    host: { NanoCpus: 5e7, CpuShares: 512 },
  });
  await until(name, 'container.cpu.throttling.throttled_periods', {}, (value) => value > 5);
  t.true(
    latest(name, 'container.cpu.throttling.periods')!.value >=
      latest(name, 'container.cpu.throttling.throttled_periods')!.value,
  );
  t.true(latest(name, 'container.cpu.throttling.throttled_time')!.value > 0);
  t.is(latest(name, 'container.cpu.limit')!.value, 0.05);
  await container.update({ NanoCpus: 1e8 } as never);
  await until(name, 'container.cpu.limit', {}, (value) => value === 0.1);
  const shares = latest(name, 'container.cpu.shares')?.value ?? 512;
  t.is(shares, 512);
  t.true(latest(name, 'container.cpuset.size')!.value >= 1);
});

test('a container at its memory limit: OOM kills are counted and reported as events', async (t) => {
  const { until, latest, receiver } = await observe(t);
  const name = uniqueName('oom');
  // The shell outlives its child, which exceeds the limit.
  await runContainer(t, {
    name,
    script: 'while :; do tail /dev/zero; sleep 1; done',
    host: { Memory: 16 * MEBIBYTE, MemorySwap: 16 * MEBIBYTE },
  });
  await until(
    name,
    'container.memory.events',
    { 'container.memory.event': 'oom_kill' },
    (value) => value >= 1,
  );
  t.is(latest(name, 'container.memory.limit')!.value, 16 * MEBIBYTE);
  t.is(latest(name, 'container.memory.swap.limit')?.value ?? 0, 0);
  await waitFor('the event', () =>
    receiver
      .logsOf(name)
      .some(({ eventName, severityNumber }) => eventName === 'docker.container.oom' && severityNumber === 17),
  );
  await until(
    name,
    'container.paging.faults',
    { 'system.paging.fault.type': 'minor' },
    (value) => value > 1000,
  );
});

test("each exported metric has the kernel's value", async (t) => {
  const { latest } = await observe(t, { PORTLIGHT_METRICS_ENABLE: 'cpu,memory,pressure' });
  const name = uniqueName('known');
  const container = await runContainer(t, {
    name,
    script: `dd if=/dev/zero of=/file bs=1M count=30 2> /dev/null; dd if=/dev/zero of=/dev/shm/file bs=1M count=3 2> /dev/null
      (while :; do :; done) & (while :; do cat /file > /dev/null; done) & sleep 4; kill %1 %2; exec sleep 600`,
    host: {
      Memory: 24 * MEBIBYTE,
      MemoryReservation: 12 * MEBIBYTE,
      NanoCpus: 500_000_000,
      CpuShares: 512,
      PidsLimit: 50,
    },
  });
  await sleep(5000);
  // While nothing changes, values can be compared exactly.
  await pause(container);
  const wrong = new Map<string, string>();
  for (const { metric, controller, file, valueIn, attributes } of singleFileMetrics(isV2 ? 2 : 1)) {
    const what = `${metric} ${JSON.stringify(attributes)}`;
    await waitFor(what, async () => {
      const expected = valueIn(await readCgroup(container.id, controller, file));
      const seen = latest(name, metric, attributes)?.value;
      const agrees = isSameValue(seen, expected);
      if (agrees) wrong.delete(what);
      else wrong.set(what, `${seen}, not ${expected}`);
      return agrees;
    }).catch(() => {});
  }
  const { PORTLIGHT_TEST_RECORD } = process.env;
  if (PORTLIGHT_TEST_RECORD !== undefined) {
    record(container.id, (await container.inspect()).State.Pid, PORTLIGHT_TEST_RECORD);
  }
  t.deepEqual([...wrong], []);
});

test('a file larger than the memory limit causes reclaim, refaults and pressure', async (t) => {
  const { until, latest } = await observe(t, { PORTLIGHT_METRICS_ENABLE: 'pressure' });
  const name = uniqueName('refaults');
  const container = await runContainer(t, {
    name,
    script: 'dd if=/dev/zero of=/file bs=1M count=48 2> /dev/null; while :; do cat /file > /dev/null; done',
    host: { Memory: 24 * MEBIBYTE },
  });
  const refaults = { 'container.memory.type': 'file' };
  await until(name, 'container.memory.refaults', refaults, (value) => value > 1000);
  await until(
    name,
    'container.memory.pressure.time',
    { 'container.pressure.stall': 'some' },
    (value) => value > 0,
  );
  const seen = latest(name, 'container.memory.refaults', refaults)!.value;
  const stat = await readCgroup(container.id, 'memory', 'memory.stat');
  const now = Number(/^(?:total_)?workingset_refault_file (\d+)$/m.exec(stat)![1]);
  t.true(seen <= now, `${seen} of ${now}`);
  if (isV2) {
    await until(name, 'container.memory.reclaim.scanned', {}, (value) => value > 1000);
    await until(name, 'container.memory.reclaim.stolen', {}, (value) => value > 1000);
  }
});

test('written files are counted as dirty pages', async (t) => {
  const { until } = await observe(t);
  const name = uniqueName('dirty');
  await runContainer(t, {
    name,
    // A new file each time: ext4 writes a file out on close when it replaces another one's content.
    script: 'while :; do rm -f /file; dd if=/dev/zero of=/file bs=1M count=8 2> /dev/null; sleep 1; done',
  });
  t.true((await until(name, 'container.memory.dirty', {}, (value) => value > 0)).value <= 16 * MEBIBYTE);
});

test('more work than CPU causes pressure', async (t) => {
  const { until } = await observe(t, { PORTLIGHT_METRICS_ENABLE: 'pressure' });
  const name = uniqueName('pressure');
  await runContainer(t, {
    name,
    script: 'for i in 1 2 3; do while :; do :; done & done; exec sleep 600',
    host: { NanoCpus: 300_000_000 },
  });
  const stall = { 'container.pressure.stall': 'some' };
  await until(name, 'container.cpu.pressure.time', stall, (value) => value > 0.2);
  t.pass();
});

test('forks beyond the pids limit fail and are counted', async (t) => {
  const { until, latest } = await observe(t, { PORTLIGHT_METRICS_ENABLE: 'process' });
  const name = uniqueName('forks');
  await runContainer(t, {
    name,
    script: "sh -c 'i=0; while [ $i -lt 30 ]; do i=$((i+1)); sleep 600 & done'; exec sleep 600",
    // The runtime that starts the container has threads that count.
    host: { PidsLimit: 20 },
  });
  await until(name, 'container.pids.fails', {}, (value) => value >= 1);
  t.is(latest(name, 'container.pids.limit')!.value, 20);
  await until(name, 'container.pids.current', {}, (value) => value <= 20);
  t.true(latest(name, 'container.processes')!.value <= 20);
});

test('memory is measured by kind: anonymous, files, shared', async (t) => {
  const { until, latest } = await observe(t);
  const name = uniqueName('memory');
  await runContainer(t, {
    name,
    script:
      'dd if=/dev/zero of=/dev/shm/held bs=1M count=8 2>/dev/null; dd if=/dev/zero of=/tmp/file bs=1M count=8 2>/dev/null; while :; do cat /tmp/file > /dev/null; sleep 0.2; done',
    host: { Memory: 64 * MEBIBYTE, MemoryReservation: 32 * MEBIBYTE },
  });
  await until(name, 'container.memory.shmem', {}, (value) => value === 8 * MEBIBYTE);
  await until(name, 'container.memory.file', {}, (value) => value >= 16 * MEBIBYTE);
  t.is(latest(name, 'container.memory.reservation')!.value, 32 * MEBIBYTE);
  t.true(latest(name, 'container.memory.rss')!.value > 0);
  // Rarely changing values are read in every sixth round.
  await until(name, 'container.memory.usage.max', {}, (value) => value >= 16 * MEBIBYTE);
});

/** The block device of the daemon's data directory. */
async function dataDevice(): Promise<string> {
  const { DockerRootDir } = await docker.info();
  const { dev } = statSync(DockerRootDir);
  // glibc's makedev(3) for numbers as small as these.
  const id = [String((dev >> 8) & 0xfff), String((dev & 0xff) | ((dev >> 12) & 0xfff00))];
  const line = readFileSync('/proc/diskstats', 'utf8')
    .split('\n')
    .map((text) => text.trim().split(/\s+/))
    .find(([major, minor]) => major === id[0] && minor === id[1]);
  return `/dev/${line![2]}`;
}

test('direct writes and reads are counted on their device', async (t) => {
  const device = await dataDevice();
  const { until, receiver } = await observe(t);
  const name = uniqueName('disk');
  await runContainer(t, {
    name,
    script:
      'dd if=/dev/zero of=/data/file bs=1M count=4 oflag=direct 2>/dev/null; dd if=/data/file of=/dev/null bs=1M iflag=direct 2>/dev/null; sleep 600',
    host: {
      Mounts: [{ Type: 'volume', Source: '', Target: '/data' }],
      // On cgroup v1, recent kernels count only for containers with a block I/O limit.
      BlkioDeviceWriteBps: [{ Path: device, Rate: 1e9 }],
      BlkioDeviceReadBps: [{ Path: device, Rate: 1e9 }],
    },
  });
  await until(name, 'container.disk.io', { 'disk.io.direction': 'write' }, (value) => value >= 4 * MEBIBYTE);
  const read = await until(
    name,
    'container.disk.io',
    { 'disk.io.direction': 'read' },
    (value) => value >= 4 * MEBIBYTE,
  );
  t.regex(String(read.attributes['linux.device.id']), /^\d+:\d+$/);
  t.is(`/dev/${read.attributes['system.device']}`, device);
  t.true(receiver.pointsOf(name, 'container.disk.operations').some(({ value }) => value >= 4));
});

test('network bytes are those of the interface; containers that share a network have no network metrics', async (t) => {
  const { until, latest, receiver } = await observe(t, {
    PORTLIGHT_METRICS_ENABLE: 'container.network.connections',
  });
  const [server, client, sharer, host] = ['server', 'client', 'sharer', 'host'].map((what) =>
    uniqueName(what),
  ) as [string, string, string, string];
  const serving = await runContainer(t, {
    name: server,
    script: 'mkdir /www; head -c 1000000 /dev/zero > /www/file; httpd -f -p 80 -h /www',
  });
  const { NetworkSettings } = await serving.inspect();
  const address = NetworkSettings.Networks.bridge!.IPAddress;
  const asking = await runContainer(t, { name: client, script: 'sleep 600' });
  await runContainer(t, {
    name: sharer,
    script: 'sleep 600',
    host: { NetworkMode: `container:${serving.id}` },
  });
  await runContainer(t, { name: host, script: 'sleep 600', host: { NetworkMode: 'host' } });
  await execute(asking, `until wget -q -O /dev/null http://${address}/file; do sleep 0.1; done`);
  const received = { 'network.io.direction': 'receive', 'network.interface.name': 'eth0' };
  await until(client, 'container.network.io', received, (value) => value > 1_000_000);
  await until(
    server,
    'container.network.io',
    { ...received, 'network.io.direction': 'transmit' },
    (value) => value > 1_000_000,
  );
  await until(client, 'container.network.packet.count', received, (value) => value > 0);
  t.is(latest(client, 'container.network.errors', received)!.value, 0);
  await until(
    server,
    'container.network.connections',
    { 'network.connection.state': 'listen' },
    (value) => value === 1,
  );
  await until(sharer, 'container.cpu.time', {}, () => true);
  await until(host, 'container.cpu.time', {}, () => true);
  t.deepEqual(receiver.pointsOf(sharer, 'container.network.io'), []);
  t.deepEqual(receiver.pointsOf(host, 'container.network.io'), []);
});

test('state metrics: paused, restarts, health, exit code', async (t) => {
  const { until } = await observe(t);
  const paused = uniqueName('paused');
  const container = await runContainer(t, { name: paused, script: 'while :; do sleep 0.1; done' });
  await until(paused, 'container.status', { 'container.status': 'running' }, (value) => value === 1);
  await until(paused, 'container.frozen', {}, (value) => value === 0);
  await pause(container);
  await until(paused, 'container.status', { 'container.status': 'paused' }, (value) => value === 1);
  await until(paused, 'container.frozen', {}, (value) => value === 1);
  await container.unpause();
  await until(paused, 'container.frozen', {}, (value) => value === 0);

  const failing = uniqueName('failing');
  await runContainer(t, {
    name: failing,
    script: 'exit 7',
    host: { RestartPolicy: { Name: 'on-failure', MaximumRetryCount: 2 } },
  });
  await until(failing, 'container.exit_code', {}, (value) => value === 7);
  await until(failing, 'container.restarts', {}, (value) => value === 2);

  const healthy = uniqueName('healthy');
  const created = await docker.createContainer({
    name: healthy,
    Image: 'portlight-test:busybox',
    Cmd: ['sh', '-c', 'touch /ok; sleep 600'],
    Labels: { 'portlight.test': 'true' },
    Healthcheck: {
      Test: ['CMD-SHELL', 'test -e /ok'],
      Interval: 1_000_000_000,
      Timeout: 5_000_000_000,
      Retries: 1,
    },
  });
  t.teardown(() => created.remove({ force: true }));
  await created.start();
  await until(healthy, 'container.health', { 'container.health.status': 'healthy' }, (value) => value === 1);
  await execute(created, 'rm /ok');
  await until(
    healthy,
    'container.health',
    { 'container.health.status': 'unhealthy' },
    (value) => value === 1,
  );
  t.pass();
});

test('storage metrics: the writable layer, images, containers by status', async (t) => {
  const name = uniqueName('storage');
  const container = await runContainer(t, {
    name,
    script: 'dd if=/dev/zero of=/file bs=1M count=3 2>/dev/null; sleep 600',
  });
  await waitFor('the file', async () => {
    const inspected: unknown = await docker.getContainer(container.id).inspect({ size: true } as never);
    const { SizeRw } = inspected as { SizeRw?: number };
    return (SizeRw ?? 0) >= 3 * MEBIBYTE;
  });
  const { until, receiver } = await observe(t);
  await until(
    name,
    'container.filesystem.usage',
    {},
    (value) => value >= 3 * MEBIBYTE && value < 4 * MEBIBYTE,
  );
  await until(name, 'container.filesystem.capacity', {}, (value) => value > 3 * MEBIBYTE);
  const latestOf = (metric: string, wanted: Values = {}) =>
    receiver.points.findLast(
      ({ name: found, attributes }) =>
        found === metric && Object.entries(wanted).every(([key, value]) => attributes[key] === value),
    );
  await waitFor(
    'running containers',
    () => (latestOf('docker.containers', { 'container.status': 'running' })?.value ?? 0) >= 1,
  );
  t.true(latestOf('docker.images', { 'docker.image.dangling': false })!.value >= 1);
  t.is(latestOf('docker.containers')!.resource['service.name'], 'portlight');
  t.true((await container.inspect()).State.Running);
});

test('host metrics agree with /proc', async (t) => {
  const { receiver } = await observe(t);
  const latestOf = (metric: string) => receiver.points.find(({ name }) => name === metric);
  await waitFor('the host', () => latestOf('system.uptime'));
  const { totalmem, cpus } = await import('node:os');
  t.is(latestOf('system.memory.limit')!.value, totalmem());
  t.is(latestOf('system.cpu.logical.count')!.value, cpus().length);
  const modes = receiver.points
    .filter(({ name }) => name === 'system.cpu.time')
    .map(({ attributes }) => attributes['cpu.mode']);
  for (const mode of ['user', 'system', 'idle', 'iowait']) t.true(modes.includes(mode));
  t.true(receiver.points.some(({ name, value }) => name === 'system.filesystem.usage' && value > 0));
});

test('opt-in metrics: processes, descriptors, sockets and states', async (t) => {
  const { until } = await observe(t, { PORTLIGHT_METRICS_ENABLE: 'process' });
  const name = uniqueName('processes');
  await runContainer(t, {
    name,
    script: 'sleep 600 & sleep 600 & exec 7< /bin/busybox; nc -l -p 9 & exec sleep 600',
  });
  await until(name, 'container.processes', {}, (value) => value === 4);
  await until(name, 'container.process.open_sockets', {}, (value) => value === 1);
  await until(name, 'container.process.open_file_descriptors', {}, (value) => value >= 4 * 3);
  await until(name, 'container.process.state', { 'process.state': 'sleeping' }, (value) => value === 4);
  t.pass();
});

test('docker_stats names, deltas, and selected containers and labels', async (t) => {
  const chosen = uniqueName('chosen');
  const { until, latest, receiver } = await observe(t, {
    OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE: 'delta',
    PORTLIGHT_OTLP_METRIC_NAMES: 'docker_stats',
    PORTLIGHT_CONTAINERS_INCLUDE: `name=${chosen}`,
    PORTLIGHT_CONTAINER_LABELS: 'com.example.*',
  });
  const other = uniqueName('other');
  await runContainer(t, { name: other, script: 'while :; do echo other; sleep 0.1; done' });
  await runContainer(t, {
    name: chosen,
    script: 'while :; do :; done',
    labels: { 'com.example.team': 'shop', private: 'x' },
    host: { NanoCpus: 5e8, Memory: 32 * MEBIBYTE },
  });
  const total = await until(chosen, 'container.cpu.usage.total', {}, (value) => value > 0);
  await until(chosen, 'container.cpu.utilization', {}, (value) => value > 1);
  t.is(total.temporality, 1);
  t.is(total.unit, 'ns');
  t.true(total.isInteger);
  t.is(latest(chosen, 'container.memory.usage.limit')!.value, 32 * MEBIBYTE);
  t.true(latest(chosen, 'container.memory.percent')!.value < 100);
  t.is(total.resource['container.label.com.example.team'], 'shop');
  t.is(total.resource['container.label.private'], undefined);
  // The deltas add up to the kernel's counter.
  const totals = receiver.pointsOf(chosen, 'container.cpu.usage.total').map(({ value }) => value);
  const { Id } = await docker.getContainer(chosen).inspect();
  const { cpuUser, cpuSystem } = await kernelValues(Id);
  t.true(totals.reduce((sum, value) => sum + value, 0) / 1e9 <= cpuUser + cpuSystem + 0.05);
  t.deepEqual(receiver.logsOf(other), []);
  t.deepEqual(
    receiver.points.filter(({ resource }) => resource['container.name'] === other),
    [],
  );
});

test('a custom --cgroup-parent, and cgroups that the container created, are found', async (t) => {
  const { until } = await observe(t, { PORTLIGHT_METRICS_ENABLE: 'process' });
  const name = uniqueName('parent');
  const container = await runContainer(t, {
    name,
    script: 'sleep 600 & sleep 600 & exec sleep 600',
    host: {
      CgroupParent:
        (await docker.info()).CgroupDriver === 'systemd' ? 'portlighttest.slice' : '/portlight-test-parent',
    },
  });
  await until(name, 'container.processes', {}, (value) => value === 3);
  const { State } = await container.inspect();
  moveIntoSubCgroup(State.Pid);
  await until(name, 'container.memory.usage', {}, (value) => value > 0);
  await until(name, 'container.processes', {}, (value) => value === 3);
  t.pass();
});

test('a thousand processes are counted, although the kernel returns their list a page at a time', async (t) => {
  const { until } = await observe(t, { PORTLIGHT_METRICS_ENABLE: 'process' });
  const name = uniqueName('many');
  await runContainer(t, {
    name,
    script: 'i=0; while [ $i -lt 1000 ]; do i=$((i+1)); sleep 600 & done; exec sleep 600',
  });
  await until(name, 'container.pids.current', {}, (value) => value === 1001);
  await until(name, 'container.processes', {}, (value) => value === 1001);
  t.pass();
});
