/** The metrics that rules look at: each with the points that it means, once for all rules. */
import type { Points } from '../points.ts';
import type { Attributes, Metric } from '../records.ts';

interface Term {
  readonly index: number;
  /** Attributes that a point has to have; all points of the metric where there are none. */
  readonly attributes: Attributes;
}

const means = (wanted: Attributes, given: Attributes | undefined): boolean =>
  Object.entries(wanted).every(([key, value]) => given?.[key] === value);

export class Terms {
  private readonly byMetric = new Map<Metric, Term[]>();
  private count = 0;

  get length(): number {
    return this.count;
  }

  get metrics(): Iterable<Metric> {
    return this.byMetric.keys();
  }

  /** The place of a metric's value in a row; the sum of its points that have all of the attributes. */
  indexOf(metric: Metric, attributes: Attributes): number {
    const terms = this.byMetric.get(metric) ?? [];
    this.byMetric.set(metric, terms);
    const same = (term: Term) =>
      means(term.attributes, attributes) &&
      Object.keys(term.attributes).length === Object.keys(attributes).length;
    const known = terms.find(same);
    if (known !== undefined) return known.index;
    terms.push({ index: this.count, attributes });
    return this.count++;
  }

  /** Fills a row with what the points say; what they do not say is left as it is. */
  read({ metrics, values, attributes, length }: Points, row: Float64Array): void {
    let metric: Metric | undefined;
    let terms: readonly Term[] | undefined;
    for (let point = 0; point < length; point++) {
      if (metrics[point] !== metric) {
        metric = metrics[point]!;
        terms = this.byMetric.get(metric);
      }
      if (terms === undefined) continue;
      for (const term of terms) {
        if (!means(term.attributes, attributes[point])) continue;
        const before = row[term.index]!;
        row[term.index] = Number.isNaN(before) ? values[point]! : before + values[point]!;
      }
    }
  }
}
