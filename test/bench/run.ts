/**
 * `npm run bench`: what the agent costs the host, beside what it replaces, measured in the same run. On a
 * Docker daemon of its own, with the built agent, as root. Prints a table, and writes bench.json,
 * docs/performance.md and docs/performance.svg.
 */
import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { clientOf, startDockerd } from '../../agent/setup/dockerd.ts';
import { table } from '../../exporters/console/table.ts';
import { metrics } from './metrics.ts';
import { HEAD, machineOf, page, plot, rowsOf } from './report.ts';
import { costByCount, scale } from './scale.ts';

const root = join(import.meta.dirname, '../..');

execFileSync(process.execPath, [join(root, 'agent/setup/build.ts')], { stdio: 'inherit' });
const dockerd = await startDockerd({ ownNetwork: true });
// Interrupted, it leaves no daemon behind.
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, () => void dockerd.stop().finally(() => process.exit(1)));
}
try {
  const { Version } = await clientOf(dockerd.host).version();
  const withContainers = await metrics(dockerd, join(root, 'dist/agent/cli.js'));
  const scaled = await scale();
  const results = [...withContainers, ...scaled];
  const machine = machineOf(Version);
  console.log(table(HEAD, rowsOf(results), ['Portlight', 'baseline', 'ratio']).join('\n'));
  writeFileSync(join(root, 'bench.json'), `${JSON.stringify({ machine, results }, null, 2)}\n`);
  writeFileSync(join(root, 'docs/performance.md'), page(results, machine));
  writeFileSync(
    join(root, 'docs/performance.svg'),
    plot('CPU time of a round', 'cgroups', 'ms of CPU', costByCount(scaled)),
  );
} finally {
  await dockerd.stop();
}
