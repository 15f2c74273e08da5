/**
 * The points of one resource in one round, held as columns: a host with a thousand containers has fifty
 * thousand of them at a time, and as many objects would cost more to collect as garbage than to make.
 */
import type { Attributes, Container, Metric, Point, Resource, UnixNano } from './records.ts';

export class Points implements Iterable<Point> {
  /** The first `length` of each column hold; what lies behind is of an earlier round. */
  readonly metrics: Metric[] = [];
  readonly values: number[] = [];
  readonly attributes: (Attributes | undefined)[] = [];
  private count = 0;

  static from(points: Iterable<Point>): Points {
    const made = new Points();
    for (const point of points) made.push(point);
    return made;
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

  /** Adds a part of others. */
  append({ metrics, values, attributes }: Points, from: number, to: number): void {
    for (let index = from; index < to; index++) {
      const own = this.count++;
      this.metrics[own] = metrics[index]!;
      this.values[own] = values[index]!;
      this.attributes[own] = attributes[index];
    }
  }

  /** The value of a metric's first point; undefined where there is none. */
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

/** The metrics of one resource at one moment; points of one metric stand next to each other. */
export interface MetricSet {
  readonly resource: Resource;
  /** The container that the resource is; undefined for the host. */
  readonly container: Container | undefined;
  /** When the counters began to count. */
  readonly startTime: UnixNano;
  readonly time: UnixNano;
  readonly points: Points;
  /** What only rules look at: not sent. */
  readonly unsent?: Points | undefined;
  /** Whether it is about another host than the agent's own, or a container there. */
  readonly isRemote?: boolean;
}
