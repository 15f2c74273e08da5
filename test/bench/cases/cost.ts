/** Measures what the observation of 100 real containers costs a host, by the agent and by its peers. */

import { type ChildProcess, spawn } from 'node:child_process';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { errorMessage } from '../../../collectors/shared/error-message.ts';
import { freePort } from '../../support/port.ts';
import { makeTemporaryDirectory } from '../../support/temporary.ts';
import { waitFor } from '../../support/wait.ts';
import { type BenchHost, spawnObserver, startContainers, withHost } from '../agent.ts';
import type { Bench } from '../bench.ts';
import { benchPeers } from '../peers/index.ts';
import type { BenchPeer } from '../peers/peer.ts';
import { cpuOfAll, daemonProcesses, end, endTree, megabytes, treeOf } from '../process.ts';

const CONTAINERS = 100;
const INTERVAL_S = 10;
const WINDOW_S = 60;
/** Time until code is compiled and caches are full. */
const SETTLE_S = 30;
/** A peer that has not found all containers after this time has no figure. */
const LONGEST_START_MS = 180_000;

interface Cost {
  /** CPU of observer and daemon, less the daemon's when idle, µs per container and round. */
  readonly micros: number;
  /** CPU of the observer alone, µs per container and round. */
  readonly ownMicros: number;
  /** Resident memory, MB. */
  readonly rss: number;
}

/** Scrapes a page once an interval, as Prometheus does. */
function scrape(url: string): () => void {
  const timer = setInterval(() => {
    fetch(url)
      .then((response) => response.arrayBuffer())
      .catch(() => {});
  }, INTERVAL_S * 1000);
  return () => clearInterval(timer);
}

async function costOf(
  { dockerd }: BenchHost,
  observer: ChildProcess | undefined,
  idle: number,
): Promise<Cost & { readonly daemon: number }> {
  const daemon = daemonProcesses(dockerd.pid);
  await sleep(SETTLE_S * 1000);
  const own = observer === undefined ? [] : treeOf(observer.pid!);
  const before = { own: cpuOfAll(own), daemon: cpuOfAll(daemon) };
  await sleep(WINDOW_S * 1000);
  if (observer !== undefined && observer.exitCode !== null)
    throw new Error(`the observer has ended with ${observer.exitCode}`);
  const spent = { own: cpuOfAll(own) - before.own, daemon: cpuOfAll(daemon) - before.daemon };
  const rounds = (WINDOW_S / INTERVAL_S) * CONTAINERS;
  return {
    micros: (spent.own + spent.daemon - idle) / rounds,
    ownMicros: spent.own / rounds,
    rss: own.reduce((sum, pid) => sum + megabytes(pid), 0),
    daemon: spent.daemon,
  };
}

/** Waits until a peer has found all containers by name: some look them up one after the other. */
const untilComplete = (url: string) =>
  waitFor(
    `all containers at ${url}`,
    async () => {
      // A peer that is still starting may break off its answer.
      const page = await fetch(url)
        .then((response) => response.text())
        .catch(() => '');
      return new Set(page.match(/bench-\d+/g)).size >= CONTAINERS;
    },
    LONGEST_START_MS,
  );

async function costOfPeer(host: BenchHost, peer: BenchPeer, binary: string, idle: number): Promise<Cost> {
  const { path: data, remove } = makeTemporaryDirectory();
  const { argv, env, ...command } = await peer.metrics!({
    binary,
    dockerHost: host.dockerd.host,
    intervalSeconds: INTERVAL_S,
    endpoint: host.receiver.endpoint,
    port: await freePort(),
    data,
  });
  const [program, ...args] = argv;
  const child = spawn(program, args, { env: { PATH: process.env.PATH, ...env }, stdio: 'ignore' });
  const stop = command.scrape === undefined ? () => {} : scrape(command.scrape);
  try {
    if (command.scrape !== undefined) await untilComplete(command.scrape);
    return await costOf(host, child, idle);
  } finally {
    stop();
    await endTree(child);
    remove();
  }
}

export const bench: Bench = {
  title: 'What observing costs the host',
  runsPeers: true,
  about: `
CPU time of the observer, dockerd and containerd together, less the daemon's idle CPU time, on a host with ${CONTAINERS}
sleeping containers. Metrics every ${INTERVAL_S} s, measured for ${WINDOW_S} s after ${SETTLE_S} s. Portlight runs with its
defaults: it also follows logs and events, evaluates alert rules and keeps a history for the dashboard. The stats API
baseline requests one-shot statistics once per container and interval and does nothing else. Peers collect the metrics
that they share with Portlight and nothing else. The daemon's idle CPU time varies from minute to minute by about 30 µs per
container and round; that is why observer and daemon together can be less than the observer alone.`,
  run: (setting) =>
    withHost(async (host) => {
      const { dockerd, docker, receiver } = host;
      const costOfEnding = (observer: ChildProcess, idle: number) =>
        costOf(host, observer, idle).finally(() => end(observer));
      await startContainers(docker, CONTAINERS);
      setting.say('what the daemon takes when nobody asks');
      const idle = (await costOf(host, undefined, 0)).daemon;

      setting.say('Portlight');
      const agent = spawnObserver(setting, {
        endpoint: receiver.endpoint,
        dockerHost: dockerd.host,
        interval: `${INTERVAL_S}s`,
        name: 'cost',
      });
      const ours = await costOfEnding(agent, idle);

      const others: Record<string, Cost> = {};
      setting.say('the stats API');
      const poller = spawn(process.execPath, [
        join(import.meta.dirname, '../workers/stats-api.ts'),
        new URL(dockerd.host).pathname,
        `${INTERVAL_S * 1000}`,
      ]);
      others['stats API'] = await costOfEnding(poller, idle);
      for (const peer of benchPeers) {
        const found = setting.peers[peer.name]!;
        if (peer.metrics === undefined || 'absent' in found) continue;
        setting.say(peer.name);
        const cost = await costOfPeer(host, peer, found.binary, idle).catch((error) =>
          setting.say(`${peer.name}: ${errorMessage(error)}`),
        );
        if (cost !== undefined) others[peer.name] = cost;
      }
      const beside = (of: (cost: Cost) => number) =>
        Object.fromEntries(Object.entries(others).map(([name, cost]) => [name, of(cost)]));
      return {
        rows: [
          {
            what: 'CPU per container and round, observer and daemon',
            value: ours.micros,
            unit: 'µs',
            beside: beside(({ micros }) => micros),
            target: { most: 60, times: { 'stats API': 50, cAdvisor: 3 } },
          },
          {
            what: 'observer alone',
            value: ours.ownMicros,
            unit: 'µs',
            beside: beside(({ ownMicros }) => ownMicros),
          },
          {
            what: 'CPU of the observer, share of a core',
            value: (100 * ours.ownMicros * CONTAINERS) / (INTERVAL_S * 1e6),
            unit: '%',
            beside: beside(({ ownMicros }) => (100 * ownMicros * CONTAINERS) / (INTERVAL_S * 1e6)),
            target: { most: 0.3 },
          },
          { what: 'resident memory', value: ours.rss, unit: 'MB', beside: beside(({ rss }) => rss) },
        ],
      };
    }),
};
