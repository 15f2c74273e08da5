/** Events through a storm: daemon and agent are killed again and again, and no history is lost that can be known. */
import { setTimeout as sleep } from 'node:timers/promises';
import test from 'ava';
import type Docker from 'dockerode';
import { importBusybox } from '../../agent/setup/images.ts';
import { AgentProcess, listenUrl, spawnAgent } from '../support/agent.ts';
import { ownDaemon } from '../support/dockerd.ts';
import { type ReceivedLog, Receiver } from '../support/receiver.ts';
import { AT_RISK_MS, isBlind, Outages, Storm, type StormContainer } from '../support/storm.ts';
import { temporaryDirectory } from '../support/temporary.ts';
import { waitFor } from '../support/wait.ts';

const KILLS = 10;
const CALM_MS = 1500;
/** How long after a kill the receiver can still read what the agent sent before, ms. */
const IN_FLIGHT_MS = 250;

const nanos = (text: string): bigint => BigInt(Date.parse(text)) * 1_000_000n;
const near = (a: bigint, b: bigint): boolean => a - b < 3_000_000_000n && b - a < 3_000_000_000n;
const actionOf = ({ eventName }: ReceivedLog): string => eventName.replace('docker.container.', '');

/** The events that make a history, each once: a receiver recognises repeats by their uid. */
function histories(receiver: Receiver): Map<string, ReceivedLog[]> {
  const seen = new Set<unknown>();
  const all = new Map<string, ReceivedLog[]>();
  for (const event of receiver.logs) {
    if (!/^docker\.container\.(create|start|die|destroy)$/.test(event.eventName)) continue;
    const uid = event.attributes['log.record.uid'];
    if (seen.has(uid)) continue;
    seen.add(uid);
    const id = String(event.resource['container.id']);
    all.set(id, [...(all.get(id) ?? []), event]);
  }
  return all;
}

/** The history of a container that exists, and of one that was removed. None is started twice. */
const EXISTING = /^create( start( die)?)?$/;
const REMOVED = /^create( start die)? destroy$/;
/** What can be left of a container if nothing remembers its creation and its removal. */
const FRAGMENT = /^(create( start( die)?)?( destroy)?)?$/;

/** Events that were received before, with the first receipt. */
function repeats(receiver: Receiver): { first: ReceivedLog; again: ReceivedLog }[] {
  const received = new Map<string, ReceivedLog>();
  return receiver.logs.flatMap((event) => {
    if (!event.eventName.startsWith('docker.container.')) return [];
    const uid = String(event.attributes['log.record.uid']);
    const first = received.get(uid);
    if (first === undefined) received.set(uid, event);
    return first === undefined ? [] : [{ first, again: event }];
  });
}

const receiptOf = ({ at, observedTime, attributes }: ReceivedLog): string =>
  `at ${at}, observed at ${observedTime}, ${attributes['portlight.event.time'] ?? 'sent by the daemon'}`;

test.serial(
  'daemon and agent are killed ten times each: every history is whole that one of them can know',
  async (t) => {
    t.timeout(400_000);
    const receiver = await Receiver.start();
    t.teardown(() => receiver.stop());
    const daemon = await ownDaemon(t);
    const data = temporaryDirectory(t);
    let agent: AgentProcess | undefined;
    const startOne = async () => {
      const args = ['run', '--docker-host', daemon.host, '--data-dir', data, '--listen', '127.0.0.1:0'];
      const variables = { OTEL_EXPORTER_OTLP_ENDPOINT: receiver.endpoint('http') };
      agent = new AgentProcess([...args, '--interval', '1s'], variables, data);
      await listenUrl(agent);
    };
    t.teardown(() => agent?.kill('SIGKILL'));
    const isReady = async () => (await fetch(`${await listenUrl(agent!)}/readyz`)).ok;
    await startOne();
    await waitFor('the agent', isReady, 60_000);
    const outages = new Outages(isReady);
    const storm = new Storm(daemon.docker);
    storm.start();
    for (let kill = 0; kill < KILLS; kill++) {
      await sleep(CALM_MS * (0.5 + Math.random()));
      outages.agentKilled();
      agent!.kill('SIGKILL');
      await agent!.exit;
      await sleep(200 + 500 * Math.random());
      await startOne();
      // Every other agent has caught up when its daemon is killed; the others need not have.
      if (kill % 2 === 0) await waitFor('the agent to catch up', isReady, 60_000);
      await sleep(CALM_MS * (0.5 + Math.random()));
      outages.daemonKilled();
      await daemon.restart('SIGKILL');
    }
    await sleep(CALM_MS);
    await storm.stop();
    await waitFor('the agent', isReady, 60_000);
    await outages.stop();

    const blind = outages.blindIntervals(storm.containers);
    const listed = await daemon.docker.listContainers({ all: true });
    const found = new Map<string, Docker.ContainerInspectInfo>();
    for (const { Id } of listed) found.set(Id, await daemon.docker.getContainer(Id).inspect());
    /** Whether an agent received the event within a second before it was killed: it may not have stored that. */
    const isAtRisk = ({ observedTime }: ReceivedLog) =>
      outages.agentKills.some((kill) => {
        const observed = Number(observedTime / 1_000_000n);
        return observed > kill - AT_RISK_MS && observed <= kill + IN_FLIGHT_MS;
      });
    /** A start that was at risk, and whose event the daemon forgot when it was killed, is concluded once more. */
    const isConcludedAgain = (event: ReceivedLog, before: ReceivedLog | undefined) =>
      actionOf(event) === 'start' &&
      event.attributes['portlight.event.time'] !== undefined &&
      before !== undefined &&
      actionOf(before) === 'start' &&
      near(event.time, before.time) &&
      isAtRisk(before);
    const events = (id: string) =>
      (histories(receiver).get(id) ?? []).filter(
        (event, index, all) => !isConcludedAgain(event, all[index - 1]),
      );
    const words = (id: string) => events(id).map(actionOf).join(' ');
    const details = (id: string) =>
      events(id)
        .map(
          (event) =>
            `${actionOf(event)} ${event.attributes['log.record.uid']} observed at ${event.observedTime / 1_000_000n}, received at ${Math.round(event.at)}`,
        )
        .join('; ');
    const hasStarted = (id: string) => !(found.get(id)?.State.StartedAt ?? '0001').startsWith('0001');
    /** Whether nothing can be known of a container: its creation and its removal are in times that nothing remembers. */
    const isUnknowable = ({ id, creation, removal }: StormContainer) =>
      !found.has(id!) && isBlind(creation, blind) && isBlind(removal, blind);
    const wrong = (container: StormContainer): string | undefined => {
      const { id, name, started } = container;
      if (id === undefined) return undefined;
      const history = words(id);
      const isRunning = found.get(id)?.State.Running === true;
      // Whether a start was reported of which only the daemon knows that was killed: it may have been lost with it.
      const isStartKnown = started === 'yes' && (found.has(id) || !isBlind(container.start, blind));
      // A daemon can be killed after it reported a start and before it stored that.
      const isEndRight = hasStarted(id)
        ? history.endsWith(isRunning ? 'start' : 'die')
        : started !== 'yes' || !history.includes('start');
      const isWhole = found.has(id)
        ? EXISTING.test(history) && isEndRight
        : REMOVED.test(history) && (!isStartKnown || history.includes('start'));
      const isExpected = isUnknowable(container) ? FRAGMENT.test(history) : isWhole;
      return isExpected ? undefined : `${name}: ${history}`;
    };
    const allWrong = () => storm.containers.map(wrong).filter((each) => each !== undefined);
    await waitFor('the last events', () => allWrong().length === 0, 90_000).catch(() => {});
    const byName = new Map(storm.containers.map((container) => [container.name, container]));
    const timeline = [
      `agents killed at ${outages.agentKills.join(' ')}`,
      ...blind.map(({ from, to }) => `${from} to ${to}: blind`),
      ...allWrong().flatMap((text) => {
        const container = byName.get(text.split(':')[0]!)!;
        return [`${text} ${JSON.stringify(container)}`, details(container.id!)];
      }),
    ];
    t.deepEqual(allWrong(), [], timeline.join('\n'));

    for (const { id, name, removed } of storm.containers) {
      const state = found.get(id ?? '')?.State;
      if (state === undefined || !hasStarted(id!)) continue;
      t.not(removed, 'yes');
      const last = (action: string) => events(id!).findLast((event) => actionOf(event) === action)!;
      t.true(near(last('start').time, nanos(state.StartedAt)), `${name} started ${state.StartedAt}`);
      if (state.Running) continue;
      t.true(near(last('die').time, nanos(state.FinishedAt)), `${name} exited ${state.FinishedAt}`);
      // A daemon that was killed before it stored the exit code reports 255 afterwards, or, in the middle of a
      // removal, 0.
      const code = last('die').attributes['process.exit.code'];
      const isForgotten = state.ExitCode === 255 || removed === 'perhaps';
      t.true(isForgotten || code === state.ExitCode, `${name}: ${code} ${state.ExitCode}`);
    }

    const unknowable = storm.containers.filter(
      (container) => container.id !== undefined && isUnknowable(container),
    ).length;
    const created = storm.containers.filter(({ id }) => id !== undefined).length;
    const repeated = repeats(receiver);
    t.log(
      `${created} containers, ${unknowable} of which nothing can know; ${repeated.length} events repeated`,
    );
    t.true(created > 20);
    t.true(unknowable < created / 2, 'most of the storm has to be known');
    const isJustDelivered = ({ at }: ReceivedLog) =>
      outages.agentKills.some((kill) => at > kill - AT_RISK_MS && at < kill + IN_FLIGHT_MS);
    const unexplained = repeated.filter(({ first }) => !isAtRisk(first) && !isJustDelivered(first));
    t.deepEqual(
      unexplained.map(
        ({ first, again }) =>
          `${first.attributes['log.record.uid']}: ${receiptOf(first)}; again ${receiptOf(again)}`,
      ),
      [],
      `agents killed at ${outages.agentKills.join(' ')}`,
    );
  },
);

test.serial('2,000 events in a burst, none lost and none twice', async (t) => {
  const receiver = await Receiver.start();
  t.teardown(() => receiver.stop());
  // A daemon for this test alone: it remembers 256 events, and other tests need theirs.
  const { docker, host } = await ownDaemon(t);
  await spawnAgent(t, {
    args: ['--docker-host', host],
    variables: { OTEL_EXPORTER_OTLP_ENDPOINT: receiver.endpoint('http') },
  });
  const repository = 'burst';
  await importBusybox(docker, repository, 'base');
  const image = docker.getImage(`${repository}:base`);
  const { Id } = await image.inspect();
  const tags = Array.from({ length: 1000 }, (_, index) => `t${index}`);
  const inParallel = async (act: (tag: string) => Promise<unknown>) => {
    const queue = [...tags];
    const next = async () => {
      for (let tag = queue.pop(); tag !== undefined; tag = queue.pop()) await act(tag);
    };
    await Promise.all(Array.from({ length: 8 }, next));
  };
  await inParallel((tag) => image.tag({ repo: repository, tag }));
  await inParallel((tag) => docker.getImage(`${repository}:${tag}`).remove());
  const eventsOf = (event: string) =>
    receiver.logs.filter(
      ({ eventName, attributes }) =>
        eventName === event &&
        attributes['docker.actor.id'] === Id &&
        attributes['docker.actor.name'] !== `${repository}:base`,
    );
  const untagged = () => eventsOf('docker.image.untag');
  await waitFor(
    'all of them',
    () => eventsOf('docker.image.tag').length >= 1000 && untagged().length >= 1000,
    60_000,
  );
  const uids = [...eventsOf('docker.image.tag'), ...untagged()].map(
    ({ attributes }) => attributes['log.record.uid'],
  );
  t.is(eventsOf('docker.image.tag').length, 1000);
  t.is(untagged().length, 1000);
  t.is(new Set(uids).size, uids.length);
});
