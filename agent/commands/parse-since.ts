/** `--since` of a command. */
import { parseDuration } from '../../config/duration.ts';
import { ConfigError } from '../../config/load.ts';

/**
 * `10m` ago, or a moment, ms since the epoch; undefined where none was given.
 * @throws {ConfigError} when it is neither
 */
export function parseSince(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const duration = parseDuration(text);
  if (duration > 0) return Date.now() - duration;
  const moment = Date.parse(text);
  if (!Number.isNaN(moment)) return moment;
  throw new ConfigError([
    `--since: "${text}" is not allowed; expected a duration such as 10m, or a time such as 2026-11-24T12:00:00Z`,
  ]);
}
