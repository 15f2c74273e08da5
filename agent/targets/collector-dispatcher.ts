/** What happens to containers, told to the collectors that attach to them. */

import type { ContainerListener } from '../../collectors/lifecycle/container-listener.ts';
import type { Collector } from '../../collectors/records/collector.ts';
import type { Container } from '../../collectors/records/records.ts';
import { isDenied, isGone } from '../../collectors/shared/kernel-file.ts';
import type { Telemetry } from '../../exporters/shared/telemetry.ts';

/** Fans what happens to containers out to the collectors, each run of a container once. */
export class CollectorDispatcher implements ContainerListener {
  private readonly collectors: readonly Collector[];
  private readonly telemetry: Telemetry;
  private readonly collectorFilter: (container: Container) => (collector: Collector) => boolean;
  /** `startedAt` of the run that each container's collectors are attached to. */
  private readonly runs = new Map<string, bigint>();

  /** @param whoCan which collectors can do anything for a container, looked at once for each start */
  constructor(
    collectors: readonly Collector[],
    telemetry: Telemetry,
    whoCan: (container: Container) => (collector: Collector) => boolean = () => () => true,
  ) {
    this.collectorFilter = whoCan;
    this.collectors = collectors;
    this.telemetry = telemetry;
  }

  containerStarting(id: string, container: Container | undefined): void {
    for (const collector of this.collectors) collector.anticipateContainer?.(id, container);
  }

  containerStarted(container: Container): void {
    if (this.runs.get(container.id) === container.startedAt) return;
    this.runs.set(container.id, container.startedAt);
    const can = this.collectorFilter(container);
    void this.each(container, (collector) =>
      can(collector) ? collector.attachContainer?.(container) : undefined,
    );
  }

  containerChanged(container: Container): void {
    void this.each(container, (collector) => collector.updateContainer?.(container));
  }

  async containerStopped(container: Container): Promise<void> {
    this.runs.delete(container.id);
    const left: (Promise<void> | void)[] = [];
    await this.each(container, (collector) => void left.push(collector.detachContainer?.(container)));
    await Promise.all(left);
  }

  containerRemoved(container: Container): void {
    container.pid = 0;
    void this.containerStopped(container);
    void this.each(container, (collector) => collector.removeContainer?.(container));
  }

  private async each(
    container: Container,
    act: (collector: Collector) => void | Promise<void>,
  ): Promise<void> {
    for (const collector of this.collectors) {
      try {
        await act(collector);
      } catch (error) {
        // A container that has ended before we could look at it is no fault; what we may not see is told once (access-checks.ts).
        if (!isGone(error) && !isDenied(error))
          this.telemetry.reportError(collector.name, error, container.name);
      }
    }
  }
}
