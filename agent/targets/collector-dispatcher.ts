/** Attaches collectors to containers, and detaches them, as containers start and stop. */

import type { ContainerListener } from '../../collectors/lifecycle/container-listener.ts';
import type { Collector } from '../../collectors/records/collector.ts';
import type { Container } from '../../collectors/records/records.ts';
import { isDenied, isGone } from '../../collectors/shared/kernel-file.ts';
import type { Telemetry } from '../../exporters/shared/telemetry.ts';
import { inOrder } from '../rounds/collector-order.ts';

type CollectorFilter = (container: Container) => (collector: Collector) => boolean;

/** Calls every collector for each change of a container; each run of a container is attached once. */
export class CollectorDispatcher implements ContainerListener {
  private readonly collectors: readonly Collector[];
  private readonly telemetry: Pick<Telemetry, 'reportError'>;
  private readonly collectorFilter: CollectorFilter;
  /** `startedAt` of the run that the collectors are attached to, by container id. */
  private readonly runs = new Map<string, bigint>();

  /**
   * @param collectors in any order: `collector-order.ts` declares which must come after which
   * @param collectorFilter which collectors can work for a container; called once for each start
   */
  constructor(
    collectors: readonly Collector[],
    telemetry: Pick<Telemetry, 'reportError'>,
    collectorFilter: CollectorFilter = () => () => true,
  ) {
    this.collectors = inOrder(collectors);
    this.telemetry = telemetry;
    this.collectorFilter = collectorFilter;
  }

  containerStarting(id: string, container: Container | undefined): void {
    for (const collector of this.collectors) {
      try {
        collector.anticipateContainer?.(id, container);
      } catch (error) {
        this.reportUnlessExpected(collector, error, container?.name);
      }
    }
  }

  containerStarted(container: Container): void {
    if (this.runs.get(container.id) === container.startedAt) return;
    this.runs.set(container.id, container.startedAt);
    const canWork = this.collectorFilter(container);
    void this.callEach(container, (collector) =>
      canWork(collector) ? collector.attachContainer?.(container) : undefined,
    );
  }

  containerChanged(container: Container): void {
    void this.callEach(container, (collector) => collector.updateContainer?.(container));
  }

  async containerStopped(container: Container): Promise<void> {
    this.runs.delete(container.id);
    // Collectors detach in parallel: each may still have to read the rest of its source.
    const detached: Promise<void>[] = [];
    await this.callEach(container, (collector) => {
      const detaching = collector.detachContainer?.(container);
      if (detaching === undefined) return;
      detached.push(detaching.catch((error) => this.reportUnlessExpected(collector, error, container.name)));
    });
    await Promise.all(detached);
  }

  containerRemoved(container: Container): void {
    container.pid = 0;
    void this.containerStopped(container);
    void this.callEach(container, (collector) => collector.removeContainer?.(container));
  }

  private async callEach(
    container: Container,
    call: (collector: Collector) => void | Promise<void>,
  ): Promise<void> {
    for (const collector of this.collectors) {
      try {
        await call(collector);
      } catch (error) {
        this.reportUnlessExpected(collector, error, container.name);
      }
    }
  }

  /** A container that has exited meanwhile is no error, and access-checks.ts reports missing privileges. */
  private reportUnlessExpected(collector: Collector, error: unknown, container: string | undefined): void {
    if (!isGone(error) && !isDenied(error)) this.telemetry.reportError(collector.name, error, container);
  }
}
