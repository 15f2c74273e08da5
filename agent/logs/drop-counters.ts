/** Counts what was left out of each container's log, as a metric of the container. */

import { catalogue } from '../../collectors/catalogue/index.ts';
import type { Collector } from '../../collectors/records/collector.ts';
import type { Attributes, Container, PointSink } from '../../collectors/records/records.ts';

export class LogDropCounters implements Collector {
  readonly name = 'log losses';
  private readonly counts = new Map<string, Map<string, { attributes: Attributes; value: number }>>();

  private readonly gone = new WeakSet<Container>();

  /** Counts begin with each run, as those of the kernel do. */
  attachContainer({ id }: Container): void {
    for (const count of this.counts.get(id)?.values() ?? []) count.value = 0;
  }

  count(container: Container, reason: string, count: number): void {
    if (this.gone.has(container)) return;
    const counts = this.counts.get(container.id) ?? new Map();
    this.counts.set(container.id, counts);
    const known = counts.get(reason);
    if (known === undefined) counts.set(reason, { attributes: { reason }, value: count });
    else known.value += count;
  }

  removeContainer(container: Container): void {
    this.gone.add(container);
    this.counts.delete(container.id);
  }

  collectContainer({ id }: Container, points: PointSink): void {
    for (const { attributes, value } of this.counts.get(id)?.values() ?? [])
      points.push({ metric: catalogue.logDropped, value, attributes });
  }
}
