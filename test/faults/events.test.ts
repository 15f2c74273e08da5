/** Events through a storm: daemon and agent are killed again and again, and every history is whole. */
import { setTimeout as sleep } from 'node:timers/promises';
import test from 'ava';
import type Docker from 'dockerode';
import { importBusybox } from '../../agent/setup/images.ts';
import { AgentProcess, listenUrl, startAgent } from '../support/agent.ts';
import { IMAGE } from '../support/docker.ts';
import { ownDaemon } from '../support/dockerd.ts';
import { type ReceivedLog, Receiver } from '../support/receiver.ts';
import { temporaryDirectory } from '../support/temporary.ts';
import { waitFor } from '../support/wait.ts';

const KILLS = 10;
const WORKERS = 3;
/** Containers that there are at a time, at most. */
const CROWD = 12;
const CALM_MS = 1500;
/** Ends when it is told to, so that a daemon that comes back does not wait for it. */
const OBEDIENT = 'trap exit TERM; while :; do sleep 1 & wait; done';

/** What the test itself knows of a container. */
interface Deed {
  /** Undefined where the daemon was killed before it answered. */
  readonly id: string | undefined;
  readonly name: string;
  started: 'no' | 'yes' | 'perhaps';
  removed: 'no' | 'yes' | 'perhaps';
}

class Storm {
  readonly deeds: Deed[] = [];
  private readonly docker: Docker;
  private readonly crowd: Deed[] = [];
  private isOver = false;
  private workers: Promise<void>[] = [];

  constructor(docker: Docker) {
    this.docker = docker;
  }

  begin(): void {
    this.workers = Array.from({ length: WORKERS }, () => this.work());
  }

  async end(): Promise<void> {
    this.isOver = true;
    await Promise.all(this.workers);
  }

  private async work(): Promise<void> {
    while (!this.isOver) {
      try {
        await this.make();
        if (this.crowd.length > CROWD) await this.remove(this.crowd.shift()!);
      } catch {
        // The daemon is away.
        await sleep(50);
      }
    }
  }

  private async make(): Promise<void> {
    const name = `storm${this.deeds.length}`;
    // The numbers are given before the answers come.
    const slot = this.deeds.push({ id: undefined, name, started: 'no', removed: 'no' }) - 1;
    const { id } = await this.docker.createContainer({ name, Image: IMAGE, Cmd: ['sh', '-c', OBEDIENT] });
    const deed: Deed = { id, name, started: 'perhaps', removed: 'no' };
    this.deeds[slot] = deed;
    this.crowd.push(deed);
    await this.docker.getContainer(id).start();
    deed.started = 'yes';
  }

  private async remove(deed: Deed): Promise<void> {
    deed.removed = 'perhaps';
    await this.docker.getContainer(deed.id!).remove({ force: true });
    deed.removed = 'yes';
  }
}

const nanos = (text: string): bigint => BigInt(Date.parse(text)) * 1_000_000n;
const near = (a: bigint, b: bigint): boolean => a - b < 3_000_000_000n && b - a < 3_000_000_000n;
const actionOf = ({ eventName }: ReceivedLog): string => eventName.replace('docker.container.', '');

/** The events that make a history, each once: repeats are recognised by their uid, as a receiver would. */
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

/** None of them is started twice: what comes more often is made up. */
const LEGAL = /^create( start( die)?)?( destroy)?$/;
/** Events under way when an agent is killed come again with the same uid; so many of them at most for each kill. */
const UNDER_WAY = 10;

test.serial(
  'daemon and agent killed in turns, ten times each, in a storm of starts and removals',
  async (t) => {
    t.timeout(300_000);
    const receiver = await Receiver.start();
    t.teardown(() => receiver.stop());
    const daemon = await ownDaemon(t);
    const data = temporaryDirectory(t);
    let agent: AgentProcess | undefined;
    const startOne = async () => {
      agent = new AgentProcess(
        [
          'run',
          '--docker-host',
          daemon.host,
          '--data-dir',
          data,
          '--listen',
          '127.0.0.1:0',
          '--interval',
          '1s',
        ],
        { OTEL_EXPORTER_OTLP_ENDPOINT: receiver.endpoint('http') },
        data,
      );
      await listenUrl(agent);
    };
    t.teardown(() => agent?.kill('SIGKILL'));
    const isReady = async () => (await fetch(`${await listenUrl(agent!)}/readyz`)).ok;
    await startOne();
    await waitFor('the agent', isReady, 60_000);
    const storm = new Storm(daemon.docker);
    storm.begin();
    for (let kill = 0; kill < KILLS; kill++) {
      await sleep(CALM_MS * (0.5 + Math.random()));
      agent!.kill('SIGKILL');
      await agent!.exit;
      await sleep(200 + 500 * Math.random());
      await startOne();
      await sleep(CALM_MS * (0.5 + Math.random()));
      await daemon.restart('SIGKILL');
    }
    await sleep(CALM_MS);
    await storm.end();
    await waitFor('the agent', isReady, 60_000);

    const listed = await daemon.docker.listContainers({ all: true });
    const found = new Map<string, Docker.ContainerInspectInfo>();
    for (const { Id } of listed) found.set(Id, await daemon.docker.getContainer(Id).inspect());
    const story = (id: string) => histories(receiver).get(id) ?? [];
    const words = (id: string) => story(id).map(actionOf).join(' ');
    const open = () =>
      storm.deeds.filter(({ id, removed }) => {
        if (id === undefined) return false;
        const state = found.get(id)?.State;
        if (state !== undefined && !state.Running && !state.StartedAt.startsWith('0001'))
          return !words(id).endsWith('die');
        if (removed === 'perhaps') return false;
        return removed === 'yes' ? !/^$|destroy$/.test(words(id)) : words(id) === '';
      });
    await waitFor('the last events', () => open().length === 0, 90_000).catch(() => {
      // An agent that is killed as it tells of a creation leaves no word of it to the next one, and that finds nothing of what
      // has gone before it came.
      const unexplained = open().filter(({ id }) => words(id!) !== 'create');
      t.deepEqual(
        unexplained.map(({ id, name }) => `${name}: ${words(id!)}`),
        [],
      );
    });

    const details = (id: string) =>
      story(id)
        .map(
          (event) => `${actionOf(event)} ${event.time} ${event.attributes['portlight.event.time'] ?? 'told'}`,
        )
        .join('; ');
    let told = 0;
    const unseen: string[] = [];
    for (const { id, name, started, removed } of storm.deeds) {
      if (id === undefined) continue;
      const history = words(id);
      const state = found.get(id)?.State;
      if (state === undefined) {
        // One that came and went while nobody watched leaves nothing to conclude it from.
        if (history === '' || history === 'create') continue;
        t.regex(history, LEGAL, `${name}: ${details(id)}`);
        t.true(history.endsWith('destroy'), `${name} is gone: ${history}`);
      } else {
        t.not(removed, 'yes');
        t.regex(history, LEGAL, `${name}: ${details(id)}`);
        t.false(history.endsWith('destroy'), `${name} is there: ${history}`);
        const last = (action: string) => story(id).findLast((event) => actionOf(event) === action);
        // A daemon can be killed after it told of a start and before it wrote that down.
        if (state.StartedAt.startsWith('0001'))
          t.true(started === 'perhaps' || last('start') === undefined, name);
        else t.true(near(last('start')!.time, nanos(state.StartedAt)), `${name} started ${state.StartedAt}`);
        if (state.Running) t.true(history.endsWith('start'), `${name} runs: ${history}`);
        else if (!state.StartedAt.startsWith('0001')) {
          t.true(near(last('die')!.time, nanos(state.FinishedAt)), `${name} ended ${state.FinishedAt}`);
          // A daemon that was killed before it wrote the exit code down says 255 afterwards, or, in the middle of a
          // removal, 0.
          const code = last('die')!.attributes['process.exit.code'];
          const isForgotten = state.ExitCode === 255 || removed === 'perhaps';
          t.true(isForgotten || code === state.ExitCode, `${name}: ${code} ${state.ExitCode}`);
        }
      }
      // Of one that was started and removed while nobody watched it is only known that it was there.
      if (state === undefined && started === 'yes' && !history.includes(' start')) unseen.push(name);
      else if (started === 'yes') t.regex(history, / start/, `${name} was started: ${history}`);
      told++;
    }
    const isUnseen = (id: string) => words(id) === '' || (words(id) === 'create' && !found.has(id));
    const silent = storm.deeds.filter(({ id }) => id !== undefined && isUnseen(id)).length;
    const raw = receiver.logs.filter(({ eventName }) => eventName.startsWith('docker.container.'));
    const distinct = new Set(raw.map(({ attributes }) => attributes['log.record.uid'])).size;
    t.log(
      `${storm.deeds.length} containers, ${told} told of, ${silent} came and went unseen; ${raw.length} events, ${raw.length - distinct} repeats with the same uid`,
    );
    t.true(raw.length - distinct <= KILLS * UNDER_WAY);
    t.true(told > 20);
    t.true(silent + unseen.length <= told / 10, unseen.join(' '));
  },
);

test.serial('2,000 events in a burst, none lost and none twice', async (t) => {
  const receiver = await Receiver.start();
  t.teardown(() => receiver.stop());
  // Of its own: a daemon remembers 256 events, which others' tests need.
  const { docker, host } = await ownDaemon(t);
  await startAgent(t, {
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
  const of = (event: string) =>
    receiver.logs.filter(
      ({ eventName, attributes }) =>
        eventName === event &&
        attributes['docker.actor.id'] === Id &&
        attributes['docker.actor.name'] !== `${repository}:base`,
    );
  const untagged = () => of('docker.image.untag');
  await waitFor(
    'all of them',
    () => of('docker.image.tag').length >= 1000 && untagged().length >= 1000,
    60_000,
  );
  const uids = [...of('docker.image.tag'), ...untagged()].map(
    ({ attributes }) => attributes['log.record.uid'],
  );
  t.is(of('docker.image.tag').length, 1000);
  t.is(untagged().length, 1000);
  t.is(new Set(uids).size, uids.length);
});
