/** One round of metrics: asks every polled collector for the points of every container, and of the host. */
import type { Collector } from '../collectors/collector.ts';
import { Points } from './points.ts';
import {
  type Container,
  type Metric,
  type MetricSet,
  type Point,
  type Resource,
  type UnixNano,
  unixNow,
} from './records.ts';
import type { Telemetry } from './telemetry.ts';
import { Turn } from './turn.ts';

/** Bound of the series of one container, or of the host: thousands of volumes or interfaces must not flood a store. */
const MAX_POINTS = 5000;

/** One resource's points of a round: what is sent, and what only rules look at. */
interface Found {
  readonly points: Points;
  readonly unsent: Points | undefined;
}

/** Where one resource's points go: those of the last round stay as they are while the next is collected. */
interface Room {
  current: Found;
  last: Found;
}

export class Round {
  private readonly collectors: readonly Collector[];
  private readonly enabled: ReadonlySet<Metric>;
  private readonly watched: ReadonlySet<Metric>;
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
    this.collectors = collectors;
    this.enabled = enabled;
    this.telemetry = telemetry;
  }

  /**
   * Points stay as they are until the round after the next.
   * @param host the resource of what is about no container; without it, the host is left out
   */
  async collect(containers: Iterable<Container>, host?: Resource): Promise<MetricSet[]> {
    const time = unixNow();
    const spent = new Float64Array(this.collectors.length);
    const sets: MetricSet[] = [];
    const rooms = new Map<string, Room>();
    const turn = new Turn();
    for (const container of containers) {
      if (turn.isOver) await turn.giveWay();
      const startTime = container.startedAt === 0n ? time : container.startedAt;
      const found = this.ask(container, this.roomFor(container.id, rooms), spent);
      sets.push({ resource: container.resource, container, startTime, time, ...found });
    }
    if (host !== undefined) {
      const found = this.ask(undefined, this.roomFor('', rooms), spent);
      sets.push({ resource: host, container: undefined, startTime: this.begun, time, ...found });
    }
    this.rooms = rooms;
    this.collectors.forEach(({ name: collector }, index) => {
      const ms = spent[index]!;
      if (ms > 0) this.telemetry.add('portlight.collector.duration', ms / 1000, { collector });
    });
    return sets.filter(({ points }) => points.length > 0);
  }

  /** An empty place for points, kept in `rooms` for the next round. */
  private roomFor(id: string, rooms: Map<string, Room>): Found {
    const empty = (): Found => ({
      points: new Points(),
      unsent: this.watched.size === 0 ? undefined : new Points(),
    });
    const room = this.rooms.get(id) ?? { current: empty(), last: empty() };
    rooms.set(id, room);
    [room.current, room.last] = [room.last, room.current];
    room.current.points.clear();
    room.current.unsent?.clear();
    return room.current;
  }

  /** @param spent by each collector, ms: added to */
  private ask(about: Container | undefined, found: Found, spent: Float64Array): Found {
    const { points, unsent } = found;
    let excess = 0;
    const sink = {
      push: (point: Point) => {
        const wanted = this.enabled.has(point.metric)
          ? points
          : this.watched.has(point.metric)
            ? unsent
            : undefined;
        if (wanted === undefined) return;
        if (wanted.length < MAX_POINTS) wanted.push(point);
        else excess++;
      },
    };
    let begun = performance.now();
    for (let index = 0; index < this.collectors.length; index++) {
      const collector = this.collectors[index]!;
      try {
        if (about === undefined) collector.collectHost?.(sink);
        else collector.collect?.(about, sink);
      } catch (error) {
        this.telemetry.fault(collector.name, error, about?.name);
      }
      const ended = performance.now();
      spent[index]! += ended - begun;
      begun = ended;
    }
    if (excess > 0) {
      this.telemetry.add('portlight.records.dropped', excess, {
        signal: 'metrics',
        destination: 'all',
        reason: 'cardinality',
      });
      this.telemetry.warn(
        `more than ${MAX_POINTS} points of ${about?.name ?? 'the host'} in a round: the rest is dropped`,
      );
    }
    return found;
  }
}
