/** What is known of one container, or of the host, for its rules. */
import type { MetricSet } from '../../collectors/records/points.ts';
import type { Container, UnixNano } from '../../collectors/records/records.ts';
import { RECENT_HISTORY_MS, type SampleView } from './expression.ts';
import { SampleRing } from './sample-ring.ts';
import type { SelectorSet } from './selectors.ts';

/** Rows of the history of a trend that goes further back than 10 minutes. */
const TREND_ROWS = 64;
/** Rows come not closer than this, ms: a faster round does not make alerts better. */
const LEAST_SPACING_MS = 1000;
/** Of a trend, the highest value is kept of so many half windows. */
const PEAKS = 72;

/** A term whose trend is looked at, and how far back. */
export interface Trend {
  readonly selector: number;
  readonly window: number;
}

/** How tracks are laid out, the same for all containers. */
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
  /** Which run it is of: when that was started. */
  startedAt: UnixNano | undefined;
  container: Container | undefined;
  private readonly layout: SampleLayout;
  /** By trend; undefined where `history` goes back far enough. */
  private readonly trends: readonly (SampleRing | undefined)[];
  /** By trend, the highest value in each of the last half windows; the newest of them is that of `halves`. */
  private readonly peaks: Float64Array;
  private readonly halves: number[];

  constructor(layout: SampleLayout) {
    const { selectors: terms, interval, trends } = layout;
    this.layout = layout;
    const all = Array.from({ length: terms.length }, (_, term) => term);
    const spacing = Math.max(interval, LEAST_SPACING_MS);
    this.row = new Float64Array(terms.length);
    this.recent = new SampleRing(all, Math.ceil(RECENT_HISTORY_MS / spacing) + 2, spacing);
    this.trends = trends.map(({ selector: term, window }) =>
      window <= RECENT_HISTORY_MS
        ? undefined
        : new SampleRing([term], TREND_ROWS, Math.max(spacing, window / (TREND_ROWS - 2))),
    );
    this.peaks = new Float64Array(trends.length * PEAKS).fill(Number.NaN);
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

  /** The row was evaluated, and becomes part of what was. */
  store(): void {
    this.recent.add(this.now, this.row);
    for (const trend of this.trends) trend?.add(this.now, this.row);
    this.layout.trends.forEach(({ selector: term, window }, index) => {
      const half = Math.floor(this.now / (window / 2));
      const passed = Math.min(PEAKS, half - this.halves[index]!);
      const slot = (one: number) => index * PEAKS + (one % PEAKS);
      for (let one = half - passed + 1; one <= half; one++) this.peaks[slot(one)] = Number.NaN;
      this.halves[index] = half;
      const value = this.row[term]!;
      if (!(this.peaks[slot(half)]! >= value)) this.peaks[slot(half)] = value;
    });
  }

  trendHistory(term: number, window: number): SampleRing {
    return this.trends[this.indexOf(term, window)] ?? this.recent;
  }

  highestBefore(term: number, window: number): number {
    const index = this.indexOf(term, window);
    // The half window that it begins in counts whole: what rises from there on has left its values behind.
    const last = Math.floor((this.now - window) / (window / 2));
    let highest = Number.NEGATIVE_INFINITY;
    for (let half = Math.max(0, this.halves[index]! - PEAKS + 1); half <= last; half++) {
      const peak = this.peaks[index * PEAKS + (half % PEAKS)]!;
      if (peak > highest) highest = peak;
    }
    return highest;
  }

  private indexOf(term: number, window: number): number {
    return this.layout.trends.findIndex((trend) => trend.selector === term && trend.window === window);
  }
}
