/**
 * The layout of the data directory, in its file `version`: an agent brings an older one up to date and leaves a newer one
 * alone, whose files it would misread. The mark is written last, so that an interrupted migration is begun again.
 */
import { closeSync, fsyncSync, openSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** Brings the directory from its version to the next; it may meet what an interrupted one has left. */
export type Migration = (directory: string) => void;

/** The first leads from version 1 to 2. What was kept by agents that wrote no mark (0.1.0) is version 1. */
const MIGRATIONS: readonly Migration[] = [];
const UNMARKED = 1;

/** Nobody may write there, or nothing fits: whoever needs the directory tells of it. */
const UNUSABLE = new Set(['ENOENT', 'ENOTDIR', 'EACCES', 'EPERM', 'EROFS', 'ENOSPC', 'EDQUOT']);

const isUnusable = (error: unknown): boolean => UNUSABLE.has((error as NodeJS.ErrnoException).code ?? '');

/**
 * The version that a directory is marked with; undefined where it has no mark.
 * @throws {Error} when it is newer than what this agent knows, or no version
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
      `data_dir: ${path}: ${JSON.stringify(text.slice(0, 40))} is no version of a data directory; expected a whole number`,
    );
  if (Number(text) > newest)
    throw new Error(
      `data_dir: ${directory} has version ${text}, and this Portlight knows versions up to ${newest}: it was used by a newer one; install that again, or name another directory with --data-dir`,
    );
  return Number(text);
}

/** The mark as a whole or not at all, whatever happens meanwhile. */
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
 * Makes the directory one of this agent's layout. It has to be locked.
 * @throws {Error} when it is of a newer one, or a migration fails
 */
export function migrateDirectory(directory: string, migrations = MIGRATIONS): void {
  const newest = migrations.length + 1;
  const found = readLayout(directory, newest);
  try {
    if (found === undefined) writeLayout(directory, UNMARKED);
  } catch (error) {
    if (!isUnusable(error)) throw error;
    return;
  }
  for (let version = found ?? UNMARKED; version < newest; version++) {
    migrations[version - 1]!(directory);
    writeLayout(directory, version + 1);
  }
}
