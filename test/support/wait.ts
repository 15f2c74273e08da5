import { setTimeout as sleep } from 'node:timers/promises';

/**
 * Waits longer by the factor PORTLIGHT_TEST_PATIENCE, for machines that are slow.
 * Resolves with what `probe` returns as soon as that is neither false nor undefined.
 * @throws {Error} after `timeoutMs`, with what was waited for
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
