/** Builds the dashboard's page into dist/, from where the agent serves it. */
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { constants, gzipSync } from 'node:zlib';

const root = join(import.meta.dirname, '../..');
const source = join(root, 'exporters/dashboard/page');
const target = join(root, 'dist/page');
/** Contains the checksum of the sources that the existing page was built from. */
const stamp = join(root, 'node_modules/.portlight-page');

const filesBelow = (directory: string): string[] =>
  readdirSync(directory, { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .sort();

function checksum(): string {
  const hash = createHash('sha256');
  const more = ['exporters/dashboard/api.ts', 'package-lock.json'].map((path) => join(root, path));
  for (const path of [...filesBelow(source), ...more])
    hash.update(path.slice(root.length)).update(readFileSync(path));
  return hash.digest('hex');
}

/**
 * Builds the page if it is missing or its sources have changed.
 * @throws {Error} if the build fails
 */
export function buildPage(): void {
  const wanted = checksum();
  if (existsSync(stamp) && existsSync(join(target, 'index.html')) && readFileSync(stamp, 'utf8') === wanted)
    return;
  const vite = join(root, 'node_modules/vite/bin/vite.js');
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    [vite, 'build', source, '--logLevel', 'warn'],
    { cwd: root, encoding: 'utf8' },
  );
  if (status !== 0) throw new Error(`building the page failed:\n${stdout}${stderr}`);
  for (const path of filesBelow(target))
    writeFileSync(`${path}.gz`, gzipSync(readFileSync(path), { level: constants.Z_BEST_COMPRESSION }));
  writeFileSync(stamp, wanted);
}
