/** Rounds of metrics over many cgroups, without a daemon. As root. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { profiling, startAgent } from '../agent.ts';
import type { Bench, Measured, Setting } from '../bench.ts';
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
   * `at work`: the same, of containers that use CPU time; `sdk`: the same points observed and serialized by the
   * OpenTelemetry SDK; `read`: the files are read, and no more.
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

/** The rounds alone, for the guard as well. */
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

/** The agent as it is installed finds the cgroups by itself, and does all it does. */
async function wholeAgent(setting: Setting, count: number): Promise<Measured[]> {
  const receiver = await startReceiver();
  const directory = mkdtempSync(join(tmpdir(), 'portlight-bench-'));
  const report = join(directory, 'loop.json');
  const agent = startAgent(setting, {
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
    // What looks at the loop costs something itself: it comes after.
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
    rmSync(directory, { recursive: true, force: true });
  }
}

export const bench: Bench = {
  title: 'A round of metrics',
  about: `
Cgroups that the bench makes, each with a sleeping process, read and encoded by the agent's own collectors and pipeline
in a process of their own, warm. "SDK": the same points observed through the OpenTelemetry SDK's instruments and
serialized by it. "Reading": all kernel files that are open are read in the same way, and nothing is made of them. The
agent does not read all of them in each round: limits are settings, and of containers that sleep it reads little. The whole
agent finds the same cgroups without a daemon, and exports every ${INTERVAL_S} s: what it does between rounds is in its
figures.`,
  async run(setting) {
    const rows: Measured[] = [];
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
          what: what('CPU per container, if all of them work'),
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
