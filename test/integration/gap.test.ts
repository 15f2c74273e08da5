/** What happens while the agent or the daemon is away is reported afterwards, once, and correctly. */
import { setTimeout as sleep } from 'node:timers/promises';
import test, { type ExecutionContext } from 'ava';
import type Docker from 'dockerode';
import { AgentProcess, listenUrl } from '../support/agent.ts';
import { daemonProxy } from '../support/daemon-proxy.ts';
import { IMAGE, pause } from '../support/docker.ts';
import { ownDaemon } from '../support/dockerd.ts';
import { type ReceivedLog, Receiver } from '../support/receiver.ts';
import { temporaryDirectory } from '../support/temporary.ts';
import { waitFor } from '../support/wait.ts';

/** Positions are written in groups: after this time they are on disk. */
const SAVED_MS = 500;
const VANISHED_MS = 1500;

type Start = () => Promise<AgentProcess>;

/** Starts agents, one after the other, on one data directory. */
function agents(t: ExecutionContext, host: string, receiver: Receiver, data = temporaryDirectory(t)): Start {
  return async () => {
    const agent = new AgentProcess(
      ['run', '--docker-host', host, '--data-dir', data, '--listen', '127.0.0.1:0', '--interval', '500ms'],
      { OTEL_EXPORTER_OTLP_ENDPOINT: receiver.endpoint('http') },
      data,
    );
    t.teardown(() => agent.kill('SIGKILL'));
    const url = await listenUrl(agent);
    await waitFor('the agent to be ready', async () => (await fetch(`${url}/readyz`)).ok, 60_000);
    return agent;
  };
}

const create = (
  docker: Docker,
  name: string,
  script = 'sleep 600',
  more: Docker.ContainerCreateOptions = {},
) => docker.createContainer({ name, Image: IMAGE, Cmd: ['sh', '-c', script], ...more });

const eventsOf = (receiver: Receiver, id: string): ReceivedLog[] =>
  receiver.logs.filter(
    ({ resource, eventName }) => resource['container.id'] === id && eventName.startsWith('docker.container.'),
  );
const actions = (events: readonly ReceivedLog[]) =>
  events.map(({ eventName }) => eventName.replace('docker.container.', ''));
const isConcluded = ({ attributes }: ReceivedLog) => attributes['portlight.event.synthesized'] === true;
const time = (text: string) => BigInt(Date.parse(text)) * 1_000_000n;

test('events missed during downtime are reported, also those that the daemon no longer remembers', async (t) => {
  const receiver = await Receiver.start();
  t.teardown(() => receiver.stop());
  const { docker, host } = await ownDaemon(t);
  const start = agents(t, host, receiver);
  const names = ['removed', 'restarted', 'paused', 'renamed', 'updated', 'ended', 'untouched'];
  const containers = new Map<string, Docker.Container>();
  for (const name of names) {
    const container = await create(docker, name);
    await container.start();
    containers.set(name, container);
  }
  const containerNamed = (name: string) => containers.get(name)!;
  const first = await start();
  await waitFor('all of them', () => names.every((name) => receiver.logsOf(name).length > 0));
  // Wait until the positions are on disk.
  const before = receiver.logs.length;
  await docker.createVolume({ Name: 'marker' });
  await waitFor('the marker', () => receiver.logs.length > before);
  await sleep(SAVED_MS);
  first.kill('SIGKILL');
  await first.exit;

  await containerNamed('removed').remove({ force: true });
  await containerNamed('restarted').restart({ t: 0 });
  await pause(containerNamed('paused'));
  await containerNamed('renamed').rename({ name: 'renamed-2' });
  await containerNamed('updated').update({ Memory: 32 * 1024 * 1024, MemorySwap: 32 * 1024 * 1024 });
  await containerNamed('ended').kill();
  const brandNew = await create(docker, 'new');
  await brandNew.start();
  containers.set('new', brandNew);
  // 300 other events: the daemon forgets all of the above.
  for (let index = 0; index < 150; index++) {
    const { name } = await docker.createVolume({ Name: `flood${index}` });
    await docker.getVolume(name).remove();
  }
  const second = await start();
  const reported = (name: string) => eventsOf(receiver, containerNamed(name).id);
  const expected: Record<string, string[]> = {
    removed: ['die', 'destroy'],
    restarted: ['die', 'start'],
    paused: ['pause'],
    renamed: ['rename'],
    updated: ['update'],
    ended: ['die'],
    untouched: [],
    new: ['create', 'start'],
  };
  for (const [name, wanted] of Object.entries(expected)) {
    await waitFor(`what happened to ${name}`, () => reported(name).length >= wanted.length);
    t.deepEqual(actions(reported(name)), wanted, name);
    t.true(reported(name).every(isConcluded), name);
  }
  const ended = (await containerNamed('ended').inspect()).State;
  const [die] = reported('ended');
  t.is(die!.time / 1_000_000n, time(ended.FinishedAt) / 1_000_000n, 'at the time that the daemon shows');
  t.is(die!.attributes['process.exit.code'], 137);
  t.is(die!.attributes['portlight.event.time'], 'known');
  t.is(die!.resource['container.name'], 'ended');
  const restarted = (await containerNamed('restarted').inspect()).State;
  t.is(reported('restarted')[1]!.time / 1_000_000n, time(restarted.StartedAt) / 1_000_000n);
  t.is(reported('removed')[0]!.resource['container.name'], 'removed', 'the identity is remembered');
  t.is(reported('removed')[0]!.attributes['portlight.exit.reason'], 'unknown');
  t.is(reported('renamed')[0]!.attributes['docker.container.previous_name'], '/renamed');

  // Nothing of it is reported again.
  const concluded = () => receiver.logs.filter(isConcluded).map(({ body }) => body);
  const count = concluded();
  await second.stop();
  const third = await start();
  await containerNamed('untouched').kill();
  await waitFor('an event of now', () =>
    reported('untouched').some(({ eventName }) => eventName.endsWith('.die')),
  );
  t.deepEqual(concluded(), count);
  t.false(reported('untouched').some(isConcluded));
  await third.stop();
});

/** A proxy to a daemon that disappears for a while at a certain request. */
async function vanishing(t: ExecutionContext, host: string, request: string) {
  let hasVanished = false;
  const proxy = await daemonProxy(t, host, (data) => {
    if (hasVanished || !data.includes(request)) return true;
    hasVanished = true;
    proxy.disappear(VANISHED_MS);
    return false;
  });
  return { host: proxy.host, hasVanished: () => hasVanished };
}

test('an event waits for the next daemon if its daemon disappears before it describes the container', async (t) => {
  const receiver = await Receiver.start();
  t.teardown(() => receiver.stop());
  const daemon = await ownDaemon(t);
  const data = temporaryDirectory(t);
  const first = await agents(t, daemon.host, receiver, data)();
  const container = await create(daemon.docker, 'ended', 'trap exit TERM; while :; do sleep 1 & wait; done');
  const way = await vanishing(t, daemon.host, `/containers/${container.id}/json`);
  await waitFor('its creation', () => eventsOf(receiver, container.id).length === 1);
  await first.stop();
  await container.start();
  const { StartedAt } = (await container.inspect()).State;
  // The next daemon stops it, and does not remember the start.
  await daemon.restart('SIGKILL');
  await agents(t, way.host, receiver, data)();
  await waitFor('its end', () => actions(eventsOf(receiver, container.id)).includes('die'));
  t.true(way.hasVanished());
  const lifecycle = eventsOf(receiver, container.id).filter(({ eventName }) =>
    /\.(create|start|die)$/.test(eventName),
  );
  t.deepEqual(actions(lifecycle), ['create', 'start', 'die']);
  t.is(lifecycle[1]!.attributes['portlight.event.time'], 'known');
  t.is(lifecycle[1]!.time / 1_000_000n, time(StartedAt) / 1_000_000n);
  t.false(isConcluded(lifecycle[2]!));
});

test('events that the daemon remembers are reported as it sent them', async (t) => {
  const receiver = await Receiver.start();
  t.teardown(() => receiver.stop());
  const { docker, host } = await ownDaemon(t);
  const start = agents(t, host, receiver);
  const first = await start();
  const before = await create(docker, 'before');
  await waitFor('its creation', () => eventsOf(receiver, before.id).length === 1);
  await first.stop();
  await before.start();
  await before.kill();
  await before.wait();
  const during = await create(docker, 'during', 'exit 4');
  await during.start();
  await during.wait();
  await during.remove();
  await start();
  await waitFor('the last of them', () => actions(eventsOf(receiver, during.id)).includes('destroy'));
  t.deepEqual(actions(eventsOf(receiver, before.id)), ['create', 'start', 'kill', 'die']);
  t.deepEqual(actions(eventsOf(receiver, during.id)), ['create', 'start', 'die', 'destroy']);
  t.false(receiver.logs.some(isConcluded));
  const die = eventsOf(receiver, during.id)[2]!;
  t.is(die.attributes['process.exit.code'], 4);
  t.true(Number(die.attributes['docker.event.duration']) > 0, 'the start time is known');
});

for (const signal of ['SIGKILL', 'SIGTERM'] as const) {
  test(`the events of containers have no gap when the daemon ends by ${signal} and comes back`, async (t) => {
    const receiver = await Receiver.start();
    t.teardown(() => receiver.stop());
    const { docker, host, restart } = await ownDaemon(t);
    const start = agents(t, host, receiver);
    const obedient = 'trap exit TERM; while :; do sleep 0.05; done';
    const once = await create(docker, 'once', obedient);
    const always = await create(docker, 'always', obedient, {
      HostConfig: { RestartPolicy: { Name: 'always' } },
    });
    await once.start();
    await always.start();
    await start();
    await waitFor('both', () => receiver.logsOf('once').length > 0 && receiver.logsOf('always').length > 0);
    await restart(signal);
    await waitFor('the second run', () => actions(eventsOf(receiver, always.id)).includes('start'), 60_000);
    await waitFor('the end of the first', () => actions(eventsOf(receiver, once.id)).includes('die'));
    const ends = (id: string) =>
      actions(eventsOf(receiver, id)).filter((action) => ['die', 'start'].includes(action));
    t.deepEqual(ends(once.id), ['die']);
    t.deepEqual(ends(always.id), ['die', 'start']);
    const { attributes } = eventsOf(receiver, once.id).find(({ eventName }) => eventName.endsWith('.die'))!;
    // A daemon that is asked to stop stops its containers while it still answers.
    t.is(attributes['portlight.exit.reason'], signal === 'SIGKILL' ? 'daemon_restart' : 'stopped');
    const explanations = () =>
      receiver.logs.filter(({ eventName }) => eventName === 'portlight.container.stopped_by_daemon');
    if (signal === 'SIGTERM') {
      await waitFor('the explanation', () => explanations().length === 2);
      t.deepEqual(
        explanations()
          .map(({ resource }) => resource['container.name'])
          .sort(),
        ['always', 'once'],
      );
    } else t.is(explanations().length, 0);
    const uids = receiver.logs.map(({ attributes: { 'log.record.uid': uid } }) => uid).filter(Boolean);
    t.is(new Set(uids).size, uids.length, 'no event twice');
  });
}
