/** A container's memory as it was recorded. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

export const DIRECTORY = join(import.meta.dirname, '../fixtures/forecast');

/** All times are seconds since the recording began. */
export interface Series {
  readonly name: string;
  readonly description: string;
  /** Bytes. */
  readonly limit: number;
  /** Seconds from one value to the next; the first is of second 0. */
  readonly interval: number;
  /** When a run began. */
  readonly startedAt: number[];
  /** When the kernel killed it, or a process of it, at its limit. */
  readonly oomAt: number[];
  /** Working set in bytes; null where the container does not run. */
  readonly values: readonly (number | null)[];
}

export function readSeries(directory = DIRECTORY): Series[] {
  return readdirSync(directory)
    .filter((name) => name.endsWith('.json'))
    .map((name) => JSON.parse(readFileSync(join(directory, name), 'utf8')));
}
