/**
 * Old and new Docker Engines give the same results: Debian's; the newest with containerd's image store, as after a new
 * installation; and the newest with the image store that an upgrade keeps. Also images that went through a registry.
 */
import { readFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import type Docker from 'dockerode';
import { IN_OWN_NETWORK } from '../../agent/setup/dockerd.ts';
import { findOwnContainer, upperLayer } from '../../collectors/docker/own-container-lookup.ts';
import { NEWEST_API } from '../../collectors/engine/client.ts';
import { portlight, spawnAgent } from '../support/agent.ts';
import { startRegistry } from '../support/command.ts';
import { IMAGE, LABEL } from '../support/docker.ts';
import { ownDaemon } from '../support/dockerd.ts';
import { bodiesOf, numbered } from '../support/logs.ts';
import { PODMAN_IMAGE, startPodman } from '../support/podman.ts';
import { Receiver } from '../support/receiver.ts';
import { temporaryDirectory } from '../support/temporary.ts';
import { waitFor } from '../support/wait.ts';
import { pathOf } from './peers.ts';

/** Directory with the programs of the newest Engine. */
const NEWEST = pathOf('docker');

interface Engine {
  readonly name: string;
  /** Directory of its programs; default: PATH. */
  readonly programs?: string;
  readonly args?: readonly string[];
  /** Options of its local log driver: when following a rotated log, 20.10 repeats and skips lines. */
  readonly local?: Readonly<Record<string, string>>;
  /** Whether an image's id is its digest in a registry. */
  readonly manifests?: boolean;
}

const engines: readonly Engine[] = [
  { name: "Debian's Engine", local: {} },
  ...(NEWEST === undefined
    ? []
    : [
        { name: 'the newest Engine', programs: NEWEST, manifests: true },
        {
          name: 'the newest Engine, upgraded',
          programs: NEWEST,
          args: ['--feature', 'containerd-snapshotter=false', '--storage-driver', 'overlay2'],
        },
      ]),
];

/** Starts the Engine. Its log contains each request. */
async function startEngine(t: ExecutionContext, { programs, args = [] }: Engine) {
  const directory = temporaryDirectory(t);
  const path = [...(programs === undefined ? [] : [programs]), process.env.PATH].join(delimiter);
  const daemon = await ownDaemon(t, {
    directory,
    by: ['env', `PATH=${path}`, ...IN_OWN_NETWORK],
    args: ['--debug', ...args],
  });
  return { ...daemon, pid: daemon.pid, log: () => readFileSync(join(directory, 'dockerd.log'), 'utf8') };
}

async function observe(t: ExecutionContext, host: string, dataDirectory?: string) {
  const receiver = await Receiver.start();
  t.teardown(() => receiver.stop());
  const start = () =>
    spawnAgent(t, {
      variables: { OTEL_EXPORTER_OTLP_ENDPOINT: receiver.endpoint('http') },
      args: ['--docker-host', host],
      dataDirectory,
    });
  return { receiver, start, agent: await start() };
}

interface Run {
  readonly name: string;
  readonly script: string;
  readonly image?: string;
  readonly host?: Docker.HostConfig;
  readonly create?: Docker.ContainerCreateOptions;
}

async function run(docker: Docker, { name, script, image = IMAGE, host, create }: Run) {
  const container = await docker.createContainer({
    name,
    Image: image,
    Cmd: ['sh', '-c', script],
    Labels: { [LABEL]: 'true' },
    HostConfig: { ...host },
    ...create,
  });
  await container.start();
  return container;
}

/** Reads a response to its end. */
const finish = (docker: Docker, progress: NodeJS.ReadableStream): Promise<void> =>
  new Promise((resolve, reject) =>
    docker.modem.followProgress(progress, (error) => (error === null ? resolve() : reject(error))),
  );

for (const engine of engines) {
  test.serial(`${engine.name}: metrics match the stats API`, async (t) => {
    const { docker, host, log } = await startEngine(t, engine);
    const { Version, ApiVersion } = await docker.version();
    t.log(`Docker ${Version}, API ${ApiVersion}`);
    const container = await run(docker, {
      name: 'measured',
      script: [
        'i=0; while [ $i -lt 20000 ]; do i=$((i+1)); done',
        'dd if=/dev/zero of=/dev/shm/held bs=1M count=8 2>/dev/null',
        'ping -c 5 -i 0.1 127.0.0.1 >/dev/null',
        'echo ready; exec sleep 600',
      ].join('; '),
      host: { Memory: 64 * 1024 ** 2, NanoCpus: 5e8, PidsLimit: 50 },
    });
    const { receiver, agent } = await observe(t, host);
    await waitFor('its work to be done', () => bodiesOf(receiver, 'measured').includes('ready'));
    const rounds = () => receiver.pointsOf('measured', 'container.uptime').length;
    const done = rounds();
    await waitFor('three rounds', () => rounds() >= done + 3);
    // The container sleeps, so a later answer of the daemon is still valid.
    const stats = await docker.getContainer(container.id).stats({ stream: false });
    const last = (metric: string) => {
      const points = receiver.pointsOf('measured', metric);
      const { time } = points.at(-1)!;
      return points.filter((point) => point.time === time).reduce((sum, { value }) => sum + value, 0);
    };
    const { cpu_stats: cpu, memory_stats: memory, pids_stats: pids = {}, networks } = stats;
    // cgroup v1 counts user and system time in ticks of 10 ms.
    const apart = Math.abs(last('container.cpu.time') - cpu.cpu_usage.total_usage / 1e9);
    t.true(apart < 0.02, `CPU time: ${apart} s apart`);
    t.is(last('container.memory.usage'), memory.usage);
    t.is(last('container.memory.limit'), memory.limit);
    t.is(
      last('container.memory.working_set'),
      memory.usage - (memory.stats.total_inactive_file ?? memory.stats.inactive_file),
    );
    t.is(last('container.pids.current'), pids.current ?? -1);
    const network = (direction: string) =>
      receiver
        .pointsOf('measured', 'container.network.io')
        .filter(({ attributes }) => attributes['network.io.direction'] === direction)
        .at(-1)!.value;
    t.is(network('transmit'), networks.eth0!.tx_bytes);
    t.true(
      Math.abs(network('receive') - networks.eth0!.rx_bytes) < 1024,
      'more multicast packets can arrive meanwhile',
    );

    // The API version that it supports, and the one that the agent requests.
    const [, minor = 0] = ApiVersion.split('.').map(Number);
    const [, newest = 0] = NEWEST_API.split('.').map(Number);
    const requestedVersions = new Set(
      [...log().matchAll(/GET \/v(\S+?)\/|request-url=\/v(\S+?)\//g)].map((match) => match[1] ?? match[2]),
    );
    t.deepEqual([...requestedVersions], [`1.${Math.min(minor, newest)}`]);
    const { resource } = receiver.logsOf('measured')[0]!;
    t.is(resource['container.runtime.name'], 'docker');
    t.is(resource['container.runtime.version'], Version);
    t.notRegex(agent.stderr, /"level":(40|50)/, 'no warnings or errors');
    const { stdout } = await portlight(t, ['check', '--docker-host', host]);
    t.true(stdout.includes(Version), stdout);
  });

  test.serial(`${engine.name}: events of health, exec, memory, images, networks and volumes`, async (t) => {
    const { docker, host } = await startEngine(t, engine);
    const { receiver } = await observe(t, host);
    const names = (name: string) => receiver.logsOf(name).map(({ eventName }) => eventName);
    const reported = (name: string, event: string) =>
      waitFor(`${event} of ${name}; so far: ${names(name)}`, () =>
        receiver.logsOf(name).find(({ eventName }) => eventName === `docker.${event}`),
      );
    const healthy = await run(docker, {
      name: 'healthy',
      script: 'touch /tmp/well; exec sleep 600',
      create: { Healthcheck: { Test: ['CMD-SHELL', 'test -e /tmp/well'], Interval: 1e9, Retries: 1 } },
    });
    await reported('healthy', 'container.health_status.healthy');
    const exec = await healthy.exec({ Cmd: ['sh', '-c', 'rm /tmp/well; exit 3'], AttachStdout: true });
    (await exec.start({})).resume();
    await reported('healthy', 'container.health_status.unhealthy');
    const died = await waitFor('the end of the exec', () =>
      receiver
        .logsOf('healthy')
        .find(
          ({ eventName, attributes }) =>
            eventName === 'docker.container.exec_die' && attributes['process.exit.code'] === 3,
        ),
    );
    t.true(Number(died.attributes['docker.event.duration']) > 0);

    await run(docker, { name: 'greedy', script: 'tail /dev/zero', host: { Memory: 16 * 1024 ** 2 } });
    await reported('greedy', 'container.oom');
    const end = await reported('greedy', 'container.die');
    t.is(end.attributes['portlight.exit.reason'], 'oom_killed');
    t.is(end.attributes['process.exit.code'], 137);

    // To the nanosecond; the newest daemon reports it too.
    const since = Math.floor(Date.now() / 1000) - 60;
    const filters = { container: ['greedy'], event: ['die'] };
    const past = await docker.getEvents({ since, until: since + 61, filters });
    let words = '';
    for await (const chunk of past) words += chunk;
    t.is(end.time, BigInt(/"timeNano":(\d+)/.exec(words)![1]!));

    const elsewhere = (event: string, key: string, value: string) =>
      waitFor(`${event} of ${value}`, () =>
        receiver.logs.find(
          ({ eventName, attributes }) => eventName === `docker.${event}` && attributes[key] === value,
        ),
      );
    await docker.getImage(IMAGE).tag({ repo: 'other', tag: 'name' });
    const tag = await elsewhere('image.tag', 'container.image.name', 'other');
    t.is(tag.attributes['container.image.id'], (await docker.getImage(IMAGE).inspect()).Id);
    t.deepEqual(tag.attributes['container.image.tags'], ['name']);
    const network = await docker.createNetwork({ Name: 'net' });
    await elsewhere('network.create', 'docker.actor.name', 'net');
    await network.connect({ Container: healthy.id });
    await reported('healthy', 'network.connect');
    await docker.createVolume({ Name: 'vol' });
    await elsewhere('volume.create', 'docker.actor.id', 'vol');
    t.false(receiver.logs.some(({ attributes }) => attributes['portlight.event.synthesized'] === true));
  });

  test.serial(
    `${engine.name}: an agent that joined another container's network finds its own container`,
    async (t) => {
      const { docker } = await startEngine(t, engine);
      const script = 'exec sleep 600';
      const application = await run(docker, { name: 'application', script });
      const joined = { NetworkMode: `container:${application.id}` };
      const agent = await run(docker, { name: 'agent', script, host: joined });
      for (const own of [application, agent]) {
        const { State } = await own.inspect();
        const layer = upperLayer(readFileSync(`/proc/${State.Pid}/mountinfo`, 'utf8'));
        t.truthy(layer);
        // The id comes from the mounted /etc/hostname.
        const found = await findOwnContainer(docker, application.id, layer, Date.parse(State.StartedAt) + 50);
        t.is(found?.Id, own.id);
      }
    },
  );

  test.serial(
    `${engine.name}: each line arrives once, across rotation, restarts and both drivers`,
    async (t) => {
      const { docker, host } = await startEngine(t, engine);
      const data = temporaryDirectory(t);
      const { receiver, start, agent } = await observe(t, host, data);
      const LINES = 3000;
      // Each run continues where the previous one ended.
      const script = `i=0; [ -e /n ] && i=$(cat /n); n=$((i + ${LINES})); echo $n > /n; while [ $i -lt $n ]; do i=$((i+1)); echo "line $i"; [ $((i % 200)) -eq 0 ] && sleep 0.1; done; exec sleep 600`;
      // Enough files to keep every line while the agent is away.
      const drivers = {
        'json-file': { 'max-size': '100k', 'max-file': '9', compress: 'true' },
        local: engine.local ?? { 'max-size': '100k', 'max-file': '9' },
      };
      const containers = await Promise.all(
        Object.entries(drivers).map(([Type, Config]) =>
          run(docker, { name: `in-${Type}`, script, host: { LogConfig: { Type, Config } } }),
        ),
      );
      const all = (count: number) =>
        waitFor(`${count} lines`, () =>
          Object.keys(drivers).every((driver) => bodiesOf(receiver, `in-${driver}`).length >= count),
        );
      await all(LINES);
      await Promise.all(containers.map((container) => container.restart({ t: 0 })));
      await all(LINES + 100);
      await agent.stop();
      await start();
      await all(2 * LINES);
      for (const driver of Object.keys(drivers))
        t.deepEqual(bodiesOf(receiver, `in-${driver}`), numbered(2 * LINES), driver);
    },
  );

  test.serial(`${engine.name}: digest and reference of an image after a push and a pull`, async (t) => {
    const { docker, host, pid } = await startEngine(t, engine);
    const registry = await startRegistry(t, pid);
    const { receiver } = await observe(t, host);
    const repository = `${registry.address}/team/app`;
    const image = `${repository}:1`;
    await docker.getImage(IMAGE).tag({ repo: repository, tag: '1' });
    await finish(docker, await docker.getImage(repository).push({ tag: '1', authconfig: {} as never }));
    const digest = registry.digestOf('team/app', '1');
    t.regex(digest, /^sha256:[0-9a-f]{64}$/);
    const { Id } = await docker.getImage(image).inspect();
    if (engine.manifests === true) t.is(Id, digest);
    else t.not(Id, digest);
    await docker.getImage(IMAGE).remove();
    await docker.getImage(image).remove();
    const script = 'exec sleep 600';
    const resourceOf = (name: string) =>
      waitFor(`figures of ${name}`, () => receiver.pointsOf(name, 'container.memory.usage').at(-1)?.resource);

    await finish(docker, await docker.pull(image));
    await run(docker, { name: 'tagged', script, image });
    t.like(await resourceOf('tagged'), {
      'container.image.name': repository,
      'container.image.tags': ['1'],
      'container.image.id': Id,
      'container.image.repo_digests': [`${repository}@${digest}`],
    });
    const pulled = await waitFor('the pull', () =>
      receiver.logs.find(({ eventName }) => eventName === 'docker.image.pull'),
    );
    t.is(pulled.attributes['container.image.name'], repository);

    await finish(docker, await docker.pull(`${repository}@${digest}`));
    await run(docker, { name: 'pinned', script, image: `${repository}@${digest}` });
    const pinned = await resourceOf('pinned');
    t.like(pinned, {
      'container.image.name': repository,
      'container.image.id': Id,
      'container.image.repo_digests': [`${repository}@${digest}`],
    });
    t.is(pinned['container.image.tags'], undefined, 'no container refers to a tag');

    // The tag moves. A container of the old image keeps the old identity.
    const committed = await docker.getContainer('tagged').commit({ repo: repository, tag: '1' });
    await finish(docker, await docker.getImage(repository).push({ tag: '1', authconfig: {} as never }));
    t.not(registry.digestOf('team/app', '1'), digest);
    const outdated = await waitFor('it to be outdated', () =>
      receiver.logsOf('tagged').find(({ eventName }) => eventName === 'portlight.container.image_outdated'),
    );
    t.is(outdated.attributes['docker.image.current_id'], (committed as { Id: string }).Id);
    t.is(outdated.resource['container.image.id'], Id);
  });
}

test.serial('Podman: digest and reference of an image after a push and a pull', async (t) => {
  const { host, podman } = await startPodman(t);
  const registry = await startRegistry(t);
  const { receiver } = await observe(t, host);
  const repository = `${registry.address}/team/app`;
  const image = `${repository}:1`;
  await podman.getImage(PODMAN_IMAGE).tag({ repo: repository, tag: '1' });
  await finish(podman, await podman.getImage(image).push());
  const digest = registry.digestOf('team/app', '1');
  t.regex(digest, /^sha256:[0-9a-f]{64}$/);
  // Podman compresses on push, so the digest in the registry differs from the local one.
  const made = await podman.getImage(image).inspect();
  await podman.getImage(made.Id).remove({ force: true });
  await finish(podman, await podman.pull(image));
  const { Id } = await podman.getImage(image).inspect();
  await run(podman, { name: 'tagged', script: 'exec sleep 600', image, host: { NetworkMode: 'host' } });
  const resource = await waitFor(
    'figures',
    () => receiver.pointsOf('tagged', 'container.memory.usage').at(-1)?.resource,
  );
  t.like(resource, {
    'container.runtime.name': 'podman',
    'container.image.name': repository,
    'container.image.tags': ['1'],
    'container.image.id': Id,
  });
  t.true((resource['container.image.repo_digests'] as string[]).includes(`${repository}@${digest}`));
});
