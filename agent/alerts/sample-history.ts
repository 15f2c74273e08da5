/**
 * The samples of one container, or of the host: the current row, the last 10 minutes, and longer histories
 * for forecasts.
 */
import type { MetricSet } from '../../collectors/records/points.ts';
import type { Container, UnixNano } from '../../collectors/records/records.ts';
import { RECENT_HISTORY_MS, type SampleView } from './expression.ts';
import { SampleRing } from './sample-ring.ts';
import type { SelectorSet } from './selectors.ts';

/** Rows of a forecast's history that is longer than 10 minutes. */
const TREND_ROWS = 64;
/** Minimum time between rows: more samples do not make alerts better. */
const MIN_SPACING_MS = 1000;
/** Half windows of a forecast whose highest value is stored. */
const PEAK_COUNT = 72;

/** A selector that a forecast is made for. */
export interface Trend {
  readonly selector: number;
  /** Time range of the trend, ms. */
  readonly window: number;
}

/** What histories store; the same for all containers. */
export interface SampleLayout {
  readonly selectors: SelectorSet;
  /** From one round to the next, ms. */
  readonly interval: number;
  readonly trends: readonly Trend[];
}

export class SampleHistory implements SampleView {
  readonly row: Float64Array;
  readonly recent: SampleRing;
  now = 0;
  /** Start time of the run that the samples are of; undefined before the first round. */
  startedAt: UnixNano | undefined;
  container: Container | undefined;
  private readonly layout: SampleLayout;
  /** By trend; undefined where `recent` is long enough. */
  private readonly trends: readonly (SampleRing | undefined)[];
  /** By trend, a ring of the highest values of the last half windows. */
  private readonly peaks: Float64Array;
  /** By trend, the number of the newest half window. */
  private readonly halves: number[];

  constructor(layout: SampleLayout) {
    const { selectors, interval, trends } = layout;
    this.layout = layout;
    const all = Array.from({ length: selectors.length }, (_, selector) => selector);
    const spacing = Math.max(interval, MIN_SPACING_MS);
    this.row = new Float64Array(selectors.length);
    this.recent = new SampleRing(all, Math.ceil(RECENT_HISTORY_MS / spacing) + 2, spacing);
    this.trends = trends.map(({ selector, window }) =>
      window <= RECENT_HISTORY_MS
        ? undefined
        : new SampleRing([selector], TREND_ROWS, Math.max(spacing, window / (TREND_ROWS - 2))),
    );
    this.peaks = new Float64Array(trends.length * PEAK_COUNT).fill(Number.NaN);
    this.halves = trends.map(() => 0);
  }

  /** Fills the row with the points of a round. A new run of the container starts a new history. */
  readSample({ startTime, points, unsent }: MetricSet, now: number): void {
    if (this.startedAt !== startTime) this.startRun(startTime);
    this.now = now;
    this.row.fill(Number.NaN);
    const { selectors } = this.layout;
    selectors.readInto(points, this.row);
    if (unsent !== undefined) selectors.readInto(unsent, this.row);
  }

  private startRun(startedAt: UnixNano): void {
    this.startedAt = startedAt;
    this.recent.clear();
    for (const trend of this.trends) trend?.clear();
    this.peaks.fill(Number.NaN);
  }

  /** Adds the current row to the histories, after it was evaluated. */
  store(): void {
    this.recent.add(this.now, this.row);
    for (const trend of this.trends) trend?.add(this.now, this.row);
    this.layout.trends.forEach(({ selector, window }, index) => {
      const half = Math.floor(this.now / (window / 2));
      const passed = Math.min(PEAK_COUNT, half - this.halves[index]!);
      const slot = (one: number) => index * PEAK_COUNT + (one % PEAK_COUNT);
      for (let one = half - passed + 1; one <= half; one++) this.peaks[slot(one)] = Number.NaN;
      this.halves[index] = half;
      const value = this.row[selector]!;
      if (!(this.peaks[slot(half)]! >= value)) this.peaks[slot(half)] = value;
    });
  }

  trendHistory(selector: number, window: number): SampleRing {
    return this.trends[this.indexOf(selector, window)] ?? this.recent;
  }

  highestBefore(selector: number, window: number): number {
    const index = this.indexOf(selector, window);
    // The half window in which the window starts counts as a whole: a rising value is higher after it.
    const last = Math.floor((this.now - window) / (window / 2));
    let highest = Number.NEGATIVE_INFINITY;
    for (let half = Math.max(0, this.halves[index]! - PEAK_COUNT + 1); half <= last; half++) {
      const peak = this.peaks[index * PEAK_COUNT + (half % PEAK_COUNT)]!;
      if (peak > highest) highest = peak;
    }
    return highest;
  }

  private indexOf(selector: number, window: number): number {
    return this.layout.trends.findIndex((trend) => trend.selector === selector && trend.window === window);
  }
}
