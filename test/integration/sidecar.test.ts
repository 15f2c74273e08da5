/** The agent in a container beside the containers that it observes. */
import { type AddressInfo, createServer } from 'node:net';
import test, { type ExecutionContext } from 'ava';
import type Docker from 'dockerode';
import { unixNow } from '../../collectors/records/records.ts';
import { portlight } from '../support/agent.ts';
import { createContainer, docker, ensureImage, LABEL, runContainer, uniqueName } from '../support/docker.ts';
import { freePort } from '../support/port.ts';
import { Receiver } from '../support/receiver.ts';
import {
  ended,
  execSidecar,
  outputOf,
  receiverOnNetwork,
  startRecipe,
  startSidecar,
} from '../support/sidecar.ts';
import { waitFor } from '../support/wait.ts';

test.before(ensureImage);

const PROJECT = 'com.docker.compose.project';

/** Names of the containers with any received record. */
const observedNames = (receiver: Receiver): string[] => [
  ...new Set(
    [receiver.logs, receiver.points, receiver.spans]
      .flat()
      .map(({ resource }) => String(resource['container.name'] ?? ''))
      .filter((name) => name !== ''),
  ),
];

/** Waits for all records of a container: metrics of its cgroup, its log line and, once it has exited, its exit. */
async function waitForAllRecords(
  receiver: Receiver,
  container: Docker.Container,
  line: string,
): Promise<void> {
  const name = await nameOf(container);
  await waitFor(`metrics of ${name}`, () => receiver.pointsOf(name, 'container.memory.usage').length > 0);
  await waitFor(`the log of ${name}`, () => receiver.logsOf(name).some(({ body }) => body === line));
  await container.kill();
  await waitFor(`the exit of ${name}`, () =>
    receiver.logsOf(name).some(({ eventName }) => eventName === 'docker.container.die'),
  );
}

/** Records about the host, not about a container. */
const aboutHost = (receiver: Receiver): string[] => [
  ...receiver.points.filter(({ name }) => /^(system\.|docker\.)/.test(name)).map(({ name }) => name),
  ...receiver.logs
    .filter(({ resource, eventName }) => resource['container.id'] === undefined && eventName !== '')
    .map(({ eventName, body }) => `${eventName} ${body}`),
];

const SCRIPT = 'echo begun; sleep 600';

type Variables = Record<string, string>;

/** A receiver, and the variables with which an agent on the host's network sends to it. */
async function receiverOnHost(t: ExecutionContext, scope: string) {
  const receiver = await Receiver.start();
  t.teardown(() => receiver.stop());
  const variables = { OTEL_EXPORTER_OTLP_ENDPOINT: receiver.endpoint('http'), PORTLIGHT_SCOPE: scope };
  return { receiver, variables };
}

const privileges = {
  PidMode: 'host',
  NetworkMode: 'host',
  CapAdd: ['SYS_PTRACE'],
  Binds: ['/sys/fs/cgroup:/host/sys/fs/cgroup:ro'],
};

/** Waits until the agent runs. */
const runs = (agent: Docker.Container) =>
  waitFor('the agent', async () => (await outputOf(agent)).stderr.includes('portlight started'), 60_000);

const nameOf = async (container: Docker.Container) => (await container.inspect()).Name.slice(1);

test.serial('scope project: an agent observes its own Compose project and nothing else', async (t) => {
  const { receiver, variables } = await receiverOnHost(t, 'project');
  const labels = { [PROJECT]: uniqueName('shop') };
  const agent = await startSidecar(t, { variables, labels, socket: true, host: privileges });
  await runs(agent);
  const [inside, outside, volume] = [uniqueName('inside'), uniqueName('outside'), uniqueName('volume')];
  for (const [name, Labels] of [
    [volume, { [LABEL]: 'true', ...labels }],
    [`${volume}-outside`, { [LABEL]: 'true' }],
  ] as const) {
    await docker.createVolume({ Name: name, Labels });
    t.teardown(() => docker.getVolume(name).remove());
  }
  const other = await runContainer(t, { name: outside, script: SCRIPT, labels: { [PROJECT]: 'other' } });
  const own = await runContainer(t, { name: inside, script: SCRIPT, labels });
  await other.kill();
  await waitForAllRecords(receiver, own, 'begun');
  await waitFor('the volume', () => aboutHost(receiver).length > 0);
  t.deepEqual(
    aboutHost(receiver).map((record) => record.replace(/ (found|new)$/, '')),
    [`portlight.inventory.volume volume ${volume}`],
  );
  t.deepEqual(observedNames(receiver).sort(), [inside, await nameOf(agent)].sort());
  // Commands have the same scope.
  const { stdout: ps } = await execSidecar(agent, ['ps', '-o', 'json']);
  t.deepEqual(
    (JSON.parse(ps) as { name: string }[]).map(({ name }) => name),
    [await nameOf(agent)],
  );
  t.regex((await execSidecar(agent, ['logs', outside])).stderr, /no such container/);
  t.is((await execSidecar(agent, ['logs', inside])).stdout, 'begun\n');
  // The daemon keeps 256 events of all containers.
  await waitFor('its exit among the events', async () => {
    await own.start();
    await own.kill();
    await own.wait();
    const { stdout: events } = await execSidecar(agent, ['events']);
    t.false(events.includes(outside), events);
    return events.includes(`container ${inside} killed on request`);
  });
});

test.serial(
  'scope pod: an agent observes the containers on its network, however they joined it, and nothing else',
  async (t) => {
    const { receiver, network, endpoint } = await receiverOnNetwork(t);
    const variables = { OTEL_EXPORTER_OTLP_ENDPOINT: endpoint, PORTLIGHT_SCOPE: 'pod' };
    const names = ['owner', 'sharer', 'chained', 'outside'].map((role) => uniqueName(role));
    const [owner = '', sharer = '', chained = '', outside = ''] = names;
    const on = (NetworkMode: string) => ({ NetworkMode });
    await runContainer(t, { name: owner, script: 'echo owns; sleep 600', host: on(network) });
    // A container on another's network has that one's /etc/hostname. In a cgroup namespace nothing else identifies it.
    const agent = await startSidecar(t, {
      variables,
      socket: true,
      host: { ...privileges, ...on(`container:${owner}`), CgroupnsMode: 'private' },
    });
    await runs(agent);
    const other = await runContainer(t, { name: outside, script: SCRIPT, host: on(network) });
    const shared = await runContainer(t, {
      name: sharer,
      script: 'echo shares; sleep 600',
      host: on(`container:${owner}`),
    });
    const last = await runContainer(t, { name: chained, script: SCRIPT, host: on(`container:${sharer}`) });
    await other.kill();
    await waitForAllRecords(receiver, last, 'begun');
    await waitForAllRecords(receiver, shared, 'shares');
    // When the owner exits, the network is gone.
    await waitFor('the owner', () => receiver.logsOf(owner).some(({ body }) => body === 'owns'));
    for (const name of [owner, await nameOf(agent)])
      await waitFor(`metrics of ${name}`, () => receiver.pointsOf(name, 'container.memory.usage').length > 0);
    t.deepEqual(observedNames(receiver).sort(), [owner, sharer, chained, await nameOf(agent)].sort());
    t.deepEqual(aboutHost(receiver), []);
  },
);

test.serial('scope self: an agent observes what its own label selects and nothing else', async (t) => {
  const { receiver, variables } = await receiverOnHost(t, 'self');
  const [named, labelled, outside] = [uniqueName('named'), uniqueName('labelled'), uniqueName('outside')];
  const agent = await startSidecar(t, {
    variables,
    labels: { 'portlight.scope': `name=${named}*, label=team=${labelled}` },
    socket: true,
    host: privileges,
  });
  await runs(agent);
  const other = await runContainer(t, { name: outside, script: SCRIPT, labels: { team: 'other' } });
  const first = await runContainer(t, { name: named, script: SCRIPT });
  const second = await runContainer(t, { name: labelled, script: SCRIPT, labels: { team: labelled } });
  await other.kill();
  for (const container of [first, second]) await waitForAllRecords(receiver, container, 'begun');
  t.deepEqual(observedNames(receiver).sort(), [named, labelled].sort());
  t.deepEqual(aboutHost(receiver), []);
});

test.serial('an impossible scope ends the agent with one line that names the reason', async (t) => {
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
    /^portlight: scope: "pod" is not possible: the agent runs in no container; expected [^\n]+\n$/,
  );
  t.regex(
    noProject,
    /^portlight: scope: "project" .* belongs to no Compose project and no Swarm stack; expected [^\n]+$/,
  );
  t.regex(noLabel, /^portlight: scope: "self" .* has no label portlight.scope; expected [^\n]+$/);
  t.regex(noRule, /^portlight: scope: "self" .* has "web\*", which is no rule; expected [^\n]+$/);
});

/** Metrics that only a daemon has. */
const OF_DAEMON = /^container\.(restarts|filesystem\.|image\.)/;

test.serial(
  'without a socket, in a shared pid namespace, metrics and events equal those from the daemon',
  async (t) => {
    const { receiver, variables } = await receiverOnHost(t, 'self');
    // An agent that used a daemon would use this one.
    let questions = 0;
    const daemon = createServer((socket) => {
      questions++;
      socket.destroy();
    });
    await new Promise<void>((resolve) => daemon.listen(0, '127.0.0.1', resolve));
    t.teardown(() => daemon.close());
    const { port } = daemon.address() as AddressInfo;

    const holder = await runContainer(t, { script: 'trap exit TERM; sleep 600 & wait' });
    const name = uniqueName('app');
    const app = await createContainer(t, {
      name,
      labels: { team: 'shop' },
      script: 'echo begun; while sleep 0.2; do :; done',
      host: { PidMode: `container:${holder.id}`, Memory: 64 * 1024 ** 2 },
    });
    const agent = async (whose: string, { Binds = [], ...host }: Docker.HostConfig, more: Variables) =>
      startSidecar(t, {
        socket: whose === 'daemon',
        labels: { 'portlight.scope': `name=${name}` },
        host: {
          ...host,
          NetworkMode: 'host',
          CapAdd: ['SYS_PTRACE'],
          Binds: [...Binds, '/sys/fs/cgroup:/host/sys/fs/cgroup:ro'],
        },
        variables: { ...variables, OTEL_RESOURCE_ATTRIBUTES: `whose=${whose}`, ...more },
      });
    const withoutDaemon = async (): Promise<Variables> => ({
      DOCKER_HOST: `tcp://127.0.0.1:${port}`,
      PORTLIGHT_DOCKER_HOST: 'none',
      PORTLIGHT_SCOPE: 'host',
      PORTLIGHT_LISTEN: `127.0.0.1:${await freePort()}`,
    });
    const PidMode = `container:${holder.id}`;
    const { DockerRootDir } = (await docker.info()) as { DockerRootDir: string };
    const containers = `${DockerRootDir}/containers:/var/lib/docker/containers:ro`;
    const root = `${DockerRootDir}:${DockerRootDir}:ro`;
    const agents = await Promise.all([
      agent('daemon', { PidMode: 'host', Binds: [root] }, {}),
      agent('kernel', { PidMode }, await withoutDaemon()),
      agent('files', { PidMode, Binds: [containers] }, await withoutDaemon()),
    ]);
    await Promise.all(agents.map(runs));
    const before = unixNow();
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
    /** The events of its life, each once. */
    const lifeBy = (whose: string) => {
      const events = by(whose).logs.filter(({ eventName }) => eventName.startsWith('docker.container.'));
      const once = new Map(
        events.map(({ eventName, attributes }) => [attributes['log.record.uid'], eventName]),
      );
      return [...once.values()].map((name) => name.replace('docker.container.', ''));
    };
    const all = ['daemon', 'kernel', 'files'];
    // Rates exist from the second round on.
    for (const whose of all)
      await waitFor(`metrics by ${whose}; so far ${metricsBy(whose)}`, () =>
        by(whose).points.some((point) => point.name === 'container.cpu.usage'),
      );
    await waitFor('all metrics', () => metricsBy('kernel').join() === metricsBy('daemon').join());
    t.deepEqual(metricsBy('files'), metricsBy('daemon'));
    t.true(metricsBy('kernel').includes('container.memory.limit'));
    for (const whose of all) await waitFor(`the start by ${whose}`, () => event(whose, 'start'));
    // Commands use the agent's data.
    const asked = async (index: number, args: readonly string[]) =>
      (await execSidecar(agents[index]!, args)).stdout;
    const short = app.id.slice(0, 12);
    t.regex(await asked(1, ['ps']), new RegExp(`^${short} .* (KiB|MiB) +64 MiB`, 'm'));
    t.is(await asked(2, ['logs', name]), 'begun\n');
    t.regex(await asked(2, ['events', name]), new RegExp(`container ${name} started`));
    const [bare, full] = await Promise.all([1, 2].map((index) => asked(index, ['check'])));
    t.regex(bare!, /^WARN +container names and logs +none, and no exit codes\. Mount \S+ of the host/m);
    for (const check of [
      'container processes',
      'container cgroups',
      'namespaces',
      'container names and logs',
    ])
      t.regex(full!, new RegExp(`^OK +${check} `, 'm'));
    await app.kill({ signal: 'SIGKILL' });
    for (const whose of all) await waitFor(`the exit by ${whose}`, () => event(whose, 'die'));
    await app.start();
    for (const whose of all)
      await waitFor(`another start by ${whose}`, () => lifeBy(whose).join().includes('die,start'));
    await app.remove({ force: true });

    await waitFor('its removal', () => event('files', 'destroy'));
    await waitFor('its second exit', () => lifeBy('kernel').length === 4);
    t.deepEqual(lifeBy('kernel'), ['start', 'die', 'start', 'die']);
    t.deepEqual(lifeBy('files'), ['create', 'start', 'die', 'start', 'die', 'destroy']);
    for (const whose of ['kernel', 'files']) {
      t.is(event(whose, 'start')!.attributes['portlight.event.synthesized'], true);
      const { time } = event(whose, 'start')!;
      // The kernel's clock ticks are hundredths of a second.
      t.true(
        time > before - 20_000_000n && time < event('daemon', 'start')!.time + 20_000_000n,
        String(time),
      );
    }
    const die = event('kernel', 'die')!;
    t.is(die.attributes['process.exit.code'], undefined, 'the exit code is unknown');
    t.is(die.resource['container.name'], app.id.slice(0, 12));
    t.is(die.resource['container.runtime.name'], 'docker');
    // It shares a namespace with the agent, not with the host.
    t.false(by('kernel').logs.some(({ eventName }) => eventName === 'portlight.container.elevated'));
    const namespaces = by('kernel').logs.find(
      ({ eventName }) => eventName === 'portlight.container.namespaces',
    )!;
    t.is(namespaces.attributes['linux.namespace.pid.relation'], 'shared');
    t.is(namespaces.attributes['linux.namespace.mnt.relation'], 'private');
    t.is(namespaces.attributes['container.security.privileged'], undefined);
    t.deepEqual(by('kernel').logs.filter(({ eventName }) => eventName === '').length, 0);
    // The daemon's files have everything but what only its API returns.
    const written = event('files', 'die')!;
    t.is(written.attributes['process.exit.code'], 137);
    t.is(written.resource['container.name'], name);
    t.is(written.resource['container.image.name'], event('daemon', 'die')!.resource['container.image.name']);
    const lines = (whose: string) =>
      by(whose)
        .logs.filter(({ eventName }) => eventName === '')
        .map(({ body, time, attributes }) => [body, time, attributes['log.record.uid']]);
    await waitFor('both lines', () => lines('files').length === 2);
    t.deepEqual(lines('files'), lines('daemon'));
    // There are no records about the host.
    t.deepEqual(
      receiver.points.filter(
        ({ resource, name }) => resource.whose !== 'daemon' && /^(system|docker)\./.test(name),
      ),
      [],
    );
    t.is(questions, 0);
  },
);

test.serial('each recipe observes its own project, with the privileges that it grants', async (t) => {
  for (const file of ['compose.yaml', 'compose.socketless.yaml']) {
    const { receiver, endpoint } = await receiverOnNetwork(t);
    const containers = await startRecipe(t, file, { OTEL_EXPORTER_OTLP_ENDPOINT: endpoint });
    const idOf = (service: string) => containers.get(service)!.id;
    const isMeasured = (id: string) =>
      receiver.points.some(
        ({ resource, name }) => resource['container.id'] === id && name === 'container.memory.usage',
      );
    await waitFor(`metrics of ${file}`, () => isMeasured(idOf('web')));
    await waitFor(`namespaces of ${file}`, () =>
      receiver.logs.some(
        ({ resource, eventName }) =>
          resource['container.id'] === idOf('web') && eventName === 'portlight.container.namespaces',
      ),
    );
    const ids = new Set(receiver.points.map(({ resource }) => resource['container.id']));
    const own = [...containers.values()].map(({ id }) => id);
    t.deepEqual(
      [...ids].filter((id) => id !== undefined && !own.includes(String(id))),
      [],
      file,
    );
    const ofHost = aboutHost(receiver).filter((record) => !record.startsWith('portlight.inventory.'));
    t.deepEqual(ofHost, [], file);
  }
});
