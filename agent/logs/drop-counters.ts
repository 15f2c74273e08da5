/** Counts the lines of each container's log that were dropped or cut, as a metric of the container. */

import { catalogue } from '../../collectors/catalogue/index.ts';
import type { Collector } from '../../collectors/records/collector.ts';
import type { Attributes, Container, PointSink } from '../../collectors/records/records.ts';

export class LogDropCounters implements Collector {
  readonly name = 'log losses';
  private readonly counts = new Map<string, Map<string, { attributes: Attributes; value: number }>>();

  private readonly removed = new WeakSet<Container>();

  /** Counters start at 0 with each run, like those of the kernel. */
  attachContainer({ id }: Container): void {
    for (const count of this.counts.get(id)?.values() ?? []) count.value = 0;
  }

  count(container: Container, reason: string, count: number): void {
    if (this.removed.has(container)) return;
    const counts = this.counts.get(container.id) ?? new Map();
    this.counts.set(container.id, counts);
    const known = counts.get(reason);
    if (known === undefined) counts.set(reason, { attributes: { reason }, value: count });
    else known.value += count;
  }

  removeContainer(container: Container): void {
    this.removed.add(container);
    this.counts.delete(container.id);
  }

  collectContainer({ id }: Container, points: PointSink): void {
    for (const { attributes, value } of this.counts.get(id)?.values() ?? [])
      points.push({ metric: catalogue.logDropped, value, attributes });
  }
}
