/** Parsing of `--since`. */
import { parseDuration } from '../../config/duration.ts';
import { ConfigError } from '../../config/load.ts';

/**
 * Parses a duration before now, such as `10m`, or a time.
 * @returns ms since the epoch; undefined without an argument
 * @throws {ConfigError} if the text is neither
 */
export function parseSince(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const duration = parseDuration(text);
  if (duration > 0) return Date.now() - duration;
  const time = Date.parse(text);
  if (!Number.isNaN(time)) return time;
  throw new ConfigError([
    `--since: "${text}" is not allowed; expected a duration such as 10m or a time such as 2026-11-24T12:00:00Z`,
  ]);
}
