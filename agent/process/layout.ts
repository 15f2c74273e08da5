/**
 * The layout version of the data directory, in its file `version`. An agent migrates an older layout, and refuses a newer
 * one, whose files it would misread. The version is written last, so that an interrupted migration starts again.
 */
import { closeSync, fsyncSync, openSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** Migrates the directory from its version to the next. It may find what an interrupted migration has left. */
export type Migration = (directory: string) => void;

/** The first migrates version 1 to 2. */
const MIGRATIONS: readonly Migration[] = [];
/** Of a directory without the file, as 0.1.0 wrote it. */
const FIRST_VERSION = 1;

/** The directory is not writable or full. Those who need it report that. */
const UNUSABLE = new Set(['ENOENT', 'ENOTDIR', 'EACCES', 'EPERM', 'EROFS', 'ENOSPC', 'EDQUOT']);

const isUnusable = (error: unknown): boolean => UNUSABLE.has((error as NodeJS.ErrnoException).code ?? '');

/**
 * The layout version of a directory; undefined if it has none.
 * @throws {Error} when it is newer than this agent supports, or not a version
 */
export function readLayout(directory: string, newest = MIGRATIONS.length + 1): number | undefined {
  const path = join(directory, 'version');
  let text: string;
  try {
    text = readFileSync(path, 'utf8').trim();
  } catch (error) {
    if (isUnusable(error)) return undefined;
    throw error;
  }
  if (!/^[1-9]\d*$/.test(text))
    throw new Error(
      `data_dir: ${path}: ${JSON.stringify(text.slice(0, 40))} is not a version of a data directory; expected a whole number`,
    );
  if (Number(text) > newest)
    throw new Error(
      `data_dir: ${directory} has version ${text}, but this Portlight supports versions up to ${newest}: a newer one has used it. Install that version again, or choose another directory with --data-dir`,
    );
  return Number(text);
}

/** Replaces the file at once, so that a crash leaves the old version or the new one. */
function writeLayout(directory: string, version: number): void {
  const path = join(directory, 'version');
  const descriptor = openSync(`${path}.new`, 'w', 0o600);
  try {
    writeFileSync(descriptor, `${version}\n`);
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
  renameSync(`${path}.new`, path);
}

/**
 * Migrates a locked directory to this agent's layout.
 * @throws {Error} when its layout is newer, or a migration fails
 */
export function migrateDirectory(directory: string, migrations = MIGRATIONS): void {
  const newest = migrations.length + 1;
  const found = readLayout(directory, newest);
  try {
    if (found === undefined) writeLayout(directory, FIRST_VERSION);
  } catch (error) {
    if (!isUnusable(error)) throw error;
    return;
  }
  for (let version = found ?? FIRST_VERSION; version < newest; version++) {
    migrations[version - 1]!(directory);
    writeLayout(directory, version + 1);
  }
}
