/** One round of metrics: asks every polled collector for the points of every container, and of the host. */
import { setImmediate } from 'node:timers/promises';
import type { Collector } from '../collectors/collector.ts';
import type { Container, Metric, MetricSet, Point, Resource, UnixNano } from './records.ts';
import type { Telemetry } from './telemetry.ts';

/** Bound of the series of one container, or of the host: thousands of volumes or interfaces must not flood a store. */
const MAX_POINTS = 5000;
/** How long a round holds the event loop before logs and events have their turn. */
const LONGEST_TURN_MS = 8;

export class Round {
  private readonly collectors: readonly Collector[];
  private readonly enabled: ReadonlySet<Metric>;
  private readonly telemetry: Telemetry;
  /** When the host's counters began: when it was started. */
  private readonly begun: UnixNano;

  /**
   * @param enabled the metrics that are wanted
   * @param begun when the host was started
   */
  constructor(
    collectors: readonly Collector[],
    enabled: ReadonlySet<Metric>,
    telemetry: Telemetry,
    begun: UnixNano = 0n,
  ) {
    this.begun = begun;
    this.collectors = collectors;
    this.enabled = enabled;
    this.telemetry = telemetry;
  }

  /** @param host the resource of what is about no container; without it, the host is left out */
  async collect(containers: Iterable<Container>, host?: Resource): Promise<MetricSet[]> {
    const time = BigInt(Date.now()) * 1_000_000n;
    const spent = new Map<string, number>();
    const sets: MetricSet[] = [];
    const ask = (about: Container | undefined): Point[] => {
      const points: Point[] = [];
      for (const collector of this.collectors) {
        const begun = performance.now();
        try {
          if (about === undefined) collector.collectHost?.(points);
          else collector.collect?.(about, points);
        } catch (error) {
          this.telemetry.fault(collector.name, error, about?.name);
        }
        spent.set(collector.name, (spent.get(collector.name) ?? 0) + performance.now() - begun);
      }
      const wanted = points.filter(({ metric }) => this.enabled.has(metric));
      const excess = wanted.length - MAX_POINTS;
      if (excess > 0) {
        this.telemetry.add('portlight.records.dropped', excess, {
          signal: 'metrics',
          exporter: 'all',
          reason: 'cardinality',
        });
        this.telemetry.warn(
          `more than ${MAX_POINTS} points of ${about?.name ?? 'the host'} in a round: the rest is dropped`,
        );
        wanted.length = MAX_POINTS;
      }
      return wanted;
    };
    let since = performance.now();
    for (const container of containers) {
      if (performance.now() - since > LONGEST_TURN_MS) {
        await setImmediate();
        since = performance.now();
      }
      const startTime = container.startedAt === 0n ? time : container.startedAt;
      sets.push({ resource: container.resource, container, startTime, time, points: ask(container) });
    }
    if (host !== undefined) {
      sets.push({
        resource: host,
        container: undefined,
        startTime: this.begun,
        time,
        points: ask(undefined),
      });
    }
    for (const [collector, ms] of spent) {
      if (ms > 0) this.telemetry.add('portlight.collector.duration', ms / 1000, { collector });
    }
    return sets.filter(({ points }) => points.length > 0);
  }
}
