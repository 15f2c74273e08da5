/** What a rule looks at, as a number: a metric, what it is a share of, its change or its trend. */
import type { Attributes, Metric } from '../../collectors/records/records.ts';
import { timeToReach } from './forecast.ts';
import type { SampleRing } from './sample-ring.ts';
import type { SelectorSet } from './selectors.ts';

/** What is known of a container, or of the host, at the moment of an evaluation. */
export interface SampleView {
  /** Of this round, by term; NaN where it is not known. */
  readonly row: Float64Array;
  /** Of the last 10 minutes. */
  readonly recent: SampleRing;
  /** ms; monotonic, as the times in the histories are. */
  readonly now: number;
  /** What a trend is looked for in. */
  trendHistory(term: number, window: number): SampleRing;
  /** The highest value of a term before the window. */
  highestBefore(term: number, window: number): number;
}

export interface SampleViews {
  readonly container: SampleView;
  readonly host: SampleView;
}

export interface CompiledExpression {
  /** UCUM unit. */
  readonly unit: string;
  /** NaN where it is not known. */
  value(views: SampleViews): number;
  /** What the value is a share of, or what is reached; undefined where there is none. */
  limit(views: SampleViews): number | undefined;
  /** UCUM unit of `past`. */
  readonly recentUnit: string;
  /** What `now` would have been, row by row of the history; `limit` aside for a forecast, which has the metric's own. */
  recentValues(views: SampleViews): [time: number, value: number][];
}

/** A metric of the container or of the host, with the points that are meant. */
export interface MetricSelector {
  readonly metric: Metric;
  readonly attributes: Attributes;
  readonly isOfHost: boolean;
}

export interface Expression {
  readonly metric: MetricSelector;
  /** What it is compared with: the value is the share. */
  readonly over: MetricSelector | undefined;
  /** How far back a counter's change, or a trend, is looked at, ms. */
  readonly window: number;
  readonly forecast: Forecast | undefined;
}

export interface Forecast {
  /** Whether `over` is the level that is reached, or what is left until it is. */
  readonly kind: 'level' | 'room';
  /** Share of the level. */
  readonly share: number;
  /** ms */
  readonly ahead: number;
}

/** How far back the fast history goes, ms. */
export const RECENT_HISTORY_MS = 600_000;
/** Share of a level below which nothing is forecast. */
const LEAST_SHARE = 0.3;
/** Share of its window that a change has to have been seen for. */
const LEAST_SEEN = 0.5;

export interface SelectorSets {
  readonly container: SelectorSet;
  readonly host: SelectorSet;
}

interface ValueSource {
  readonly selector: number;
  readonly side: keyof SampleViews;
  readonly isCounter: boolean;
}

const registerSource = (
  { metric, attributes, isOfHost }: MetricSelector,
  terms: SelectorSets,
): ValueSource => {
  const of = isOfHost ? 'host' : 'container';
  return { selector: terms[of].register(metric, attributes), side: of, isCounter: metric.kind === 'counter' };
};

/** What a counter has counted in the window, per ms of what was seen of it where `perTime`. */
function change(
  { row, recent: history, now }: SampleView,
  term: number,
  window: number,
  perTime: boolean,
): number {
  if (history.length === 0) return Number.NaN;
  const index = history.indexAt(now - window);
  const seen = now - history.timeAt(index);
  if (seen < window * LEAST_SEEN) return Number.NaN;
  const counted = row[term]! - history.valueAt(index, term);
  return perTime ? counted / seen : counted;
}

/** One that was begun anew has counted nothing yet. */
const positive = (value: number): number => (value < 0 ? Number.NaN : value);

const MS = 1000;

/** A share of nothing is not known. */
const shareOf = (part: number, whole: number): number => (whole > 0 ? part / whole : Number.NaN);

/** UCUM unit of an expression's value. */
export function expressionUnit({ metric: { metric }, over, forecast }: Expression): string {
  if (forecast !== undefined) return 's';
  if (over !== undefined) return '1';
  if (metric.kind !== 'counter') return metric.unit;
  // Seconds a second.
  return metric.unit === 's' ? '1' : `${metric.unit}/s`;
}

export function compileExpression(expression: Expression, terms: SelectorSets): CompiledExpression {
  const { window, forecast } = expression;
  const part = registerSource(expression.metric, terms);
  const whole = expression.over && registerSource(expression.over, terms);
  const unit = expressionUnit(expression);
  const level = (views: SampleViews, { side: of, selector: term }: ValueSource) => views[of].row[term]!;
  const limit = (views: SampleViews) => {
    if (whole === undefined || whole.isCounter) return undefined;
    const value = level(views, whole);
    return Number.isNaN(value) ? undefined : value;
  };
  const bothCount = part.isCounter && whole?.isCounter === true;
  const measured = (views: SampleViews, place: ValueSource): number =>
    place.isCounter
      ? positive(change(views[place.side], place.selector, window, !bothCount) * (bothCount ? 1 : MS))
      : level(views, place);

  const past = (views: SampleViews, isShare: boolean): [number, number][] => {
    const { recent: history, now } = views[part.side];
    const found: [number, number][] = [];
    const at = (place: ValueSource, index: number): number => {
      // Both are rows of the same rounds.
      const rows = views[place.side].recent;
      const own = place.side === part.side ? index : rows.indexAt(history.timeAt(index));
      if (rows.length === 0) return Number.NaN;
      const value = rows.valueAt(own, place.selector);
      if (!place.isCounter) return value;
      if (own === 0) return Number.NaN;
      const counted = positive(value - rows.valueAt(own - 1, place.selector));
      return bothCount ? counted : (counted * MS) / (rows.timeAt(own) - rows.timeAt(own - 1));
    };
    for (let index = 0; index < history.length; index++) {
      if (now - history.timeAt(index) > RECENT_HISTORY_MS) continue;
      const value = at(part, index);
      const share = whole === undefined || !isShare ? value : shareOf(value, at(whole, index));
      if (!Number.isNaN(share)) found.push([history.timeAt(index), share]);
    }
    return found;
  };

  if (forecast !== undefined && whole !== undefined) {
    return {
      unit,
      limit,
      recentUnit: expression.metric.metric.unit,
      recentValues: (views) => past(views, false),
      value(views) {
        const view = views[part.side];
        const value = level(views, part);
        const bound = level(views, whole);
        if (Number.isNaN(value) || Number.isNaN(bound)) return Number.NaN;
        const isLevel = forecast.kind === 'level';
        const reached = isLevel ? bound * forecast.share : value + bound;
        const question = {
          selector: part.selector,
          window,
          now: view.now,
          value,
          level: reached,
          isRoom: !isLevel,
          floor: isLevel ? reached * LEAST_SHARE : 0,
          ahead: forecast.ahead,
          highestBefore: () => view.highestBefore(part.selector, window),
        };
        return timeToReach(view.trendHistory(part.selector, window), question) / MS;
      },
    };
  }
  return {
    unit,
    limit,
    recentUnit: unit,
    recentValues: (views) => past(views, true),
    value: (views) =>
      whole === undefined ? measured(views, part) : shareOf(measured(views, part), measured(views, whole)),
  };
}
