import type { CatalogueEntry, DialectName } from '../../collectors/catalogue/entry.ts';
import type { MetricSet } from '../../collectors/records/points.ts';
import { Points } from '../../collectors/records/points.ts';
import type { Attributes, Metric, Point } from '../../collectors/records/records.ts';

export type Dialect = 'dockerStats' | 'cadvisor';

const NONE: Attributes = {};

/** A metric of the dialect, as the encoders need it. */
function metricOf(name: DialectName, row: CatalogueEntry): Metric {
  const integer = name.unit === 'ns' ? true : name.scale === undefined && row.integer;
  return { name: name.name, unit: name.unit, kind: name.kind, integer, description: row.description };
}

const applies = ({ when }: DialectName, attributes: Attributes): boolean =>
  when === undefined || Object.entries(when).every(([key, value]) => attributes[key] === value);

interface Translation {
  readonly metric: Metric;
  readonly attributes: Attributes;
  readonly scale: number;
}

/**
 * Translates points to the names of a dialect, which the catalogue lists. It caches the translation of each
 * metric with its attributes.
 */
export class Translator {
  private readonly dialect: Dialect;
  private readonly metrics = new Map<string, Metric>();
  private readonly known = new Map<Metric, WeakMap<Attributes, readonly Translation[]>>();

  constructor(dialect: Dialect) {
    this.dialect = dialect;
  }

  /** The set in the dialect, without the metrics that the dialect has no name for. */
  translate(set: MetricSet): MetricSet {
    // Several rows can have the same name in the dialect. The points of one name are grouped.
    const byMetric = new Map<Metric, Point[]>();
    for (const { metric, attributes = NONE, value } of set.points) {
      for (const to of this.translations(metric as CatalogueEntry, attributes)) {
        const scaled = value * to.scale;
        const point = {
          metric: to.metric,
          attributes: to.attributes,
          value: to.metric.integer ? Math.round(scaled) : scaled,
        };
        const points = byMetric.get(to.metric);
        if (points === undefined) byMetric.set(to.metric, [point]);
        else points.push(point);
      }
    }
    return { ...set, points: Points.from([...byMetric.values()].flat()) };
  }

  private translations(metric: CatalogueEntry, attributes: Attributes): readonly Translation[] {
    const byAttributes = this.known.get(metric) ?? new WeakMap<Attributes, readonly Translation[]>();
    this.known.set(metric, byAttributes);
    let translations = byAttributes.get(attributes);
    if (translations === undefined) {
      translations = metric[this.dialect]
        .filter((name) => applies(name, attributes))
        .map((name) => ({
          metric: this.metricOf(name, metric),
          attributes: name.attributes?.(attributes) ?? NONE,
          scale: name.scale ?? 1,
        }));
      byAttributes.set(attributes, translations);
    }
    return translations;
  }

  private metricOf(name: DialectName, row: CatalogueEntry): Metric {
    const known = this.metrics.get(name.name);
    if (known !== undefined) return known;
    const made = metricOf(name, row);
    this.metrics.set(name.name, made);
    return made;
  }
}
