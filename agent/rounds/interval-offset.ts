/** When a host has its rounds: each host at a moment of its own, so that a fleet does not send at the same one. */
import { createHash } from 'node:crypto';

/**
 * From `now` to the host's next moment, ms; above 0, up to the interval.
 * @param id of the host; the same id has the same moments
 * @param now ms since the epoch
 */
export function untilIntervalOffset(id: string, intervalMs: number, now: number): number {
  const share = createHash('sha256').update(id).digest().readUInt32BE(0) / 2 ** 32;
  const since = (now - share * intervalMs) % intervalMs;
  return intervalMs - (since < 0 ? since + intervalMs : since);
}
