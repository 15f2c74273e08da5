import { chownSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ExecutionContext } from 'ava';

export interface TemporaryDirectory {
  readonly path: string;
  /** Removes the directory with everything in it. */
  remove(): void;
}

/**
 * A new directory that the caller removes: for benches and for hooks of tests.
 * @param parent the system's directory for temporary files by default
 */
export function makeTemporaryDirectory(parent = tmpdir()): TemporaryDirectory {
  const path = mkdtempSync(join(parent, 'portlight-test-'));
  return { path, remove: () => rmSync(path, { recursive: true, force: true, maxRetries: 5 }) };
}

/**
 * A new directory that is removed when the test ends.
 * @param owner only this user may enter it; the test's own user by default
 */
export function temporaryDirectory(
  t: Pick<ExecutionContext, 'teardown'>,
  owner?: { readonly uid: number; readonly gid: number },
): string {
  const { path, remove } = makeTemporaryDirectory();
  if (owner !== undefined) chownSync(path, owner.uid, owner.gid);
  t.teardown(remove);
  return path;
}
