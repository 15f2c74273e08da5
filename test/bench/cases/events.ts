/** Measures the time from an event of the daemon to its arrival at a receiver. */
import { setTimeout as sleep } from 'node:timers/promises';
import type Docker from 'dockerode';
import { readEvents } from '../../../collectors/docker/event-stream.ts';
import { Receiver } from '../../support/receiver.ts';
import { waitFor } from '../../support/wait.ts';
import { BENCH_IMAGE, spawnObserver, startContainers, withBenchDaemon } from '../agent.ts';
import { type Bench, type Figure, quantile } from '../bench.ts';
import { end } from '../process.ts';

const CONTAINERS = 100;
const SECONDS = 30;
/** Time until the agent's hot code is compiled. */
const WARM_UP_SECONDS = 10;
/** A restart is seven events; a pause with its end is two. */
const PAUSES_PER_SECOND = 18;
const RESTARTS_PER_SECOND = 2;
const BURST = 2000;
const SHARES = Array.from({ length: 99 }, (_, index) => (index + 1) / 100);

const nowMs = (): number => performance.timeOrigin + performance.now();
const ms = (nanos: bigint): number => Number(nanos / 1000n) / 1000;

/** About 50 events a second. */
async function stir(containers: readonly Docker.Container[], seconds: number): Promise<void> {
  const under: Promise<unknown>[] = [];
  const some = (index: number) => containers[index % containers.length]!;
  const end = Date.now() + seconds * 1000;
  for (let tick = 0; Date.now() < end; tick++) {
    const container = some(tick * 7);
    under.push(
      container
        .pause()
        .then(() => container.unpause())
        .catch(() => {}),
    );
    if (tick % (PAUSES_PER_SECOND / RESTARTS_PER_SECOND) === 0)
      under.push(
        some(tick * 7 + 3)
          .restart({ t: 1 })
          .catch(() => {}),
      );
    await sleep(1000 / PAUSES_PER_SECOND);
  }
  await Promise.all(under);
}

/** Tags an image and removes the tag, `count` times: two events each. */
async function burst(docker: Docker): Promise<void> {
  const image = docker.getImage(BENCH_IMAGE);
  const tags = Array.from({ length: BURST / 2 }, (_, index) => `t${index}`);
  const inParallel = async (act: (tag: string) => Promise<unknown>) => {
    const queue = [...tags];
    const next = async () => {
      for (let tag = queue.pop(); tag !== undefined; tag = queue.pop()) await act(tag);
    };
    await Promise.all(Array.from({ length: 8 }, next));
  };
  await inParallel((tag) => image.tag({ repo: 'burst', tag }));
  await inParallel((tag) => docker.getImage(`burst:${tag}`).remove());
}

export const bench: Bench = {
  title: 'Events',
  about: `
Containers are paused, unpaused and restarted on a host with ${CONTAINERS} containers. Age on arrival is the time from the
daemon's time stamp to the receiver, with the whole agent and metrics every 10 s. "Bare reader" reads \`GET /events\` and
discards it, in the process that causes the events. A burst adds tags to an image and removes them as fast as the daemon
can.`,
  run: (setting) =>
    withBenchDaemon(async (dockerd, docker) => {
      const receiver = await Receiver.start();
      const reading = new AbortController();
      const agent = spawnObserver(setting, {
        endpoint: receiver.endpoint('http'),
        dockerHost: dockerd.host,
        name: 'events',
      });
      try {
        const containers = await startContainers(docker, CONTAINERS);
        const isEvent = ({ eventName }: { eventName: string }) => eventName.startsWith('docker.');
        await stir(containers, WARM_UP_SECONDS);
        const bare: number[] = [];
        const since = BigInt(Date.now()) * 1_000_000n;
        const reader = (async () => {
          for await (const { timeNano } of readEvents(docker, since, reading.signal, () => {}))
            bare.push(nowMs() - ms(BigInt(timeNano)));
        })().catch(() => {});
        const before = receiver.logs.length;
        const begun = Date.now();
        await stir(containers, SECONDS);
        const took = (Date.now() - begun) / 1000;
        await sleep(500);
        reading.abort();
        await reader;
        const events = receiver.logs.slice(before).filter(isEvent);
        const ages = events.map(({ at, time }) => at - ms(time));

        setting.say('a burst');
        const beforeBurst = receiver.logs.length;
        const burstBegun = Date.now();
        await burst(docker);
        const burstTook = (Date.now() - burstBegun) / 1000;
        const arrived = () =>
          receiver.logs
            .slice(beforeBurst)
            .filter(({ eventName }) => /^docker\.image\.(un)?tag$/.test(eventName)).length;
        // A loss shows in the table.
        await waitFor('the burst', () => arrived() >= BURST).catch(() => {});
        const late = Math.max(0, nowMs() - burstBegun - burstTook * 1000);

        const age = (part: number, most: number): Figure => ({
          what: `age on arrival, ${part * 100} %`,
          value: quantile(ages, part),
          unit: 'ms',
          beside: { 'bare reader': quantile(bare, part) },
          target: { most },
        });
        const curve = (values: readonly number[]) =>
          SHARES.map((share) => [share * 100, quantile(values, share)] as const);
        return {
          rows: [
            { what: 'events a second', value: events.length / took, unit: '' },
            age(0.5, 10),
            age(0.99, 50),
            { what: 'a burst: events that arrived', value: arrived(), unit: '', target: { least: BURST } },
            { what: 'a burst: events a second', value: BURST / burstTook, unit: '' },
            { what: 'a burst: delay of the last event', value: late, unit: 'ms' },
          ],
          plot: {
            title: 'Age of events on arrival',
            xLabel: 'share of events, %',
            yLabel: 'ms',
            curves: [
              { name: 'Portlight', points: curve(ages) },
              { name: 'bare reader', points: curve(bare) },
            ],
          },
        };
      } finally {
        reading.abort();
        await end(agent);
        await receiver.stop();
      }
    }),
};
