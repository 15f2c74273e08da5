/** Cumulative counters → what was added since the last round, for receivers that prefer deltas. */
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
  private series = new Map<string, ContainerCounters>();

  /** @param since what began to count before is not ours to tell: an agent before us has told it */
  constructor(since: bigint) {
    this.since = since;
  }

  /** A whole round; what is not in it is forgotten. */
  convert(sets: readonly MetricSet[]): MetricSet[] {
    const next = new Map<string, ContainerCounters>();
    const converted = sets.map((set) => {
      const id = set.container?.id ?? '';
      // A container that was started anew counts from 0.
      const known = this.series.get(id);
      const last = known?.startTime === set.startTime ? known : undefined;
      // A series that is missing in a round goes on from where it was.
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
    this.series = next;
    return converted;
  }
}
