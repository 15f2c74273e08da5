/** The metrics that rules look at: each with the points that it means, once for all rules. */
import type { Points } from '../../collectors/records/points.ts';
import type { Attributes, AttributeValue, Metric } from '../../collectors/records/records.ts';

interface Selector {
  readonly index: number;
  /** Attributes that a point has to have; all points of the metric where there are none. */
  readonly attributes: readonly (readonly [key: string, value: AttributeValue])[];
}

/** What stood at a place in the points: a metric with its attributes, and whether each of its terms means that. */
interface PointMatch {
  readonly metric: Metric;
  readonly attributes: Attributes | undefined;
  readonly selectors: readonly { readonly index: number; readonly isMeant: boolean }[];
}

function matchesPoint({ attributes }: Selector, given: Attributes | undefined): boolean {
  for (const [key, value] of attributes)
    if (given?.[key] !== value && String(given?.[key]) !== value) return false;
  return true;
}

const NONE: PointMatch['selectors'] = [];

export class SelectorSet {
  private readonly byMetric = new Map<Metric, Selector[]>();
  private count = 0;
  /**
   * What stood where in the points that were read last: those of the next container are in the same order as a rule, and
   * need not be looked up.
   */
  private readonly seen: PointMatch[] = [];

  get length(): number {
    return this.count;
  }

  get metrics(): Iterable<Metric> {
    return this.byMetric.keys();
  }

  /** The place of a metric's value in a row; the sum of its points that have all of the attributes. */
  register(metric: Metric, attributes: Attributes): number {
    const terms = this.byMetric.get(metric) ?? [];
    this.byMetric.set(metric, terms);
    const entries = Object.entries(attributes);
    const known = terms.find(
      (term) => term.attributes.length === entries.length && matchesPoint(term, attributes),
    );
    if (known !== undefined) return known.index;
    terms.push({ index: this.count, attributes: entries });
    return this.count++;
  }

  /** Fills a row with what the points say; what they do not say is left as it is. */
  readInto({ metrics, values, attributes, length }: Points, row: Float64Array): void {
    for (let point = 0; point < length; point++) {
      let seen = this.seen[point];
      if (seen?.metric !== metrics[point] || seen?.attributes !== attributes[point]) {
        seen = this.findSelectors(metrics[point]!, attributes[point]);
        this.seen[point] = seen;
      }
      const { selectors: terms } = seen!;
      for (let term = 0; term < terms.length; term++) {
        const { index, isMeant } = terms[term]!;
        // Where the metric is there, and none of its points is meant, there is nothing of it: 0.
        const value = isMeant ? values[point]! : 0;
        const before = row[index]!;
        row[index] = Number.isNaN(before) ? value : before + value;
      }
    }
  }

  private findSelectors(metric: Metric, attributes: Attributes | undefined): PointMatch {
    const terms = this.byMetric.get(metric)?.map((term) => ({
      index: term.index,
      isMeant: matchesPoint(term, attributes),
    }));
    return { metric, attributes, selectors: terms ?? NONE };
  }
}
