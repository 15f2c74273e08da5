/**
 * `npm run bench`: what the agent costs the host, beside what it replaces, measured in the same run. On a
 * Docker daemon of its own, with the built agent. Prints tables, and writes bench.json.
 */
import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { cpus, release } from 'node:os';
import { join } from 'node:path';
import { startDockerd } from '../../agent/setup/dockerd.ts';
import { table } from '../../exporters/console/table.ts';
import { type Measured, metrics } from './metrics.ts';

const root = join(import.meta.dirname, '../..');

execFileSync(process.execPath, [join(root, 'agent/setup/build.ts')], { stdio: 'inherit' });
const dockerd = await startDockerd({ ownNetwork: true });
try {
  const results: Measured[] = await metrics(dockerd, join(root, 'dist/agent/cli.js'));
  const rows = results.map(({ what, value, unit, baseline, target }) => [
    what,
    `${Number(value.toPrecision(3))} ${unit}`,
    baseline === undefined ? '' : `${Number(baseline.toPrecision(3))} ${unit}`,
    baseline === undefined ? '' : `1/${Math.round(baseline / value)}`,
    target,
  ]);
  console.log(
    table(['WHAT', 'PORTLIGHT', 'BASELINE', 'RATIO', 'TARGET'], rows, [
      'PORTLIGHT',
      'BASELINE',
      'RATIO',
    ]).join('\n'),
  );
  const machine = { cpu: cpus()[0]?.model, cores: cpus().length, kernel: release(), node: process.version };
  writeFileSync(join(root, 'bench.json'), `${JSON.stringify({ machine, results }, null, 2)}\n`);
} finally {
  await dockerd.stop();
}
