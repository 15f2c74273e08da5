/** A recording of a container's memory. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

export const DIRECTORY = join(import.meta.dirname, '../fixtures/forecast');

/** All times are seconds since the start of the recording. */
export interface Series {
  readonly name: string;
  readonly description: string;
  /** Bytes. */
  readonly limit: number;
  /** Seconds between values; the first value is at second 0. */
  readonly interval: number;
  /** Start times of runs. */
  readonly startedAt: number[];
  /** Times of OOM kills. */
  readonly oomAt: number[];
  /** Working set in bytes; null while the container does not run. */
  readonly values: readonly (number | null)[];
}

export function readSeries(directory = DIRECTORY): Series[] {
  return readdirSync(directory)
    .filter((name) => name.endsWith('.json'))
    .map((name) => JSON.parse(readFileSync(join(directory, name), 'utf8')));
}
