/** Stops a running agent in order. */

import type { Server } from 'node:http';
import type { DashboardExporter } from '../../exporters/dashboard/index.ts';
import type { Exporter } from '../../exporters/shared/exporter.ts';
import type { Telemetry } from '../../exporters/shared/telemetry.ts';
import type { Pipeline } from '../pipeline/pipeline.ts';
import type { RoundScheduler } from '../rounds/round-scheduler.ts';
import type { TargetGroup } from '../targets/target-group.ts';
import { closeEndpoint } from './http-endpoint.ts';
import type { OwnMetricsReporter } from './own-metrics-reporter.ts';
import type { OwnTraces } from './own-traces.ts';
import type { Positions } from './positions.ts';
import { stopTracing } from './self-tracing.ts';

/** Time for exporters to deliver the rest; the whole stop takes less than 5 s. */
const FLUSH_MS = 3500;

/** What a running agent has to stop. */
export interface AgentParts {
  readonly telemetry: Telemetry;
  readonly server: Server;
  readonly rounds: RoundScheduler;
  readonly targets: TargetGroup;
  readonly pipeline: Pipeline;
  readonly exporters: readonly Exporter[];
  readonly dashboard: DashboardExporter | undefined;
  readonly ownMetrics: OwnMetricsReporter;
  readonly ownTraces: OwnTraces | undefined;
  readonly positions: Positions;
  readonly unlock: () => Promise<void>;
}

/** Stops what collects, then delivers what is left, then closes what both need. */
export async function stopAgent(parts: AgentParts): Promise<void> {
  const { telemetry, server, rounds, targets, pipeline, exporters, ownMetrics, positions } = parts;
  const deadline = AbortSignal.timeout(FLUSH_MS);
  const roundsClosed = rounds.close();
  await closeEndpoint(server);
  await roundsClosed;
  await targets.close();
  pipeline.flush();
  await ownMetrics.report();
  await stopTracing(telemetry, parts.ownTraces);
  const ended = await Promise.allSettled([
    ...exporters.map((exporter) => exporter.shutdown(deadline)),
    parts.dashboard?.shutdown(),
    ownMetrics.shutdown(),
  ]);
  for (const end of ended) if (end.status === 'rejected') telemetry.reportError('exporters', end.reason);
  // Acknowledgements that arrive in this turn of the event loop become positions.
  await new Promise((resolve) => setImmediate(resolve));
  positions.close();
  await parts.unlock();
}
