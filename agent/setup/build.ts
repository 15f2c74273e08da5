/** `npm run build`: compiles the JavaScript that is published into dist/. */
import { spawnSync } from 'node:child_process';
import { chmodSync, existsSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { buildPage } from './page.ts';

const root = join(import.meta.dirname, '../..');
const dist = join(root, 'dist');

// page.ts decides whether the page must be rebuilt.
for (const name of existsSync(dist) ? readdirSync(dist) : [])
  if (name !== 'page') rmSync(join(dist, name), { recursive: true });
const { status } = spawnSync(join(root, 'node_modules/.bin/tsc'), ['--project', 'tsconfig.build.json'], {
  cwd: root,
  stdio: 'inherit',
});
if (status === 0) {
  chmodSync(join(dist, 'agent/cli.js'), 0o755);
  buildPage();
}
process.exitCode = status ?? 1;
