/** All targets of an agent: where a container is looked up, and their common start and end. */

import type { DaemonStatus } from '../../exporters/shared/status.ts';
import type { Target } from './target.ts';

export class TargetGroup {
  /** Empty until `add`: the pipeline, the rules and the dashboard are created before the targets that they look up. */
  readonly all: Target[] = [];

  add(targets: readonly Target[]): void {
    this.all.push(...targets);
  }

  /** Whether any target receives events. */
  get isConnected(): boolean {
    return this.all.some(({ connected }) => connected);
  }

  /** Whether the container exists, observed or not. */
  hasContainer(id: string): boolean {
    return this.all.some((target) => target.exists(id));
  }

  /** Whether metrics of the container are missing because its daemon does not answer. */
  isDaemonUnreachable(id: string): boolean {
    return this.all.some((target) => target.isUnreachable && target.exists(id));
  }

  statuses(): DaemonStatus[] {
    return this.all.map(({ name = null, endpoint, connected, containers }) => ({
      name,
      host: endpoint.host,
      connected,
      containers: containers.size,
    }));
  }

  /** @param onReady called for each target, when its existing containers are known */
  start(onReady: () => void): void {
    for (const target of this.all) target.start(onReady);
  }

  async close(): Promise<void> {
    await Promise.all(this.all.map((target) => target.close()));
  }
}
