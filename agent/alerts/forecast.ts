/**
 * When something that grows will reach a level. The trend is that of the floor, the lowest values from each moment on, so
 * that memory that is filled and collected by turns has none; it is the median of the slopes between them (Theil-Sen),
 * which a few odd values do not bend; and it counts only where it is clear and goes on.
 */
import type { SampleRing } from './sample-ring.ts';

/** Into how many parts the window is divided; the lowest value of each counts. */
const PARTS = 10;
/** How much of the window has to have been seen. */
const LEAST_SEEN = 0.75;
/** Share of the pairs of parts of which the later one is higher, from which on a trend is clear. */
const CLEAR = 0.8;
/** Growth of half a window, as a share of that of the half before it, below which it is slowing down. */
const SLOWING = 0.75;
/** By how much of the level a value has to be beyond what was there before, to be news. */
const NEWS = 0.02;
/** What came down from within this share of the level may have been killed there. */
const KILLED = 0.97;
/** What of the level is left is more than this times what the trend brings in the time ahead: no need to look closer. */
const FAR_FACTOR = 3;

export interface ForecastInput {
  /** Whose trend. */
  readonly selector: number;
  /** How far back is looked, ms. */
  readonly window: number;
  /** ms */
  readonly now: number;
  /** What it is now. */
  readonly value: number;
  /** What it may reach. */
  readonly level: number;
  /** Whether the level is what there is room for beside others, and not a limit of its own. */
  readonly isRoom: boolean;
  /** Below it there is no alarm, whatever the trend: a start looks like a leak. */
  readonly floor: number;
  /** Up to when is asked, ms from now. */
  readonly ahead: number;
  /** The highest value before the window: what came down from there by itself will do so again. */
  readonly highestBefore: () => number;
}

const medianOf = (values: number[]): number => {
  values.sort((one, other) => one - other);
  const middle = values.length >> 1;
  return values.length % 2 === 1 ? values[middle]! : (values[middle - 1]! + values[middle]!) / 2;
};

/** Median slope between every two, and the share of them that rise. */
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
 * @returns in how many ms the level is reached; infinity where it does not look like that; NaN where too little was seen
 *   to tell
 */
export function timeToReach(history: SampleRing, question: ForecastInput): number {
  const { selector: term, window, now, value: last, level, isRoom, floor, ahead } = question;
  const { length } = history;
  if (length === 0 || now - history.timeAt(0) < window * LEAST_SEEN) return Number.NaN;
  if (last >= level && !isRoom) return 0;
  // What is cheap to see comes first: almost no container ever is near to it.
  if (last < floor) return Number.POSITIVE_INFINITY;
  const highestBefore = question.highestBefore();
  if (highestBefore < level * KILLED && last <= highestBefore + (isRoom ? last : level) * NEWS)
    return Number.POSITIVE_INFINITY;
  const begin = now - window;
  const oldest = history.indexAt(begin);
  if (last <= history.valueAt(oldest, term)) return Number.POSITIVE_INFINITY;
  const times: number[] = [];
  const values: number[] = [];
  let part = -1;
  let highest = 0;
  for (let index = oldest; index < length; index++) {
    const time = history.timeAt(index);
    const value = history.valueAt(index, term);
    if (time < begin || Number.isNaN(value)) continue;
    const own = Math.min(PARTS - 1, Math.floor(((time - begin) / window) * PARTS));
    if (own !== part) {
      part = own;
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
  if (count < PARTS * LEAST_SEEN) return Number.NaN;
  // What was given back later on was not what is needed: of a saw-tooth, its floor is left.
  for (let part = count - 2; part >= 0; part--) values[part] = Math.min(values[part]!, values[part + 1]!);
  const first = values[0]!;
  const lowest = values[count - 1]!;
  const grown = (lowest - first) / (times[count - 1]! - times[0]!);
  if (!(grown > 0) || level - last > FAR_FACTOR * grown * ahead) return Number.POSITIVE_INFINITY;
  const { slope, rising } = trendOf(times, values);
  if (rising < CLEAR) return Number.POSITIVE_INFINITY;
  const half = count >> 1;
  const before = (values[half]! - first) / (times[half]! - times[0]!);
  const since = lowest - values[half]!;
  const decay = since / (times[count - 1]! - times[half]!) / before;
  // Where each half of the window brings less than the one before, what is still to come has an end.
  if (decay < SLOWING && highest + (since * decay) / (1 - decay) < level) return Number.POSITIVE_INFINITY;
  // What slows down is taken for as slow as it is now.
  const recent = trendOf(times.slice(half - 1), values.slice(half - 1));
  const going = Math.min(slope, recent.slope);
  return going > 0 ? Math.max(0, level - highest) / going : Number.POSITIVE_INFINITY;
}
