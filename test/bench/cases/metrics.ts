/** Measures rounds of metrics over many cgroups, without a daemon. Needs root. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { makeTemporaryDirectory } from '../../support/temporary.ts';
import { profiling, spawnObserver } from '../agent.ts';
import type { Bench, BenchInput, Figure } from '../bench.ts';
import { type MadeContainer, withCgroups } from '../cgroups.ts';
import { cpuMicros, end, megabytes } from '../process.ts';
import { startReceiver } from '../receiver.ts';
import { runWorker } from '../worker.ts';

const COUNTS = [10, 100, 300, 1000];
const INTERVAL_S = 10;
const SETTLE_S = 60;
const WINDOW_S = 60;

export interface RoundsTask {
  readonly containers: readonly MadeContainer[];
  /**
   * `at work`: the agent with busy containers; `sdk`: the same points observed and serialized by the OpenTelemetry SDK;
   * `read`: the files are only read.
   */
  readonly way: 'agent' | 'at work' | 'sdk' | 'read';
}

export interface RoundsResult {
  /** CPU time of a round per container, µs. */
  readonly cpuMicros: number;
  readonly longestBlockMs: number;
  readonly descriptors: number;
  /** Points per container. */
  readonly points: number;
}

/** The rounds alone; bench:guard uses it too. */
export const roundsOver = (
  count: number,
  ways: readonly RoundsTask['way'][],
  profiles?: string,
): Promise<RoundsResult[]> =>
  withCgroups(count, async (containers) => {
    const results: RoundsResult[] = [];
    for (const way of ways) {
      const task: RoundsTask = { containers, way };
      const flags = way === 'agent' ? profiling(profiles, `metrics-${count}`) : [];
      results.push(await runWorker('rounds', task, { flags }));
    }
    return results;
  });

/** The whole agent, which finds the cgroups without a daemon. */
async function wholeAgent(setting: BenchInput, count: number): Promise<Figure[]> {
  const receiver = await startReceiver();
  const directory = makeTemporaryDirectory();
  const report = join(directory.path, 'loop.json');
  const agent = spawnObserver(setting, {
    endpoint: receiver.endpoint,
    dockerHost: 'none',
    interval: `${INTERVAL_S}s`,
    name: `metrics-agent-${count}`,
    flags: [`--import=${join(import.meta.dirname, '../workers/loop-delay.mjs')}`],
    env: { LOOP_DELAY_REPORT: report },
  });
  try {
    await sleep(SETTLE_S * 1000);
    const before = cpuMicros(agent.pid!);
    await sleep(WINDOW_S * 1000);
    const cpu = (cpuMicros(agent.pid!) - before) / (WINDOW_S / INTERVAL_S);
    const rss = megabytes(agent.pid!);
    // The measurement of the loop costs CPU itself, so it comes last.
    agent.kill('SIGUSR2');
    await sleep(WINDOW_S * 1000);
    agent.kill('SIGUSR2');
    await sleep(500);
    const { maxMs } = JSON.parse(readFileSync(report, 'utf8')) as { maxMs: number };
    const what = (text: string) => `the whole agent, ${count.toLocaleString('en-US')} containers: ${text}`;
    return [
      { what: what('CPU per interval'), value: cpu / 1000, unit: 'ms' },
      { what: what('resident memory'), value: rss, unit: 'MB', target: { most: 150 } },
      { what: what('longest block of the event loop'), value: maxMs, unit: 'ms', target: { most: 20 } },
    ];
  } finally {
    await end(agent);
    receiver.stop();
    directory.remove();
  }
}

export const bench: Bench = {
  title: 'A round of metrics',
  about: `
The agent's collectors and pipeline read and encode cgroups that the bench makes, each with one sleeping process, in a
separate, warmed-up process. "SDK" observes the same points through the OpenTelemetry SDK's instruments and serializes
them. "Reading" only reads all open kernel files. The agent does not read all of them in each round: limits change rarely, and
idle containers are read less. The whole agent finds the same cgroups without a daemon and exports every
${INTERVAL_S} s; its figures include the work between rounds.`,
  async run(setting) {
    const rows: Figure[] = [];
    const points: Record<string, [number, number][]> = { Portlight: [], SDK: [], reading: [] };
    for (const count of COUNTS) {
      setting.say(`${count} cgroups`);
      const ways = ['agent', 'sdk', 'read', 'at work'] as const;
      const [agent, sdk, read, atWork] = await roundsOver(count, ways, setting.profiles);
      const what = (text: string) => `${count.toLocaleString('en-US')} containers: ${text}`;
      const beside = (of: (result: RoundsResult) => number) => ({ SDK: of(sdk!), reading: of(read!) });
      const total = (result: RoundsResult) => (result.cpuMicros * count) / 1000;
      rows.push(
        {
          what: what(`CPU per container (${Math.round(agent!.points)} points)`),
          value: agent!.cpuMicros,
          unit: 'µs',
          beside: beside(({ cpuMicros }) => cpuMicros),
          target: { most: 60 },
        },
        {
          what: what('CPU per container, if all are busy'),
          value: atWork!.cpuMicros,
          unit: 'µs',
          beside: beside(({ cpuMicros }) => cpuMicros),
        },
        {
          what: what('CPU of a round'),
          value: total(agent!),
          unit: 'ms',
          beside: beside(total),
          ...(count === 1000 ? { target: { most: 100 } } : {}),
        },
        {
          what: what('longest block of the event loop'),
          value: agent!.longestBlockMs,
          unit: 'ms',
          target: { most: 20 },
        },
        { what: what('open descriptors'), value: agent!.descriptors, unit: '' },
      );
      points.Portlight!.push([count, total(agent!)]);
      points.SDK!.push([count, total(sdk!)]);
      points.reading!.push([count, total(read!)]);
    }
    setting.say('the whole agent');
    rows.push(...(await withCgroups(COUNTS.at(-1)!, () => wholeAgent(setting, COUNTS.at(-1)!))));
    return {
      rows,
      plot: {
        title: 'CPU time of a round',
        xLabel: 'containers',
        yLabel: 'ms of CPU',
        curves: Object.entries(points).map(([name, curve]) => ({ name, points: curve })),
      },
    };
  },
};
