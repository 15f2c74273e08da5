/** State of each container as the daemon reports it, running or not. Events keep it current. */
import { catalogue } from './catalogue/index.ts';
import type { Collector } from './records/collector.ts';
import { type Attributes, type Container, type Point, type PointSink, unixNow } from './records/records.ts';

/** The Engine API's values of State.Status and State.Health.Status. */
const STATUSES = ['created', 'running', 'paused', 'restarting', 'removing', 'exited', 'dead'];
const HEALTHS = ['starting', 'healthy', 'unhealthy'];

const attributesByValue = (key: string, values: readonly string[]): ReadonlyMap<string, Attributes> =>
  new Map(values.map((value) => [value, { [key]: value }]));
const statusAttributes = attributesByValue('container.status', STATUSES);
const healthAttributes = attributesByValue('container.health.status', HEALTHS);

const seconds = (nanos: bigint): number => Number(nanos) / 1e9;

export class StateCollector implements Collector {
  readonly name = 'state';

  collectContainer(container: Container, points: PointSink): void {
    const now = unixNow();
    const add = (metric: Point['metric'], value: number, attributes?: Attributes) =>
      points.push({ metric, value, attributes });
    add(catalogue.lastSeen, seconds(now));
    add(catalogue.status, 1, statusAttributes.get(container.status));
    if (container.restarts !== undefined) add(catalogue.restarts, container.restarts);
    // The daemon keeps the result of the last health check, also after the container has ended.
    if (container.health !== undefined && container.pid !== 0) {
      add(catalogue.health, 1, healthAttributes.get(container.health));
      add(catalogue.healthy, container.health === 'healthy' ? 1 : 0);
    }
    if (container.imageCreated !== 0n) add(catalogue.imageAge, seconds(now - container.imageCreated));
    if (container.startedAt !== 0n) add(catalogue.startTime, seconds(container.startedAt));
    if (container.pid !== 0) add(catalogue.uptime, Math.max(0, seconds(now - container.startedAt)));
    else if (container.startedAt !== 0n) {
      if (container.exitCode !== undefined) add(catalogue.exitCode, container.exitCode);
      if (container.oomKilled !== undefined) add(catalogue.oomKilled, container.oomKilled ? 1 : 0);
    }
  }
}
