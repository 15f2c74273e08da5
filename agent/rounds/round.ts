/** One round of metrics: collects the points of every container and of the host from every polled collector. */

import type { Collector } from '../../collectors/records/collector.ts';
import type { MetricSet } from '../../collectors/records/points.ts';
import { Points } from '../../collectors/records/points.ts';
import {
  type Container,
  type Metric,
  type Point,
  type PointSink,
  type Resource,
  type UnixNano,
  unixNow,
} from '../../collectors/records/records.ts';
import { TimeSlice } from '../../collectors/shared/time-slice.ts';
import type { Telemetry } from '../../exporters/shared/telemetry.ts';
import { inOrder } from './collector-order.ts';

/** Limit of the series of one container, or of the host: thousands of volumes or interfaces must not flood a store. */
const MAX_POINTS = 5000;

/** The points of one resource in one round. */
interface ResourcePoints {
  readonly points: Points;
  /** What only rules use; undefined where they need nothing besides. */
  readonly unsent: Points | undefined;
  /** The lengths of both before each collector, and after the last one. */
  readonly bounds: Uint32Array;
  /** Whether every collector succeeded and no point was dropped. */
  isWhole: boolean;
}

/** Two buffers of one resource: the points of the previous round stay as they are while this one is collected. */
interface PointBuffers {
  current: ResourcePoints;
  previous: ResourcePoints;
}

/** Collectors, and the time that each took in this round, ms. */
interface TimedCollectors {
  readonly collectors: readonly Collector[];
  readonly spent: Float64Array;
}

const timed = (collectors: readonly Collector[]): TimedCollectors => ({
  collectors,
  spent: new Float64Array(collectors.length),
});

type PointDestination = 'points' | 'unsent';
type PointDestinations = ReadonlyMap<Metric, PointDestination>;

/** After a repetition nothing else is accepted from the same collector. */
const NO_DESTINATION: PointDestinations = new Map();

/** Sorts the points of one resource, which the collectors add one after another. */
class PointSorter implements PointSink {
  /** Points dropped because the limit was reached. */
  excess = 0;
  private readonly allDestinations: PointDestinations;
  private destinations: PointDestinations;
  private current!: ResourcePoints;
  private previous!: ResourcePoints;
  private collector = 0;
  /** `excess` before this collector. */
  private excessBefore = 0;

  constructor(enabled: ReadonlySet<Metric>, ruleOnly: ReadonlySet<Metric>) {
    const unsent = [...ruleOnly].map((metric) => [metric, 'unsent'] as const);
    this.allDestinations = new Map([...unsent, ...[...enabled].map((metric) => [metric, 'points'] as const)]);
    this.destinations = this.allDestinations;
  }

  startResource({ current, previous }: PointBuffers): void {
    this.current = current;
    this.previous = previous;
    this.excess = 0;
  }

  /** The points that follow belong to this collector; those behind the last collector belong to none. */
  startCollector(collector: number): void {
    this.collector = collector;
    this.destinations = this.allDestinations;
    this.excessBefore = this.excess;
    this.current.bounds[2 * collector] = this.current.points.length;
    this.current.bounds[2 * collector + 1] = this.current.unsent?.length ?? 0;
  }

  push(point: Point): void {
    const destination = this.destinations.get(point.metric);
    const points = destination === undefined ? undefined : this.current[destination];
    if (points === undefined) return;
    if (points.length < MAX_POINTS) points.push(point);
    else this.excess++;
  }

  /**
   * The repetition replaces whatever this collector has pushed or repeated in this round, and what it pushes
   * afterwards is ignored: no order of calls doubles a point.
   */
  repeatPrevious(): boolean {
    const { current, previous } = this;
    const at = 2 * this.collector;
    current.points.truncate(current.bounds[at]!);
    current.unsent?.truncate(current.bounds[at + 1]!);
    this.excess = this.excessBefore;
    this.destinations = this.allDestinations;
    const { bounds } = previous;
    // Where not all of them fit, the collector pushes them one by one, so that the excess is counted.
    if (!previous.isWhole || current.points.length + bounds[at + 2]! - bounds[at]! > MAX_POINTS) return false;
    current.points.append(previous.points, bounds[at]!, bounds[at + 2]!);
    if (previous.unsent !== undefined)
      current.unsent?.append(previous.unsent, bounds[at + 1]!, bounds[at + 3]!);
    this.destinations = NO_DESTINATION;
    return true;
  }
}

export class Round {
  private readonly containerCollectors: TimedCollectors;
  private readonly hostCollectors: TimedCollectors;
  private readonly ruleOnly: ReadonlySet<Metric>;
  private readonly sorter: PointSorter;
  private readonly telemetry: Telemetry;
  /** Start time of the host's counters. */
  private readonly hostStartTime: UnixNano;
  /** By container id, '' for the host. */
  private buffers = new Map<string, PointBuffers>();

  /**
   * @param collectors in any order: `collector-order.ts` declares which must come after which
   * @param enabled the metrics that are exported
   * @param hostStartTime when the host was booted
   * @param ruleOnly further metrics that only rules use
   */
  constructor(
    collectors: readonly Collector[],
    enabled: ReadonlySet<Metric>,
    telemetry: Telemetry,
    hostStartTime: UnixNano = 0n,
    ruleOnly: ReadonlySet<Metric> = new Set(),
  ) {
    const ordered = inOrder(collectors);
    this.ruleOnly = ruleOnly;
    this.hostStartTime = hostStartTime;
    this.containerCollectors = timed(
      ordered.filter(({ collectContainer }) => collectContainer !== undefined),
    );
    this.hostCollectors = timed(ordered.filter(({ collectHost }) => collectHost !== undefined));
    this.sorter = new PointSorter(enabled, ruleOnly);
    this.telemetry = telemetry;
  }

  /**
   * The points stay as they are until the round after the next.
   * @param host the resource of points that belong to no container; undefined leaves the host out
   */
  async collect(containers: Iterable<Container>, host?: Resource): Promise<MetricSet[]> {
    const time = unixNow();
    const sets: MetricSet[] = [];
    const buffers = new Map<string, PointBuffers>();
    const slice = new TimeSlice();
    for (const container of containers) {
      if (slice.isOver) await slice.yieldToEventLoop();
      const startTime = container.startedAt === 0n ? time : container.startedAt;
      const { points, unsent } = this.collectResource(container, this.buffersOf(container.id, buffers));
      sets.push({ resource: container.resource, container, startTime, time, points, unsent });
    }
    if (host !== undefined) {
      const { points, unsent } = this.collectResource(undefined, this.buffersOf('', buffers));
      sets.push({
        resource: host,
        container: undefined,
        startTime: this.hostStartTime,
        time,
        points,
        unsent,
      });
    }
    this.buffers = buffers;
    for (const { collectors, spent } of [this.containerCollectors, this.hostCollectors]) {
      collectors.forEach(({ name: collector }, index) => {
        const ms = spent[index]!;
        if (ms > 0) this.telemetry.count('portlight.collector.duration', ms / 1000, { collector });
      });
      spent.fill(0);
    }
    return sets.filter(({ points }) => points.length > 0);
  }

  /** The resource's buffers, the current one empty; `buffers` keeps them for the next round. */
  private buffersOf(id: string, buffers: Map<string, PointBuffers>): PointBuffers {
    const { collectors } = id === '' ? this.hostCollectors : this.containerCollectors;
    const empty = (): ResourcePoints => ({
      points: new Points(),
      unsent: this.ruleOnly.size === 0 ? undefined : new Points(),
      bounds: new Uint32Array(2 * collectors.length + 2),
      isWhole: false,
    });
    const found = this.buffers.get(id) ?? { current: empty(), previous: empty() };
    buffers.set(id, found);
    [found.current, found.previous] = [found.previous, found.current];
    found.current.points.clear();
    found.current.unsent?.clear();
    return found;
  }

  /** @param container undefined for the host */
  private collectResource(container: Container | undefined, buffers: PointBuffers): ResourcePoints {
    const { sorter, telemetry } = this;
    const { collectors, spent } = container === undefined ? this.hostCollectors : this.containerCollectors;
    const { current } = buffers;
    sorter.startResource(buffers);
    let hasFailed = false;
    let started = performance.now();
    for (let index = 0; index < collectors.length; index++) {
      const collector = collectors[index]!;
      sorter.startCollector(index);
      try {
        if (container === undefined) collector.collectHost?.(sorter);
        else collector.collectContainer?.(container, sorter);
      } catch (error) {
        hasFailed = true;
        telemetry.reportError(collector.name, error, container?.name);
      }
      const ended = performance.now();
      spent[index]! += ended - started;
      started = ended;
    }
    sorter.startCollector(collectors.length);
    const { excess } = sorter;
    current.isWhole = !hasFailed && excess === 0;
    if (excess > 0) {
      telemetry.count('portlight.records.dropped', excess, {
        signal: 'metrics',
        destination: 'all',
        reason: 'cardinality',
      });
      telemetry.warn(
        `${container?.name ?? 'the host'} has more than ${MAX_POINTS} points in a round: the rest is dropped`,
      );
    }
    return current;
  }
}
