/**
 * `npm run bench:guard` detects what became slower. Each figure is a ratio to similar work in the same run, so that the
 * machine and its load matter little. Exits with 1 if a figure is more than 15 % worse than in test/bench/guard.json;
 * `--keep` writes this run's figures there. Needs root and busybox-static.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { formatTable } from '../../exporters/console/table.ts';
import { buildAgent } from './agent.ts';
import { quantile } from './bench.ts';
import { throughput } from './cases/logs.ts';
import { roundsOver } from './cases/metrics.ts';
import { importOf } from './cases/startup.ts';

const root = join(import.meta.dirname, '../..');
const kept = join(import.meta.dirname, 'guard.json');
const WORSE = 1.15;
const RUNS = 3;
const CONTAINERS = 100;
const LINES = 400_000;

/** Ratios; less is better. */
const figures: Record<string, () => Promise<number>> = {
  'round of metrics over reading the same files': async () => {
    const [agent, read] = await roundsOver(CONTAINERS, ['agent', 'read']);
    return agent!.cpuMicros / read!.cpuMicros;
  },
  'round of metrics of busy containers over reading the same files': async () => {
    const [agent, read] = await roundsOver(CONTAINERS, ['at work', 'read']);
    return agent!.cpuMicros / read!.cpuMicros;
  },
  'a log line over the same with the OpenTelemetry SDK': async () => {
    const { agent, sdk } = await throughput(LINES);
    return sdk / agent;
  },
  'import of the agent over an empty Node program': async () =>
    importOf(join(root, 'dist/agent/commands/run.js')).cpu / importOf('node:path').cpu,
};

buildAgent();
const now: Record<string, number> = {};
for (const [what, measure] of Object.entries(figures)) {
  const runs: number[] = [];
  for (let run = 0; run < RUNS; run++) runs.push(await measure());
  now[what] = Number(quantile(runs, 0.5).toPrecision(4));
}
if (process.argv.includes('--keep')) writeFileSync(kept, `${JSON.stringify(now, null, 2)}\n`);
const before = JSON.parse(readFileSync(kept, 'utf8')) as Record<string, number>;
const rows = Object.entries(now).map(([what, value]) => {
  const change = value / before[what]!;
  return { what, value, before: before[what]!, change, isWorse: change > WORSE };
});
console.log(
  formatTable(
    ['', 'now', 'kept', 'change'],
    rows.map(({ what, value, before, change, isWorse }) => [
      what,
      value.toFixed(2),
      before.toFixed(2),
      `${((change - 1) * 100).toFixed(0)} %${isWorse ? ' WORSE' : ''}`,
    ]),
    ['now', 'kept', 'change'],
  ).join('\n'),
);
process.exit(rows.some(({ isWorse }) => isWorse) ? 1 : 0);
