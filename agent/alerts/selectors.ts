/** The metrics that rules read: each as a selector, shared by all rules, with a place in a row of values. */
import type { Points } from '../../collectors/records/points.ts';
import type { Attributes, AttributeValue, Metric } from '../../collectors/records/records.ts';

interface Selector {
  /** Place of the value in a row. */
  readonly index: number;
  /** Attributes that a point must have; none selects all points of the metric. */
  readonly attributes: readonly (readonly [key: string, value: AttributeValue])[];
}

/** A metric with attributes, and whether each selector of the metric selects it. */
interface PointMatch {
  readonly metric: Metric;
  readonly attributes: Attributes | undefined;
  readonly selectors: readonly { readonly index: number; readonly isSelected: boolean }[];
}

function matchesPoint({ attributes }: Selector, pointAttributes: Attributes | undefined): boolean {
  for (const [key, value] of attributes)
    if (pointAttributes?.[key] !== value && String(pointAttributes?.[key]) !== value) return false;
  return true;
}

const NO_SELECTORS: PointMatch['selectors'] = [];

export class SelectorSet {
  private readonly byMetric = new Map<Metric, Selector[]>();
  private count = 0;
  /**
   * By position, the match of the point that was there last. The next container's points usually have the
   * same order, so that no lookup is needed.
   */
  private readonly matches: PointMatch[] = [];

  get length(): number {
    return this.count;
  }

  get metrics(): Iterable<Metric> {
    return this.byMetric.keys();
  }

  /**
   * @returns the place of the value in a row: the sum of all points of the metric that have the attributes
   */
  register(metric: Metric, attributes: Attributes): number {
    const selectors = this.byMetric.get(metric) ?? [];
    this.byMetric.set(metric, selectors);
    const entries = Object.entries(attributes);
    const known = selectors.find(
      (selector) => selector.attributes.length === entries.length && matchesPoint(selector, attributes),
    );
    if (known !== undefined) return known.index;
    selectors.push({ index: this.count, attributes: entries });
    return this.count++;
  }

  /** Adds points to a row. Values of metrics that have no points stay as they are. */
  readInto({ metrics, values, attributes, length }: Points, row: Float64Array): void {
    for (let point = 0; point < length; point++) {
      let match = this.matches[point];
      if (match?.metric !== metrics[point] || match?.attributes !== attributes[point]) {
        match = this.findSelectors(metrics[point]!, attributes[point]);
        this.matches[point] = match;
      }
      const { selectors } = match!;
      for (let selector = 0; selector < selectors.length; selector++) {
        const { index, isSelected } = selectors[selector]!;
        // A metric that exists and has no selected point is 0, not unknown.
        const value = isSelected ? values[point]! : 0;
        const before = row[index]!;
        row[index] = Number.isNaN(before) ? value : before + value;
      }
    }
  }

  private findSelectors(metric: Metric, attributes: Attributes | undefined): PointMatch {
    const selectors = this.byMetric.get(metric)?.map((selector) => ({
      index: selector.index,
      isSelected: matchesPoint(selector, attributes),
    }));
    return { metric, attributes, selectors: selectors ?? NO_SELECTORS };
  }
}
