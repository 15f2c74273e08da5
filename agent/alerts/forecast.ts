/**
 * Forecasts when a growing value will reach a level. The trend is that of the lowest values from each point
 * in time on, so that the saw-tooth of garbage collection has none. It is the median of the slopes between
 * them (Theil-Sen), which few outliers do not change. It counts only where it is clear and continues.
 */
import type { SampleRing } from './sample-ring.ts';

/** Number of parts of the window; the lowest value of each is used. */
const PART_COUNT = 10;
/** Share of the window that must have been observed. */
const MIN_OBSERVED_SHARE = 0.75;
/** Share of all pairs of parts whose later value is higher, from which on a trend is clear. */
const CLEAR_RISING_SHARE = 0.8;
/** Growth of the second half of the window relative to the first, below which the growth is slowing down. */
const SLOWING_RATIO = 0.75;
/** By which share of the level a value has to exceed earlier values to be a new high. */
const NEW_HIGH_SHARE = 0.02;
/** A fall from this share of the level or more can be an OOM kill instead of a return of memory. */
const KILL_SHARE = 0.97;
/**
 * Where the distance to the level is more than this many times the growth ahead, no closer look is needed.
 */
const FAR_FACTOR = 3;

export interface ForecastInput {
  /** Whose trend. */
  readonly selector: number;
  /** Time range of the trend, ms. */
  readonly window: number;
  /** ms */
  readonly now: number;
  /** The current value. */
  readonly value: number;
  readonly level: number;
  /** Whether the level is shared space that others fill as well, and not the value's own limit. */
  readonly isRoom: boolean;
  /** Nothing is forecast for values below it: a start looks like a leak. */
  readonly floor: number;
  /** How far ahead the rule looks, ms. */
  readonly ahead: number;
  /** The highest value before the window. A value that fell from there by itself will fall again. */
  readonly highestBefore: () => number;
}

const medianOf = (values: number[]): number => {
  values.sort((one, other) => one - other);
  const middle = values.length >> 1;
  return values.length % 2 === 1 ? values[middle]! : (values[middle - 1]! + values[middle]!) / 2;
};

/** The median of the slopes between all pairs, and the share of rising pairs. */
function trendOf(times: readonly number[], values: readonly number[]): { slope: number; rising: number } {
  const slopes: number[] = [];
  let rising = 0;
  for (let later = 1; later < times.length; later++) {
    for (let earlier = 0; earlier < later; earlier++) {
      const slope = (values[later]! - values[earlier]!) / (times[later]! - times[earlier]!);
      slopes.push(slope);
      if (slope > 0) rising++;
    }
  }
  return { slope: medianOf(slopes), rising: rising / slopes.length };
}

/**
 * @returns ms until the level is reached; infinity where there is no such trend; NaN where too little was
 * observed
 */
export function timeToReach(history: SampleRing, input: ForecastInput): number {
  const { selector, window, now, value: last, level, isRoom, floor, ahead } = input;
  const { length } = history;
  if (length === 0 || now - history.timeAt(0) < window * MIN_OBSERVED_SHARE) return Number.NaN;
  if (last >= level && !isRoom) return 0;
  // The cheap checks come first: they exclude almost all containers.
  if (last < floor) return Number.POSITIVE_INFINITY;
  const highestBefore = input.highestBefore();
  if (highestBefore < level * KILL_SHARE && last <= highestBefore + (isRoom ? last : level) * NEW_HIGH_SHARE)
    return Number.POSITIVE_INFINITY;
  const start = now - window;
  const oldest = history.indexAt(start);
  if (last <= history.valueAt(oldest, selector)) return Number.POSITIVE_INFINITY;
  const times: number[] = [];
  const values: number[] = [];
  let part = -1;
  let highest = 0;
  for (let index = oldest; index < length; index++) {
    const time = history.timeAt(index);
    const value = history.valueAt(index, selector);
    if (time < start || Number.isNaN(value)) continue;
    const partOfRow = Math.min(PART_COUNT - 1, Math.floor(((time - start) / window) * PART_COUNT));
    if (partOfRow !== part) {
      part = partOfRow;
      times.push(time);
      values.push(value);
      highest = value;
    } else {
      if (value < values.at(-1)!) {
        times[times.length - 1] = time;
        values[values.length - 1] = value;
      }
      highest = Math.max(highest, value);
    }
  }
  const count = times.length;
  if (count < PART_COUNT * MIN_OBSERVED_SHARE) return Number.NaN;
  // Memory that is freed later was not needed. Of a saw-tooth, only its floor remains.
  for (let part = count - 2; part >= 0; part--) values[part] = Math.min(values[part]!, values[part + 1]!);
  const first = values[0]!;
  const lowest = values[count - 1]!;
  const grown = (lowest - first) / (times[count - 1]! - times[0]!);
  if (!(grown > 0) || level - last > FAR_FACTOR * grown * ahead) return Number.POSITIVE_INFINITY;
  const { slope, rising } = trendOf(times, values);
  if (rising < CLEAR_RISING_SHARE) return Number.POSITIVE_INFINITY;
  const half = count >> 1;
  const before = (values[half]! - first) / (times[half]! - times[0]!);
  const since = lowest - values[half]!;
  const decay = since / (times[count - 1]! - times[half]!) / before;
  // If each half of the window grows less than the one before, the remaining growth is finite (a geometric
  // series).
  if (decay < SLOWING_RATIO && highest + (since * decay) / (1 - decay) < level)
    return Number.POSITIVE_INFINITY;
  // Growth that slows down continues at its current rate.
  const recent = trendOf(times.slice(half - 1), values.slice(half - 1));
  const rate = Math.min(slope, recent.slope);
  return rate > 0 ? Math.max(0, level - highest) / rate : Number.POSITIVE_INFINITY;
}
