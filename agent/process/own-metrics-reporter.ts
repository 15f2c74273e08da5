/** Decides when the agent's own metrics are exported. */

import type { Telemetry } from '../../exporters/shared/telemetry.ts';
import type { OwnMetrics, OwnMetricsOptions } from './own-metrics.ts';

/** The agent's own state changes slowly, and each export costs as much as a round. */
const INTERVAL_MS = 60_000;

export class OwnMetricsReporter {
  private readonly telemetry: Telemetry;
  private readonly started: Promise<OwnMetrics> | undefined;
  private reportedAt = performance.now();

  /** @param isWanted whether there is a destination for them; without one, the SDK is not loaded */
  constructor(isWanted: boolean, options: OwnMetricsOptions) {
    this.telemetry = options.telemetry;
    // Large libraries: they load while the agent already works.
    this.started = isWanted
      ? import('./own-metrics.ts').then(({ startOwnMetrics }) => startOwnMetrics(options))
      : undefined;
    this.started?.catch((error) => this.telemetry.reportError('sdk', error));
  }

  /** Called after each round. */
  async reportWhenDue(): Promise<void> {
    if (performance.now() - this.reportedAt < INTERVAL_MS) return;
    this.reportedAt = performance.now();
    await this.report();
  }

  async report(): Promise<void> {
    try {
      await (await this.started)?.collect();
    } catch (error) {
      this.telemetry.reportError('sdk', error);
    }
  }

  async shutdown(): Promise<void> {
    await (await this.started)?.shutdown();
  }
}
