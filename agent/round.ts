/** One round of metrics: asks every polled collector for the points of every running container. */
import type { Collector } from '../collectors/collector.ts';
import { catalogue } from './catalogue.ts';
import type { Container, MetricSet, Point } from './records.ts';
import type { Telemetry } from './telemetry.ts';

export function collectRound(
  containers: Iterable<Container>,
  collectors: readonly Collector[],
  telemetry: Telemetry,
): MetricSet[] {
  const time = BigInt(Date.now()) * 1_000_000n;
  const sets: MetricSet[] = [];
  const spent = new Map<string, number>();
  for (const container of containers) {
    if (container.pid === 0) continue;
    const points: Point[] = [];
    for (const collector of collectors) {
      if (collector.collect === undefined) continue;
      const begun = performance.now();
      try {
        collector.collect(container, points);
      } catch (error) {
        telemetry.fault(collector.name, error, container.name);
      }
      spent.set(collector.name, (spent.get(collector.name) ?? 0) + performance.now() - begun);
    }
    const uptime = Number(time - container.startedAt) / 1e9;
    points.push({ metric: catalogue.uptime, value: Math.max(0, uptime) });
    sets.push({ container, startTime: container.startedAt, time, points });
  }
  for (const [collector, ms] of spent)
    telemetry.add('portlight.collector.duration', ms / 1000, { collector });
  return sets;
}
