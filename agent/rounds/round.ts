/** One round of metrics: asks every polled collector for the points of every container, and of the host. */

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

/** Bound of the series of one container, or of the host: thousands of volumes or interfaces must not flood a store. */
const MAX_POINTS = 5000;

/** One resource's points of a round: what is sent, and what only rules look at. */
interface Found {
  readonly points: Points;
  readonly unsent: Points | undefined;
  /** How many of both there were before each collector was asked, and after the last. */
  readonly bounds: Uint32Array;
  /** Whether each collector has given all that it has. */
  isWhole: boolean;
}

/** Where one resource's points go: those of the last round stay as they are while the next is collected. */
interface Room {
  current: Found;
  last: Found;
}

/** Who is asked for points, and how long each took in this round, ms. */
interface Asked {
  readonly collectors: readonly Collector[];
  readonly spent: Float64Array;
}

const askedOf = (collectors: readonly Collector[]): Asked => ({
  collectors,
  spent: new Float64Array(collectors.length),
});

/** Sorts the points that collectors give of one resource after the other. */
class Sorter implements PointSink {
  /** How many had no room. */
  excess = 0;
  private readonly places: ReadonlyMap<Metric, 'points' | 'unsent'>;
  private current!: Found;
  private last!: Found;
  private collector = 0;

  constructor(enabled: ReadonlySet<Metric>, watched: ReadonlySet<Metric>) {
    const unsent = [...watched].map((metric) => [metric, 'unsent'] as const);
    this.places = new Map([...unsent, ...[...enabled].map((metric) => [metric, 'points'] as const)]);
  }

  begin({ current, last }: Room): void {
    this.current = current;
    this.last = last;
    this.excess = 0;
  }

  /** From now on they are this collector's; what is behind the last belongs to none. */
  next(collector: number): void {
    this.collector = collector;
    this.current.bounds[2 * collector] = this.current.points.length;
    this.current.bounds[2 * collector + 1] = this.current.unsent?.length ?? 0;
  }

  push(point: Point): void {
    const place = this.places.get(point.metric);
    const wanted = place === undefined ? undefined : this.current[place];
    if (wanted === undefined) return;
    if (wanted.length < MAX_POINTS) wanted.push(point);
    else this.excess++;
  }

  repeatPrevious(): boolean {
    const { current, last } = this;
    const { bounds } = last;
    const at = 2 * this.collector;
    // One by one, what has no room is counted.
    if (!last.isWhole || current.points.length + bounds[at + 2]! - bounds[at]! > MAX_POINTS) return false;
    current.points.append(last.points, bounds[at]!, bounds[at + 2]!);
    if (last.unsent !== undefined) current.unsent?.append(last.unsent, bounds[at + 1]!, bounds[at + 3]!);
    return true;
  }
}

export class Round {
  private readonly ofContainers: Asked;
  private readonly ofHost: Asked;
  private readonly watched: ReadonlySet<Metric>;
  private readonly sorter: Sorter;
  private readonly telemetry: Telemetry;
  /** When the host's counters began: when it was started. */
  private readonly begun: UnixNano;
  /** By container id, '' for the host. */
  private rooms = new Map<string, Room>();

  /**
   * @param enabled the metrics that are wanted
   * @param watched those besides that only rules look at
   * @param begun when the host was started
   */
  constructor(
    collectors: readonly Collector[],
    enabled: ReadonlySet<Metric>,
    telemetry: Telemetry,
    begun: UnixNano = 0n,
    watched: ReadonlySet<Metric> = new Set(),
  ) {
    this.watched = watched;
    this.begun = begun;
    this.ofContainers = askedOf(collectors.filter(({ collectContainer: collect }) => collect !== undefined));
    this.ofHost = askedOf(collectors.filter(({ collectHost }) => collectHost !== undefined));
    this.sorter = new Sorter(enabled, watched);
    this.telemetry = telemetry;
  }

  /**
   * Points stay as they are until the round after the next.
   * @param host the resource of what is about no container; without it, the host is left out
   */
  async collect(containers: Iterable<Container>, host?: Resource): Promise<MetricSet[]> {
    const time = unixNow();
    const sets: MetricSet[] = [];
    const rooms = new Map<string, Room>();
    const slice = new TimeSlice();
    for (const container of containers) {
      if (slice.isOver) await slice.yieldToEventLoop();
      const startTime = container.startedAt === 0n ? time : container.startedAt;
      const { points, unsent } = this.ask(container, this.roomFor(container.id, rooms));
      sets.push({ resource: container.resource, container, startTime, time, points, unsent });
    }
    if (host !== undefined) {
      const { points, unsent } = this.ask(undefined, this.roomFor('', rooms));
      sets.push({ resource: host, container: undefined, startTime: this.begun, time, points, unsent });
    }
    this.rooms = rooms;
    for (const { collectors, spent } of [this.ofContainers, this.ofHost]) {
      collectors.forEach(({ name: collector }, index) => {
        const ms = spent[index]!;
        if (ms > 0) this.telemetry.count('portlight.collector.duration', ms / 1000, { collector });
      });
      spent.fill(0);
    }
    return sets.filter(({ points }) => points.length > 0);
  }

  /** An empty place for points, kept in `rooms` for the next round. */
  private roomFor(id: string, rooms: Map<string, Room>): Room {
    const asked = id === '' ? this.ofHost : this.ofContainers;
    const empty = (): Found => ({
      points: new Points(),
      unsent: this.watched.size === 0 ? undefined : new Points(),
      bounds: new Uint32Array(2 * asked.collectors.length + 2),
      isWhole: false,
    });
    const room = this.rooms.get(id) ?? { current: empty(), last: empty() };
    rooms.set(id, room);
    [room.current, room.last] = [room.last, room.current];
    room.current.points.clear();
    room.current.unsent?.clear();
    return room;
  }

  private ask(about: Container | undefined, room: Room): Found {
    const { sorter, telemetry } = this;
    const { collectors, spent } = about === undefined ? this.ofHost : this.ofContainers;
    const { current } = room;
    sorter.begin(room);
    let hasFailed = false;
    let begun = performance.now();
    for (let index = 0; index < collectors.length; index++) {
      const collector = collectors[index]!;
      sorter.next(index);
      try {
        if (about === undefined) collector.collectHost?.(sorter);
        else collector.collectContainer?.(about, sorter);
      } catch (error) {
        hasFailed = true;
        telemetry.reportError(collector.name, error, about?.name);
      }
      const ended = performance.now();
      spent[index]! += ended - begun;
      begun = ended;
    }
    sorter.next(collectors.length);
    const { excess } = sorter;
    current.isWhole = !hasFailed && excess === 0;
    if (excess > 0) {
      telemetry.count('portlight.records.dropped', excess, {
        signal: 'metrics',
        destination: 'all',
        reason: 'cardinality',
      });
      telemetry.warn(
        `more than ${MAX_POINTS} points of ${about?.name ?? 'the host'} in a round: the rest is dropped`,
      );
    }
    return current;
  }
}
