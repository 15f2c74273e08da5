import { chownSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ExecutionContext } from 'ava';

/**
 * A new directory that is removed when the test ends.
 * @param owner only this user may enter it; the test's own user by default
 */
export function temporaryDirectory(
  t: Pick<ExecutionContext, 'teardown'>,
  owner?: { readonly uid: number; readonly gid: number },
): string {
  const directory = mkdtempSync(join(tmpdir(), 'portlight-test-'));
  if (owner !== undefined) chownSync(directory, owner.uid, owner.gid);
  t.teardown(() => rmSync(directory, { recursive: true, force: true, maxRetries: 5 }));
  return directory;
}
