/** The agent in a container beside those that it is for. */
import { type AddressInfo, createServer } from 'node:net';
import test, { type ExecutionContext } from 'ava';
import type Docker from 'dockerode';
import { portlight } from '../support/agent.ts';
import { createContainer, docker, ensureImage, LABEL, runContainer, uniqueName } from '../support/docker.ts';
import type { Receiver } from '../support/receiver.ts';
import {
  ended,
  execSidecar,
  outputOf,
  receiverOnNetwork,
  type SidecarOptions,
  startSidecar,
} from '../support/sidecar.ts';
import { waitFor } from '../support/wait.ts';

test.before(ensureImage);

const PROJECT = 'com.docker.compose.project';

/** Names of the containers of which anything has arrived. */
const toldOf = (receiver: Receiver): string[] => [
  ...new Set(
    [receiver.logs, receiver.points, receiver.spans]
      .flat()
      .map(({ resource }) => String(resource['container.name'] ?? ''))
      .filter((name) => name !== ''),
  ),
];

/** Waits until a container was told of in full: events, lines and figures of its own cgroup. */
const toldInFull = (receiver: Receiver, name: string, line: string) =>
  waitFor(`all of ${name}; so far ${toldOf(receiver)}`, () => {
    const told = receiver.of(name);
    return (
      told.some(({ body }) => body === line) &&
      told.some(({ eventName }) => eventName === 'docker.container.die') &&
      receiver.pointsOf(name, 'container.memory.usage').length > 0
    );
  });

/** What is about the host and not about a container of it. */
const aboutHost = (receiver: Receiver): string[] => [
  ...receiver.points.filter(({ name }) => /^(system\.|docker\.)/.test(name)).map(({ name }) => name),
  ...receiver.logs
    .filter(({ resource, eventName }) => resource['container.id'] === undefined && eventName !== '')
    .map(({ eventName, body }) => `${eventName} ${body}`),
];

const SCRIPT = 'echo begun; sleep 3; exit 3';

interface Scene {
  readonly receiver: Receiver;
  readonly network: string;
  readonly variables: Record<string, string>;
}

async function scene(t: ExecutionContext, scope: string): Promise<Scene> {
  const { receiver, network, endpoint } = await receiverOnNetwork(t);
  return {
    receiver,
    network,
    variables: { OTEL_EXPORTER_OTLP_ENDPOINT: endpoint, PORTLIGHT_SCOPE: scope },
  };
}
const privileges = {
  PidMode: 'host',
  CapAdd: ['SYS_PTRACE'],
  Binds: ['/sys/fs/cgroup:/host/sys/fs/cgroup:ro'],
};

/** Waits until the agent runs. */
const runs = (agent: Docker.Container) =>
  waitFor('the agent', async () => (await outputOf(agent)).stderr.includes('portlight runs'));

const nameOf = async (container: Docker.Container) => (await container.inspect()).Name.slice(1);

test('scope project: the own Compose project and nothing else', async (t) => {
  const { receiver, network, variables } = await scene(t, 'project');
  const labels = { [PROJECT]: uniqueName('shop') };
  const host = { ...privileges, NetworkMode: network };
  const agent = await startSidecar(t, { variables, labels, socket: true, host });
  await runs(agent);
  const [inside, outside, volume] = [uniqueName('inside'), uniqueName('outside'), uniqueName('volume')];
  for (const [name, Labels] of [
    [volume, { [LABEL]: 'true', ...labels }],
    [`${volume}-outside`, { [LABEL]: 'true' }],
  ] as const) {
    await docker.createVolume({ Name: name, Labels });
    t.teardown(() => docker.getVolume(name).remove());
  }
  await runContainer(t, { name: outside, script: SCRIPT, labels: { [PROJECT]: 'other' } });
  await runContainer(t, { name: inside, script: SCRIPT, labels });
  await toldInFull(receiver, inside, 'begun');
  await waitFor('the volume', () => aboutHost(receiver).length > 0);
  t.deepEqual(
    aboutHost(receiver).map((told) => told.replace(/ (found|new)$/, '')),
    [`portlight.inventory.volume volume ${volume}`],
  );
  t.deepEqual(toldOf(receiver).sort(), [inside, await nameOf(agent)].sort());
  // What commands ask the daemon for is the same.
  const ps = await execSidecar(agent, ['ps', '-o', 'json']);
  t.deepEqual(
    (JSON.parse(ps) as { name: string }[]).map(({ name }) => name),
    [await nameOf(agent)],
  );
  t.regex(await execSidecar(agent, ['logs', outside]), /there is no container/);
  t.is(await execSidecar(agent, ['logs', inside]), 'begun\n');
  const events = await execSidecar(agent, ['events']);
  t.true(events.includes(`container ${inside} die`) && !events.includes(outside), events);
});

test('scope pod: whoever shares the network, by whatever way, and nothing else', async (t) => {
  const { receiver, network, variables } = await scene(t, 'pod');
  const names = ['owner', 'sharer', 'chained', 'outside'].map((role) => uniqueName(role));
  const [owner = '', sharer = '', chained = '', outside = ''] = names;
  const on = (NetworkMode: string) => ({ NetworkMode });
  await runContainer(t, { name: owner, script: 'echo owns; sleep 600', host: on(network) });
  // A container on another's network has its /etc/hostname, which is all that tells who it is in a cgroup namespace.
  const agent = await startSidecar(t, {
    variables,
    socket: true,
    host: { ...privileges, ...on(`container:${owner}`), CgroupnsMode: 'private' },
  });
  await runs(agent);
  await runContainer(t, { name: outside, script: SCRIPT, host: on(network) });
  const shared = await runContainer(t, {
    name: sharer,
    script: 'echo shares; sleep 600',
    host: on(`container:${owner}`),
  });
  await runContainer(t, { name: chained, script: SCRIPT, host: on(`container:${sharer}`) });
  await toldInFull(receiver, chained, 'begun');
  await shared.kill();
  await toldInFull(receiver, sharer, 'shares');
  // Its end would take the network with it.
  await waitFor('the owner', () => receiver.of(owner).some(({ body }) => body === 'owns'));
  for (const name of [owner, await nameOf(agent)])
    await waitFor(`figures of ${name}`, () => receiver.pointsOf(name, 'container.memory.usage').length > 0);
  t.deepEqual(toldOf(receiver).sort(), [owner, sharer, chained, await nameOf(agent)].sort());
  t.deepEqual(aboutHost(receiver), []);
});

test('scope self: what its own label selects, and nothing else', async (t) => {
  const { receiver, network, variables } = await scene(t, 'self');
  const [named, labelled, outside] = [uniqueName('named'), uniqueName('labelled'), uniqueName('outside')];
  const agent = await startSidecar(t, {
    variables,
    labels: { 'portlight.scope': `name=${named}*, label=team=${labelled}` },
    socket: true,
    host: { ...privileges, NetworkMode: network },
  });
  await runs(agent);
  await runContainer(t, { name: outside, script: SCRIPT, labels: { team: 'other' } });
  await runContainer(t, { name: named, script: SCRIPT });
  await runContainer(t, { name: labelled, script: SCRIPT, labels: { team: labelled } });
  await toldInFull(receiver, named, 'begun');
  await toldInFull(receiver, labelled, 'begun');
  t.deepEqual(toldOf(receiver).sort(), [named, labelled].sort());
  t.deepEqual(aboutHost(receiver), []);
});

test('a scope that cannot be had ends the agent with one line that says why', async (t) => {
  const refused = async (scope: string, labels: Record<string, string> = {}) => {
    const variables = { PORTLIGHT_SCOPE: scope };
    const container = await startSidecar(t, { variables, labels, socket: true, host: {} });
    const { code, stderr } = await ended(container);
    t.is(code, 2, stderr);
    return stderr.trim();
  };
  const [outsideOfAll, noProject, noLabel, noRule] = await Promise.all([
    portlight(t, ['run', '--scope', 'pod', '--listen', '127.0.0.1:0']),
    refused('project'),
    refused('self'),
    refused('self', { 'portlight.scope': 'web*' }),
  ]);
  t.is(outsideOfAll.code, 2);
  t.regex(
    outsideOfAll.stderr,
    /^portlight: scope: "pod" cannot be had: the agent runs in no container; expected [^\n]+\n$/,
  );
  t.regex(
    noProject,
    /^portlight: scope: "project" .* of no Compose project and no Swarm stack; expected [^\n]+$/,
  );
  t.regex(noLabel, /^portlight: scope: "self" .* has no label portlight.scope; expected [^\n]+$/);
  t.regex(noRule, /^portlight: scope: "self" .* has "web\*", which is no rule; expected [^\n]+$/);
});

/** What only a daemon tells of a container. */
const OF_DAEMON = /^container\.(restarts|filesystem\.|image\.)/;

test('without a socket, in a shared pid namespace, figures and life are those that the daemon tells of', async (t) => {
  const { receiver, network, endpoint } = await receiverOnNetwork(t);
  // Whoever asked a daemon would ask this one.
  let questions = 0;
  const daemon = createServer((socket) => {
    questions++;
    socket.destroy();
  });
  const gateway = new URL(endpoint).hostname;
  await new Promise<void>((resolve) => daemon.listen(0, gateway, resolve));
  t.teardown(() => daemon.close());
  const { port } = daemon.address() as AddressInfo;

  const holder = await runContainer(t, { script: 'trap exit TERM; sleep 600 & wait' });
  const name = uniqueName('app');
  const app = await createContainer(t, {
    name,
    labels: { team: 'shop' },
    script: 'echo begun; while sleep 0.2; do :; done',
    host: { PidMode: `container:${holder.id}`, NetworkMode: network, Memory: 64 * 1024 ** 2 },
  });
  const agent = (whose: string, scope: string, options: Pick<SidecarOptions, 'socket' | 'host'>) =>
    startSidecar(t, {
      ...options,
      labels: { 'portlight.scope': `name=${name}` },
      host: {
        ...options.host,
        NetworkMode: network,
        CapAdd: ['SYS_PTRACE'],
        Binds: [...(options.host.Binds ?? []), '/sys/fs/cgroup:/host/sys/fs/cgroup:ro'],
      },
      variables: {
        OTEL_EXPORTER_OTLP_ENDPOINT: endpoint,
        OTEL_RESOURCE_ATTRIBUTES: `whose=${whose}`,
        ...(options.socket
          ? { PORTLIGHT_SCOPE: scope }
          : { PORTLIGHT_DOCKER_HOST: 'none', DOCKER_HOST: `tcp://${gateway}:${port}` }),
      },
    });
  const PidMode = `container:${holder.id}`;
  const { DockerRootDir } = (await docker.info()) as { DockerRootDir: string };
  const containers = `${DockerRootDir}/containers:/var/lib/docker/containers:ro`;
  const root = `${DockerRootDir}:${DockerRootDir}:ro`;
  const agents = await Promise.all([
    agent('daemon', 'self', { socket: true, host: { PidMode: 'host', Binds: [root] } }),
    agent('kernel', 'host', { socket: false, host: { PidMode } }),
    agent('files', 'host', { socket: false, host: { PidMode, Binds: [containers] } }),
  ]);
  await Promise.all(agents.map(runs));
  await app.start();

  const by = (whose: string) => ({
    points: receiver.points.filter(
      ({ resource }) => resource['container.id'] === app.id && resource.whose === whose,
    ),
    logs: receiver.logs.filter(
      ({ resource }) => resource['container.id'] === app.id && resource.whose === whose,
    ),
  });
  const metricsBy = (whose: string) =>
    [...new Set(by(whose).points.map((point) => point.name))]
      .filter((metric) => !OF_DAEMON.test(metric))
      .sort();
  const event = (whose: string, action: string) =>
    by(whose).logs.find(({ eventName }) => eventName === `docker.container.${action}`);
  const all = ['daemon', 'kernel', 'files'];
  // Rates are there from the second round on.
  for (const whose of all)
    await waitFor(`figures by ${whose}; so far ${metricsBy(whose)}`, () =>
      by(whose).points.some((point) => point.name === 'container.cpu.usage'),
    );
  await waitFor('figures of all metrics', () => metricsBy('kernel').join() === metricsBy('daemon').join());
  t.deepEqual(metricsBy('files'), metricsBy('daemon'));
  t.true(metricsBy('kernel').includes('container.memory.limit'));
  for (const whose of all) await waitFor(`the start by ${whose}`, () => event(whose, 'start'));
  await app.kill({ signal: 'SIGKILL' });
  for (const whose of all) await waitFor(`the end by ${whose}`, () => event(whose, 'die'));
  await app.start();
  for (const whose of all)
    await waitFor(
      `another start by ${whose}`,
      () => by(whose).logs.filter(({ eventName }) => eventName === 'docker.container.start').length === 2,
    );
  await app.remove({ force: true });

  const started = event('daemon', 'start')!.time;
  for (const whose of ['kernel', 'files']) {
    t.is(event(whose, 'start')!.attributes['portlight.event.synthesized'], true);
    t.true(Math.abs(Number(event(whose, 'start')!.time - started)) < 1e9, 'about when the daemon says');
  }
  const die = event('kernel', 'die')!;
  t.is(die.attributes['process.exit.code'], undefined, 'nobody has told it');
  t.is(die.resource['container.name'], app.id.slice(0, 12));
  t.is(die.resource['container.runtime.name'], 'docker');
  t.deepEqual(by('kernel').logs.filter(({ eventName }) => eventName === '').length, 0);
  // What the daemon writes down has all but its answers.
  const written = event('files', 'die')!;
  t.is(written.attributes['process.exit.code'], 137);
  t.is(written.resource['container.name'], name);
  t.is(written.resource['container.image.name'], event('daemon', 'die')!.resource['container.image.name']);
  await waitFor('its removal', () => event('files', 'destroy'));
  const lines = (whose: string) =>
    by(whose)
      .logs.filter(({ eventName }) => eventName === '')
      .map(({ body, time, attributes }) => [body, time, attributes['log.record.uid']]);
  await waitFor('both lines', () => lines('files').length === 2);
  t.deepEqual(lines('files'), lines('daemon'));
  // Of the host nothing is told.
  t.deepEqual(
    receiver.points.filter(
      ({ resource, name }) => resource.whose !== 'daemon' && /^(system|docker)\./.test(name),
    ),
    [],
  );
  t.is(questions, 0);
});
