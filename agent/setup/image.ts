/** `npm run image`: builds the container image `portlight:<version>`. Further arguments go to `docker build`. */
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { VERSION } from '../../config/version.ts';

const root = join(import.meta.dirname, '../..');

/** Output of git; empty outside of a repository. */
const git = (...args: string[]): string =>
  spawnSync('git', args, { cwd: root, encoding: 'utf8' }).stdout?.trim() ?? '';

// The commit's time and not the current time, so that the same sources give the same image.
const buildArgs = { VERSION, REVISION: git('rev-parse', 'HEAD'), CREATED: git('log', '-1', '--format=%cI') };
const { status, error } = spawnSync(
  'docker',
  [
    ['build', '--tag', `portlight:${VERSION}`],
    Object.entries(buildArgs).flatMap(([name, value]) => ['--build-arg', `${name}=${value}`]),
    process.argv.slice(2),
    root,
  ].flat(),
  { stdio: 'inherit' },
);
if (error !== undefined) console.error(`portlight: docker build: ${error.message}`);
process.exitCode = status ?? 1;
