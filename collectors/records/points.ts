/**
 * The points of one resource in one round, as columns. A host with a thousand containers has fifty thousand
 * points in a round: as objects, their garbage collection would cost more than their creation.
 */
import type { Attributes, Container, Metric, Point, Resource, UnixNano } from './records.ts';

export class Points implements Iterable<Point> {
  /** Only the first `length` values of each column are valid: those after them are of an earlier round. */
  readonly metrics: Metric[] = [];
  readonly values: number[] = [];
  readonly attributes: (Attributes | undefined)[] = [];
  private count = 0;

  static from(points: Iterable<Point>): Points {
    const columns = new Points();
    for (const point of points) columns.push(point);
    return columns;
  }

  get length(): number {
    return this.count;
  }

  push({ metric, value, attributes }: Point): void {
    const index = this.count++;
    this.metrics[index] = metric;
    this.values[index] = value;
    this.attributes[index] = attributes;
  }

  /** Adds the points [from, to) of others. */
  append({ metrics, values, attributes }: Points, from: number, to: number): void {
    for (let index = from; index < to; index++) {
      const own = this.count++;
      this.metrics[own] = metrics[index]!;
      this.values[own] = values[index]!;
      this.attributes[own] = attributes[index];
    }
  }

  /** The value of a metric's first point; undefined where the metric has none. */
  firstValue(metric: Metric): number | undefined {
    const index = this.metrics.indexOf(metric);
    return index === -1 || index >= this.count ? undefined : this.values[index];
  }

  clear(): void {
    this.count = 0;
  }

  /** Removes every point from the index `length` on. */
  truncate(length: number): void {
    this.count = Math.min(this.count, length);
  }

  *[Symbol.iterator](): Generator<Point> {
    for (let index = 0; index < this.count; index++) {
      yield {
        metric: this.metrics[index]!,
        value: this.values[index]!,
        attributes: this.attributes[index],
      };
    }
  }
}

/** The metrics of one resource at one moment. The points of one metric are next to each other. */
export interface MetricSet {
  readonly resource: Resource;
  /** The container that the resource describes; undefined for the host. */
  readonly container: Container | undefined;
  /** When the counters started. */
  readonly startTime: UnixNano;
  readonly time: UnixNano;
  readonly points: Points;
  /** Points that only rules use: they are not exported. */
  readonly unsent?: Points | undefined;
  /** Whether the resource is another host than the agent's own, or a container there. */
  readonly isRemote?: boolean;
}
