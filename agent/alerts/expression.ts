/**
 * Computes the value of a rule's expression: a metric, a ratio of two metrics, a counter's rate, or a
 * forecast.
 */
import type { Attributes, Metric } from '../../collectors/records/records.ts';
import { timeToReach } from './forecast.ts';
import type { SampleRing } from './sample-ring.ts';
import type { SelectorSet } from './selectors.ts';

/** The samples of a container, or of the host, at the time of an evaluation. */
export interface SampleView {
  /** Values of this round, by selector; NaN where unknown. */
  readonly row: Float64Array;
  /** The last 10 minutes. */
  readonly recent: SampleRing;
  /** ms of the monotonic clock, as all times in the histories. */
  readonly now: number;
  /** The history that a forecast is made from. */
  trendHistory(selector: number, window: number): SampleRing;
  /** The highest value before the window. */
  highestBefore(selector: number, window: number): number;
}

export interface SampleViews {
  readonly container: SampleView;
  readonly host: SampleView;
}

export interface CompiledExpression {
  /** NaN where unknown. */
  value(views: SampleViews): number;
  /** The value of `over`; undefined where there is none, and for counters. */
  limit(views: SampleViews): number | undefined;
  /** UCUM unit of `recentValues`. */
  readonly recentUnit: string;
  /** The values of the last 10 minutes; for a forecast, those of its metric. */
  recentValues(views: SampleViews): [time: number, value: number][];
}

/** A metric of the container or of the host, and the points of it that are added up. */
export interface MetricSelector {
  readonly metric: Metric;
  readonly attributes: Attributes;
  readonly isOfHost: boolean;
}

export interface Expression {
  readonly metric: MetricSelector;
  /** The divisor; for a forecast, the level to reach or the room that is left. */
  readonly over: MetricSelector | undefined;
  /** Time range of a counter's rate, or of a forecast's trend, ms. */
  readonly window: number;
  readonly forecast: Forecast | undefined;
}

export interface Forecast {
  /** Whether `over` is the level to reach, or the room that is left. */
  readonly kind: 'level' | 'room';
  /** Share of the level that counts as reached. */
  readonly share: number;
  /** How far ahead to look, ms. */
  readonly ahead: number;
}

/** Length of the recent history, ms. */
export const RECENT_HISTORY_MS = 600_000;
/** Nothing is forecast below this share of the level. */
const MIN_LEVEL_SHARE = 0.3;
/** Share of a window that must have been observed before a rate is known. */
const MIN_OBSERVED_SHARE = 0.5;

export interface SelectorSets {
  readonly container: SelectorSet;
  readonly host: SelectorSet;
}

/** Where a value is found in the samples. */
interface ValueSource {
  readonly selector: number;
  readonly side: keyof SampleViews;
  readonly isCounter: boolean;
}

function registerSource(
  { metric, attributes, isOfHost }: MetricSelector,
  selectors: SelectorSets,
): ValueSource {
  const side = isOfHost ? 'host' : 'container';
  const selector = selectors[side].register(metric, attributes);
  return { selector, side, isCounter: metric.kind === 'counter' };
}

const MS_PER_SECOND = 1000;

/** A counter that was reset has no increase. */
const orUnknown = (increase: number): number => (increase < 0 ? Number.NaN : increase);

const ratio = (part: number, whole: number): number => (whole > 0 ? part / whole : Number.NaN);

/**
 * Increase of a counter in the window; NaN where too little of it was observed. @returns per ms if `isRate`
 */
function increase(
  { row, recent, now }: SampleView,
  selector: number,
  window: number,
  isRate: boolean,
): number {
  if (recent.length === 0) return Number.NaN;
  const index = recent.indexAt(now - window);
  const observedMs = now - recent.timeAt(index);
  if (observedMs < window * MIN_OBSERVED_SHARE) return Number.NaN;
  const counted = row[selector]! - recent.valueAt(index, selector);
  return isRate ? counted / observedMs : counted;
}

/** UCUM unit of an expression's value. */
export function expressionUnit({ metric: { metric }, over, forecast }: Expression): string {
  if (forecast !== undefined) return 's';
  if (over !== undefined) return '1';
  if (metric.kind !== 'counter') return metric.unit;
  // Seconds per second are a ratio.
  return metric.unit === 's' ? '1' : `${metric.unit}/s`;
}

const currentValue = (views: SampleViews, { side, selector }: ValueSource): number =>
  views[side].row[selector]!;

/** @param divisor undefined: no ratio is computed */
function recentValues(
  views: SampleViews,
  source: ValueSource,
  divisor: ValueSource | undefined,
): [number, number][] {
  const { recent, now } = views[source.side];
  const isCounterRatio = source.isCounter && divisor?.isCounter === true;
  const valueAt = ({ side, selector, isCounter }: ValueSource, index: number): number => {
    // Host and containers have rows of the same rounds, at different indexes.
    const rows = views[side].recent;
    if (rows.length === 0) return Number.NaN;
    const row = side === source.side ? index : rows.indexAt(recent.timeAt(index));
    const value = rows.valueAt(row, selector);
    if (!isCounter) return value;
    if (row === 0) return Number.NaN;
    const counted = orUnknown(value - rows.valueAt(row - 1, selector));
    if (isCounterRatio) return counted;
    return (counted * MS_PER_SECOND) / (rows.timeAt(row) - rows.timeAt(row - 1));
  };
  const found: [number, number][] = [];
  for (let index = 0; index < recent.length; index++) {
    if (now - recent.timeAt(index) > RECENT_HISTORY_MS) continue;
    const part = valueAt(source, index);
    const value = divisor === undefined ? part : ratio(part, valueAt(divisor, index));
    if (!Number.isNaN(value)) found.push([recent.timeAt(index), value]);
  }
  return found;
}

/** @param selectors the metrics are registered in */
export function compileExpression(expression: Expression, selectors: SelectorSets): CompiledExpression {
  const { window, forecast } = expression;
  const source = registerSource(expression.metric, selectors);
  const over = expression.over && registerSource(expression.over, selectors);
  const limit = (views: SampleViews) => {
    if (over === undefined || over.isCounter) return undefined;
    const value = currentValue(views, over);
    return Number.isNaN(value) ? undefined : value;
  };
  if (forecast !== undefined && over !== undefined) {
    return {
      limit,
      recentUnit: expression.metric.metric.unit,
      recentValues: (views) => recentValues(views, source, undefined),
      value: (views) => forecastSeconds(views, source, over, window, forecast),
    };
  }
  // Of two counters, the ratio of their increases needs no rates.
  const isCounterRatio = source.isCounter && over?.isCounter === true;
  const value = (views: SampleViews, { side, selector, isCounter }: ValueSource): number =>
    isCounter
      ? orUnknown(
          increase(views[side], selector, window, !isCounterRatio) * (isCounterRatio ? 1 : MS_PER_SECOND),
        )
      : views[side].row[selector]!;
  return {
    limit,
    recentUnit: expressionUnit(expression),
    recentValues: (views) => recentValues(views, source, over),
    value: (views) =>
      over === undefined ? value(views, source) : ratio(value(views, source), value(views, over)),
  };
}

/** Seconds until the level is reached; infinity where it will not be, NaN where unknown. */
function forecastSeconds(
  views: SampleViews,
  source: ValueSource,
  over: ValueSource,
  window: number,
  { kind, share, ahead }: Forecast,
): number {
  const view = views[source.side];
  const value = currentValue(views, source);
  const bound = currentValue(views, over);
  if (Number.isNaN(value) || Number.isNaN(bound)) return Number.NaN;
  const isLevel = kind === 'level';
  const level = isLevel ? bound * share : value + bound;
  const milliseconds = timeToReach(view.trendHistory(source.selector, window), {
    selector: source.selector,
    window,
    now: view.now,
    value,
    level,
    isRoom: !isLevel,
    floor: isLevel ? level * MIN_LEVEL_SHARE : 0,
    ahead,
    highestBefore: () => view.highestBefore(source.selector, window),
  });
  return milliseconds / MS_PER_SECOND;
}
