import { setTimeout as sleep } from 'node:timers/promises';

/**
 * Polls `probe` until it returns something other than false and undefined, and resolves with that.
 * PORTLIGHT_TEST_PATIENCE multiplies the time limit, for slow machines.
 * @throws {Error} after `timeoutMs`, naming what was expected
 */
export async function waitFor<T>(
  what: string,
  probe: () => T | undefined | false | Promise<T | undefined | false>,
  timeoutMs = 60_000,
): Promise<T> {
  const patience = timeoutMs * Number(process.env.PORTLIGHT_TEST_PATIENCE ?? 1);
  for (const end = Date.now() + patience; ; await sleep(25)) {
    const found = await probe();
    if (found !== undefined && found !== false) return found;
    if (Date.now() > end) throw new Error(`waited ${patience} ms for ${what}`);
  }
}
