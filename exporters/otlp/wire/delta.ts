/** Cumulative counters → deltas since the last round, for receivers that prefer these. */
import type { MetricSet } from '../../../collectors/records/points.ts';
import { Points } from '../../../collectors/records/points.ts';
import type { Point } from '../../../collectors/records/records.ts';

interface ContainerCounters {
  readonly time: bigint;
  readonly startTime: bigint;
  /** Last values by metric and attributes. */
  readonly values: ReadonlyMap<string, number>;
}

const keyOf = ({ metric, attributes }: Point): string =>
  `${metric.name}\0${JSON.stringify(attributes ?? {})}`;

export class DeltaConversion {
  private readonly since: bigint;
  private counters = new Map<string, ContainerCounters>();

  /**
   * @param since counters that started earlier were reported by an earlier agent, so their first value is
   * left out
   */
  constructor(since: bigint) {
    this.since = since;
  }

  /** Converts a whole round. Containers that are not in it are forgotten. */
  convert(sets: readonly MetricSet[]): MetricSet[] {
    const next = new Map<string, ContainerCounters>();
    const converted = sets.map((set) => {
      const id = set.container?.id ?? '';
      // The counters of a restarted container start from 0.
      const known = this.counters.get(id);
      const last = known?.startTime === set.startTime ? known : undefined;
      // A series that is missing in one round continues from its last value.
      const values = new Map(last?.values);
      const isOlder = last === undefined && set.startTime < this.since;
      const points = [...set.points].flatMap((point) => {
        if (point.metric.kind !== 'counter') return point;
        const key = keyOf(point);
        const before = values.get(key) ?? 0;
        values.set(key, point.value);
        if (isOlder) return [];
        return { ...point, value: point.value >= before ? point.value - before : point.value };
      });
      next.set(id, { time: set.time, startTime: set.startTime, values });
      return { ...set, startTime: last?.time ?? set.startTime, points: Points.from(points) };
    });
    this.counters = next;
    return converted;
  }
}
