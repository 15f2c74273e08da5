/** Several daemons: on this host, behind TLS and behind ssh. And containers whose cgroups cannot be read. */
import { writeFileSync } from 'node:fs';
import { createServer, request } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import type Docker from 'dockerode';
import type { Status } from '../../exporters/shared/status.ts';
import { type AgentProcess, listenUrl, spawnAgent } from '../support/agent.ts';
import { docker, ensureImage, IMAGE, LABEL, runContainer, uniqueName } from '../support/docker.ts';
import { type OwnDaemon, ownDaemon } from '../support/dockerd.ts';
import { type ReceivedPoint, Receiver } from '../support/receiver.ts';
import { daemonCertificates, portInto, sshServer } from '../support/remote-daemon.ts';
import { temporaryDirectory } from '../support/temporary.ts';
import { waitFor } from '../support/wait.ts';

test.before(ensureImage);

const COUNTING = 'i=0; while [ $i -lt 300 ]; do i=$((i+1)); echo "line $i"; sleep 0.1; done; sleep 600';
const LIMITS = { Memory: 64 * 1024 ** 2, NanoCpus: 500_000_000, PidsLimit: 50 };

async function run(on: Docker, name: string, script: string): Promise<Docker.Container> {
  const container = await on.createContainer({
    name,
    Image: IMAGE,
    Cmd: ['sh', '-c', script],
    Labels: { [LABEL]: '1' },
    HostConfig: LIMITS,
  });
  await container.start();
  return container;
}

async function statusOf(agent: AgentProcess): Promise<Status> {
  return (await (await fetch(`${await listenUrl(agent)}/status`)).json()) as Status;
}

const isConnected = async (agent: AgentProcess, name: string) =>
  (await statusOf(agent)).daemons.some((daemon) => daemon.name === name && daemon.connected);

interface Scene {
  readonly receiver: Receiver;
  readonly agent: AgentProcess;
  readonly tls: OwnDaemon;
  readonly ssh: OwnDaemon;
}

/** An agent that observes this host's daemon and two others. */
async function observe(t: ExecutionContext): Promise<Scene> {
  const { ca, server, client } = daemonCertificates(t);
  const [tls, ssh, path] = await Promise.all([
    ownDaemon(t, {
      hostname: 'tls-host',
      args: [
        ...['--host', 'tcp://127.0.0.1:2376', '--tlsverify', '--tlscacert', ca],
        ...['--tlscert', server.certificate, '--tlskey', server.key],
      ],
    }),
    ownDaemon(t, { hostname: 'ssh-host' }),
    sshServer(t),
  ]);
  const port = await portInto(t, () => tls.pid, 2376);
  const receiver = await Receiver.start();
  t.teardown(() => receiver.stop());
  const config = join(temporaryDirectory(t), 'portlight.yaml');
  writeFileSync(
    config,
    JSON.stringify({
      daemons: {
        here: { host: process.env.DOCKER_HOST },
        tls: {
          host: `tcp://127.0.0.1:${port}`,
          certificate: ca,
          client_certificate: client.certificate,
          client_key: client.key,
        },
        ssh: { host: ssh.host.replace('unix://', 'ssh://far') },
      },
    }),
  );
  const agent = await spawnAgent(t, {
    args: ['--config', config],
    variables: {
      OTEL_EXPORTER_OTLP_ENDPOINT: receiver.endpoint('http'),
      PATH: path,
      // The configured daemons win over this variable.
      DOCKER_HOST: 'tcp://127.0.0.1:9',
    },
  });
  return { receiver, agent, tls, ssh };
}

const linesOf = ({ logs }: Receiver, name: string) =>
  logs
    .filter(({ scope, resource }) => scope === 'portlight.logs' && resource['container.name'] === name)
    .map(({ body }) => body);

const actionsOf = ({ logs }: Receiver, name: string) =>
  logs
    .filter(({ eventName, resource }) => eventName !== '' && resource['container.name'] === name)
    .map(({ eventName }) => eventName.replace('docker.container.', ''));

const numbered = (count: number) => Array.from({ length: count }, (_, index) => `line ${index + 1}`);

test('three daemons each have their own identity; when one stops, the others are not affected', async (t) => {
  t.timeout(180_000);
  const { receiver, agent, tls, ssh } = await observe(t);
  const places = { here: docker, tls: tls.docker, ssh: ssh.docker };
  await Promise.all(
    Object.keys(places).map((name) => waitFor(`the daemon ${name}`, () => isConnected(agent, name), 60_000)),
  );
  const names = Object.fromEntries(Object.keys(places).map((place) => [place, uniqueName(place)]));
  for (const [place, on] of Object.entries(places)) {
    const container = await run(on, names[place]!, COUNTING);
    if (place === 'here') t.teardown(() => container.remove({ force: true }).catch(() => {}));
  }
  const pointsOf = (name: string) =>
    receiver.points.filter(({ resource }) => resource['container.name'] === name);
  for (const [place, name] of Object.entries(names)) {
    const metricsOf = () => new Set(pointsOf(name).map((point) => point.name));
    await waitFor(`the CPU usage of ${name}`, () => metricsOf().has('container.cpu.usage'));
    await waitFor(`lines of ${name}`, () => linesOf(receiver, name).length > 20);
    // A daemon in another network namespace gives its containers a network too.
    for (const metric of [
      'container.cpu.time',
      'container.cpu.limit',
      'container.memory.usage',
      'container.memory.working_set',
      'container.memory.limit',
      'container.pids.current',
      'container.pids.limit',
      'container.network.io',
    ])
      t.true(metricsOf().has(metric), `${place}: ${metric} of ${[...metricsOf()].sort()}`);
    const records = [
      ...pointsOf(name),
      ...receiver.logs.filter(({ resource }) => resource['container.name'] === name),
      ...receiver.spans.filter(({ resource }) => resource['container.name'] === name),
    ];
    t.deepEqual(new Set(records.map(({ resource }) => resource['docker.daemon.name'])), new Set([place]));
    const hosts = new Set(records.map(({ resource }) => resource['host.name']));
    t.is(hosts.size, 1);
    if (place !== 'here') t.deepEqual([...hosts], [`${place}-host`]);
    const limit = pointsOf(name).find((point) => point.name === 'container.memory.limit');
    t.is(limit?.value, LIMITS.Memory);
    const cpus = pointsOf(name).find((point) => point.name === 'container.cpu.limit');
    t.is(cpus?.value, 0.5);
  }
  const ofHosts = receiver.points.filter((point) => point.name === 'docker.containers');
  t.deepEqual(
    new Set(ofHosts.map(({ resource }) => resource['docker.daemon.name'])),
    new Set(['here', 'tls', 'ssh']),
  );
  const system = receiver.points.filter(({ name }) => name === 'system.cpu.time');
  t.deepEqual(new Set(system.map(({ resource }) => resource['docker.daemon.name'])), new Set(['here']));

  // One daemon is killed: events of the others' containers still arrive.
  await tls.restart('SIGTERM', async () => {
    await waitFor('the lost connection', async () => !(await isConnected(agent, 'tls')));
    const brief = uniqueName('meanwhile');
    await run(ssh.docker, brief, 'echo "line 1"; echo "line 2"');
    await waitFor('a short-lived container on another daemon', () =>
      actionsOf(receiver, brief).includes('die'),
    );
    await waitFor('its lines', () => linesOf(receiver, brief).length === 2);
    const before = pointsOf(names.ssh!).length;
    await waitFor('metrics from the other daemon', () => pointsOf(names.ssh!).length > before);
    const beforeHere = pointsOf(names.here!).length;
    await waitFor('metrics from this host', () => pointsOf(names.here!).length > beforeHere);
  });
  await waitFor('the connection', () => isConnected(agent, 'tls'), 60_000);
  await waitFor('the event of its exit', () => actionsOf(receiver, names.tls!).includes('die'), 30_000);
  for (const place of ['here', 'ssh']) {
    await waitFor(
      `the last line of ${place}`,
      () => linesOf(receiver, names[place]!).includes('line 300'),
      90_000,
    );
    t.deepEqual(linesOf(receiver, names[place]!), numbered(300), `${place}: each line once`);
  }
  const lines = linesOf(receiver, names.tls!);
  t.deepEqual(lines, numbered(lines.length), 'no line twice after the outage of the daemon');

  const url = await listenUrl(agent);
  // A daemon updates the stats of a container once a second, which is not in every round.
  const page = await waitFor('its metrics on /metrics', async () => {
    const lines = (await (await fetch(`${url}/metrics`)).text()).split('\n');
    const limit = lines.find((one) => one.startsWith('container_memory_limit') && one.includes(names.ssh!));
    return limit !== undefined && /docker_daemon_name="ssh"/.test(limit) && lines;
  });
  t.true(page.some((one) => /^portlight_daemon_connected\{docker_daemon_name="tls"\} 1$/.test(one)));
});

test('where no cgroup can be read, the stats API has the same metrics', async (t) => {
  const receiver = await Receiver.start();
  t.teardown(() => receiver.stop());
  const name = uniqueName('quiet');
  await runContainer(t, { name, script: 'head -c 4000000 /dev/zero > /tmp/x; exec sleep 600', host: LIMITS });
  // A directory without the container's process replaces /proc.
  const blind = temporaryDirectory(t);
  const variables = {
    OTEL_EXPORTER_OTLP_ENDPOINT: receiver.endpoint('http'),
    PORTLIGHT_CONTAINERS_INCLUDE: `name=${name}`,
  };
  const attributed = (seer: string) => ({ ...variables, OTEL_RESOURCE_ATTRIBUTES: `seer=${seer}` });
  await spawnAgent(t, { variables: attributed('kernel') });
  const agent = await spawnAgent(t, { variables: attributed('stats'), args: ['--procfs', blind] });
  const seenBy = (seer: string) =>
    receiver.points.filter(({ resource }) => resource.seer === seer && resource['container.name'] === name);
  const roundsOf = (seer: string) =>
    seenBy(seer).filter((point) => point.name === 'container.cpu.usage').length;
  await waitFor('two rounds of both', () => roundsOf('kernel') > 2 && roundsOf('stats') > 2);
  const keyOf = ({ name: metric, attributes }: ReceivedPoint) => {
    const { 'system.device': _, ...others } = attributes;
    return `${metric} ${JSON.stringify(others)}`;
  };
  const lastOf = (seer: string) => new Map(seenBy(seer).map((point) => [keyOf(point), point]));
  /** Rates and peaks differ; counters differ little. */
  const differences = () => {
    const kernel = lastOf('kernel');
    return [...lastOf('stats')].flatMap(([key, point]) => {
      const real = kernel.get(key);
      if (real === undefined) return [`only in the stats API: ${key}`];
      if (key.startsWith('container.cpu.usage')) return [];
      const apart = Math.abs(point.value - real.value);
      const isEqual = apart <= 0.1 * Math.abs(real.value) + 0.05;
      return isEqual ? [] : [`${key}: ${point.value} beside ${real.value}`];
    });
  };
  // A new interface sends and receives some packets in its first seconds.
  await waitFor('equal values', () => differences().length === 0, 30_000).catch(() => {});
  t.deepEqual(differences(), []);
  const [kernel, stats] = [lastOf('kernel'), lastOf('stats')];
  for (const [key, point] of stats) {
    const real = kernel.get(key)!;
    t.deepEqual(
      [point.unit, point.kind, point.monotonic, point.isInteger],
      [real.unit, real.kind, real.monotonic, real.isInteger],
      key,
    );
  }
  const metricsIn = (points: ReadonlyMap<string, ReceivedPoint>) =>
    new Set([...points.values()].map((point) => point.name));
  for (const metric of ['container.cpu.time', 'container.memory.rss', 'container.pids.current'])
    t.true(metricsIn(stats).has(metric), metric);
  // A disk that was never used appears in neither.
  t.is(metricsIn(stats).has('container.disk.io'), metricsIn(kernel).has('container.disk.io'));
  await waitFor('the warning', () =>
    agent.stderr.includes(`Cannot read container processes of container ${name}`),
  );
});

test('a daemon behind a proxy that refuses /info is recognised as running on this host', async (t) => {
  const receiver = await Receiver.start();
  t.teardown(() => receiver.stop());
  const proxy = createServer(({ url = '', method }, response) => {
    if (/\/info$/.test(url)) return response.writeHead(403).end();
    const far = request({ socketPath: new URL(process.env.DOCKER_HOST!).pathname, path: url, method });
    far.on('response', (answer) => {
      response.writeHead(answer.statusCode!, answer.headers);
      answer.pipe(response);
    });
    far.on('error', () => response.destroy());
    response.on('close', () => far.destroy());
    far.end();
  });
  await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve));
  t.teardown(() => {
    proxy.close();
    proxy.closeAllConnections();
  });
  const name = uniqueName('proxied');
  await runContainer(t, { name, script: 'echo hello; exec sleep 600', host: LIMITS });
  const agent = await spawnAgent(t, {
    args: ['--docker-host', `tcp://127.0.0.1:${(proxy.address() as AddressInfo).port}`],
    variables: {
      OTEL_EXPORTER_OTLP_ENDPOINT: receiver.endpoint('http'),
      PORTLIGHT_CONTAINERS_INCLUDE: `name=${name}`,
    },
  });
  const metrics = () =>
    new Set(
      receiver.points
        .filter(({ resource }) => resource['container.name'] === name)
        .map((point) => point.name),
    );
  // The stats API has no such metric.
  await waitFor('a metric that only the kernel has', () => metrics().has('container.memory.events'));
  await waitFor('its line', () => linesOf(receiver, name).includes('hello'));
  t.regex(agent.stderr, /GET \/info is refused/);
});
