/** Measures memory over time while containers start, write and end. */

import { setTimeout as sleep } from 'node:timers/promises';
import type Docker from 'dockerode';
import { BENCH_IMAGE, spawnObserver, startContainers, withHost } from '../agent.ts';
import type { Bench } from '../bench.ts';
import { cpuMicros, end, megabytes } from '../process.ts';

const CONTAINERS = 20;
const SAMPLE_MS = 10_000;
/** Part of the time after which caches, history and compiled code have reached their size. */
const GROWN = 1 / 3;

/** A container that writes 100 lines a second until it is replaced. */
async function writer(docker: Docker, index: number): Promise<Docker.Container> {
  const container = await docker.createContainer({
    name: `soak-${index}`,
    Image: BENCH_IMAGE,
    Cmd: [
      'sh',
      '-c',
      'while :; do for i in 0 1 2 3 4 5 6 7 8 9; do echo "line $i of some text"; done; sleep 0.1; done',
    ],
    HostConfig: { LogConfig: { Type: 'json-file', Config: { 'max-size': '1m', 'max-file': '2' } } },
  });
  await container.start();
  return container;
}

/** Change per hour: slope of the least-squares line. */
function slope(points: readonly (readonly [number, number])[]): number {
  const mean = (of: (point: readonly [number, number]) => number) =>
    points.reduce((sum, point) => sum + of(point), 0) / points.length;
  const x = mean(([minute]) => minute);
  const y = mean(([, value]) => value);
  const above = points.reduce((sum, [minute, value]) => sum + (minute - x) * (value - y), 0);
  const below = points.reduce((sum, [minute]) => sum + (minute - x) ** 2, 0);
  return (60 * above) / below;
}

export const bench: Bench = {
  title: 'Memory over time',
  about: `
${CONTAINERS} sleeping containers, and one that writes 100 lines a second into rotated logs for five seconds and is then
replaced. Metrics every second: ten times the default rate, and about 700 containers an hour. The slope covers the last two
thirds of the time.`,
  run: (setting) =>
    withHost(async ({ dockerd, docker, receiver }) => {
      const agent = spawnObserver(setting, {
        endpoint: receiver.endpoint,
        dockerHost: dockerd.host,
        interval: '1s',
        name: 'soak',
      });
      try {
        await startContainers(docker, CONTAINERS);
        const rss: [number, number][] = [];
        const own: [number, number][] = [];
        const begun = Date.now();
        const sample = () => {
          const minute = (Date.now() - begun) / 60_000;
          rss.push([minute, megabytes(agent.pid!)]);
          own.push([minute, megabytes(agent.pid!, 'RssAnon')]);
        };
        const timer = setInterval(sample, SAMPLE_MS);
        let lives = 0;
        while (Date.now() - begun < setting.minutes * 60_000) {
          const container = await writer(docker, lives++);
          await sleep(5000);
          await container.remove({ force: true });
        }
        clearInterval(timer);
        sample();
        const { records } = await receiver.counts();
        const late = ([minute]: readonly [number, number]) => minute > setting.minutes * GROWN;
        return {
          rows: [
            { what: 'minutes', value: setting.minutes, unit: '' },
            { what: 'containers started and removed', value: lives, unit: '' },
            { what: 'log records and events', value: records, unit: '' },
            { what: 'resident memory at the end', value: rss.at(-1)![1], unit: 'MB' },
            { what: 'peak', value: megabytes(agent.pid!, 'VmHWM'), unit: 'MB' },
            { what: "slope of the agent's own memory", value: slope(own.filter(late)), unit: 'MB/h' },
            {
              what: 'CPU, share of a core',
              value: cpuMicros(agent.pid!) / (Date.now() - begun) / 10,
              unit: '%',
            },
          ],
          plot: {
            title: 'Memory over time',
            xLabel: 'minutes',
            yLabel: 'MB',
            curves: [
              { name: 'resident', points: rss },
              { name: 'its own', points: own },
            ],
          },
        };
      } finally {
        await end(agent);
      }
    }),
};
