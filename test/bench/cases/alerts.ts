/** Measures the evaluation of alert rules. */

import { AlertEngine } from '../../../agent/alerts/engine.ts';
import { selectMetrics } from '../../../collectors/catalogue/selection.ts';
import type { MetricSet } from '../../../collectors/records/points.ts';
import { Points } from '../../../collectors/records/points.ts';
import { alertConfig, alertContainer, INTERVAL_MS } from '../../support/alerts.ts';
import { storeOn } from '../../support/store.ts';
import { type Bench, quantile } from '../bench.ts';

const CONTAINERS = 1000;
/** Rounds until the history of 10 minutes is full and the code is optimized. */
const WARM_UP = 80;
const ROUNDS = 200;

const own = [
  'container.memory.usage',
  'container.cpu.usage',
  'container.network.io',
  'container.disk.io',
  'container.memory.rss',
  'container.pids.current',
].map((metric, index) => ({ name: `own_${index}`, metric, condition: '> 1000000000000' }));
const config = alertConfig({ enable: ['no_memory_limit'], rules: own });

const rows = selectMetrics(['pressure', 'container.process.open_file_descriptor.utilization'], []);
const containers = Array.from({ length: CONTAINERS }, (_, index) => alertContainer(`c${index}`));
let now = 0;
const alerts = new AlertEngine({
  config,
  interval: INTERVAL_MS,
  sink: { emitAlert: async () => {}, emitAlertStates() {} },
  store: storeOn(new Map()),
  evidenceOf: () => ({ log: [], events: [], memory: {} }),
  hasContainer: () => false,
  isDaemonUnreachable: () => false,
  warn() {},
  clock: { monotonicMs: () => now, epochMs: () => now },
});

/** Memory usage swings between a third and half of the limit; close to the limit for containers that are `full`. */
function pointsOf(round: number, index: number, full: boolean): Points {
  const wave = Math.sin(round / 5 + index);
  return Points.from(
    rows.map((metric) => {
      if (metric.name === 'container.memory.limit') return { metric, value: 1e9 };
      if (metric.name === 'container.memory.working_set')
        return { metric, value: full ? 9.5e8 : 4e8 + 8e7 * wave };
      if (metric.name === 'container.filesystem.usage') return { metric, value: 5e7 };
      if (metric.name === 'container.filesystem.available') return { metric, value: 5e10 };
      if (metric.name === 'container.health') return { metric, value: 0 };
      if (metric.name.endsWith('.utilization')) return { metric, value: 0.1 };
      return { metric, value: metric.kind === 'counter' ? round * 0.01 : 1 };
    }),
  );
}

const setsOf = (round: number, every: number): MetricSet[] =>
  containers.map((container, index) => ({
    container,
    resource: container.resource,
    startTime: container.startedAt,
    time: 1n,
    points: pointsOf(round, index, index % every === 0),
  }));

function addUp(sets: readonly MetricSet[]): number {
  let sum = 0;
  for (const { points } of sets)
    for (let index = 0; index < points.length; index++) sum += points.values[index]!;
  return sum;
}

async function measure(every: number): Promise<{ median: number; highest: number; baseline: number }> {
  const times: number[] = [];
  const baselines: number[] = [];
  for (let round = 0; round < WARM_UP + ROUNDS; round++) {
    now += INTERVAL_MS;
    const sets = setsOf(round, every);
    const begun = performance.now();
    addUp(sets);
    const between = performance.now();
    await alerts.evaluateRound(sets);
    if (round < WARM_UP) continue;
    baselines.push(between - begun);
    times.push(performance.now() - between);
  }
  return {
    median: quantile(times, 0.5),
    highest: quantile(times, 0.99),
    baseline: quantile(baselines, 0.5),
  };
}

export const bench: Bench = {
  title: 'Alert rules',
  about: `
Evaluates 20 rules over ${CONTAINERS.toLocaleString('en-US')} containers with a full history of ten minutes, once with no rule
firing and once with one container in a hundred firing. The baseline is one pass over the same points that adds them up.`,
  async run() {
    const before = process.memoryUsage().arrayBuffers;
    const measured = [
      ['nothing fires', await measure(CONTAINERS + 1)],
      ['every hundredth fires', await measure(100)],
    ] as const;
    const rows = measured.flatMap(([what, { median, highest, baseline }]) => [
      {
        what: `${what}: a round`,
        value: median,
        unit: 'ms',
        beside: { 'adding up': baseline },
        target: { most: 10 },
      },
      { what: `${what}: a round, 99 %`, value: highest, unit: 'ms' },
    ]);
    const kept = (process.memoryUsage().arrayBuffers - before) / CONTAINERS / 1000;
    return { rows: [...rows, { what: 'history of a container', value: kept, unit: 'kB' }] };
  },
};
