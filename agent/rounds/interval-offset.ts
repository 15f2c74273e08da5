/** Spreads the rounds of many hosts over the interval, so that a fleet does not send at one moment. */
import { createHash } from 'node:crypto';

/**
 * Time from `now` to the host's next moment in the interval, ms; above 0, at most the interval.
 * @param id of the host; the same id has the same moments
 * @param now ms since the epoch
 */
export function untilIntervalOffset(id: string, intervalMs: number, now: number): number {
  const share = createHash('sha256').update(id).digest().readUInt32BE(0) / 2 ** 32;
  const since = (now - share * intervalMs) % intervalMs;
  return intervalMs - (since < 0 ? since + intervalMs : since);
}
