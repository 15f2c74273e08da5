/** Wires targets, pipeline and exporters, and starts and stops them in order. */

import type { Server } from 'node:http';
import type { Logger } from 'pino';
import { readHostAttributes } from '../../collectors/host/identity.ts';
import type { Resource } from '../../collectors/records/records.ts';
import { errorMessage } from '../../collectors/shared/error-message.ts';
import { descriptorLimit, KernelFiles } from '../../collectors/shared/kernel-file.ts';
import { resolveDestinations } from '../../config/destinations.ts';
import { patternEngine } from '../../config/pattern.ts';
import type { Config } from '../../config/schema.ts';
import { VERSION } from '../../config/version.ts';
import { createExporters } from '../../exporters/index.ts';
import { PrometheusExporter } from '../../exporters/prometheus/index.ts';
import { AccessControl } from '../../exporters/server/access.ts';
import { browserUrlOf, urlOf } from '../../exporters/server/index.ts';
import { requiredToken } from '../../exporters/server/token.ts';
import type { Exporter } from '../../exporters/shared/exporter.ts';
import { createStatus } from '../../exporters/shared/status.ts';
import type { Telemetry } from '../../exporters/shared/telemetry.ts';
import { AlertEngine } from '../alerts/engine.ts';
import { LogDropCounters } from '../logs/drop-counters.ts';
import { EvidenceStore } from '../pipeline/evidence-store.ts';
import { Pipeline, type PipelineOptions } from '../pipeline/pipeline.ts';
import { metricSelection } from '../rounds/metric-selection.ts';
import { runMetricsRound } from '../rounds/metrics-round.ts';
import { RoundScheduler } from '../rounds/round-scheduler.ts';
import { createTargets } from '../targets/create-targets.ts';
import { configuredEndpoints, type NamedEndpoint } from '../targets/endpoints.ts';
import { connectScope } from '../targets/scope.ts';
import { TargetGroup } from '../targets/target-group.ts';
import { targetSettings } from '../targets/target-settings.ts';
import { connectLiveSamplers, createDashboard, dashboardSources } from './dashboard.ts';
import { closeEndpoint, openEndpoint } from './http-endpoint.ts';
import { migrateDirectory } from './layout.ts';
import { lockDirectory } from './lock.ts';
import { observeGauges } from './own-gauges.ts';
import { OwnMetricsReporter } from './own-metrics-reporter.ts';
import { pipelineOptions } from './pipeline-options.ts';
import { Positions } from './positions.ts';
import { configuredAttributes } from './record-attributes.ts';
import { Rollback } from './rollback.ts';
import { stopTracing, traceItself } from './self-tracing.ts';
import { type AgentParts, stopAgent } from './stop-agent.ts';

export interface RunningAgent {
  /** Delivers what is left and ends everything; resolves within 5 s. */
  stop(): Promise<void>;
}

function openPositions(directory: string, logger: Logger, telemetry: Telemetry): Positions {
  const onError = (error: unknown) => telemetry.reportError('positions', error);
  try {
    return new Positions(directory, onError);
  } catch (error) {
    logger.warn(
      `data_dir: ${errorMessage(error)}: positions are kept in memory only, and lost with the process`,
    );
    return new Positions(undefined, onError);
  }
}

function openKernelFiles(telemetry: Telemetry): KernelFiles {
  const limit = descriptorLimit();
  return new KernelFiles(limit, () =>
    telemetry.warn(
      `the limit of ${limit} open files is reached: kernel files are opened for each read, which takes more CPU time`,
    ),
  );
}

async function openExporters(config: Config, telemetry: Telemetry, rollback: Rollback): Promise<Exporter[]> {
  const exporters = await createExporters(config, telemetry);
  rollback.add(() => Promise.all(exporters.map((exporter) => exporter.shutdown(AbortSignal.abort()))));
  return exporters;
}

/**
 * Keeps each event as evidence, then evaluates the event rules. A rule that fails does not keep the event from export.
 * @param alerts looked up for each event, because the rules are created after the pipeline, which they emit to
 */
function eventListener(
  evidence: EvidenceStore,
  alerts: () => AlertEngine,
  telemetry: Telemetry,
): PipelineOptions['onEvent'] {
  return (resource, event) => {
    evidence.addEvent(resource, event);
    try {
      alerts().handleEvent(resource, event);
    } catch (error) {
      telemetry.reportError('alerts', error);
    }
  };
}

function logStart(logger: Logger, config: Config, endpoints: readonly NamedEndpoint[], server: Server): void {
  if (patternEngine !== 'v8')
    logger.warn(
      `this Node (${process.version}) has no linear engine for regular expressions: log patterns use ${patternEngine}, which costs more CPU. To fix: use the Node version of the image`,
    );
  logger.info(
    {
      version: VERSION,
      daemon: endpoints.map(({ endpoint }) => endpoint.host).join(', '),
      origin: endpoints.map(({ endpoint }) => endpoint.origin).join(', '),
      exporters: config.exporter,
      listen: urlOf(server),
    },
    config.dashboard.enabled ? `portlight started; dashboard: ${browserUrlOf(server)}/` : 'portlight started',
  );
}

/**
 * @throws {Error} when something that the configuration names is not available: the Docker context, the address to
 *   listen on, a data directory of this layout
 */
export async function startAgent(
  config: Config,
  logger: Logger,
  telemetry: Telemetry,
): Promise<RunningAgent> {
  const rollback = new Rollback((error) =>
    telemetry.warn(`cannot close after a failed start: ${errorMessage(error)}`),
  );
  try {
    const unlock = await lockDirectory(config.data_dir);
    rollback.add(unlock);
    migrateDirectory(config.data_dir);
    return await startLocked(config, logger, telemetry, unlock, rollback);
  } catch (error) {
    await rollback.run();
    throw error;
  }
}

/** @param rollback gets a step for everything that is opened */
async function startLocked(
  config: Config,
  logger: Logger,
  telemetry: Telemetry,
  unlock: () => Promise<void>,
  rollback: Rollback,
): Promise<RunningAgent> {
  const startedAt = new Date();
  const baseline = telemetry.snapshot();
  const endpoints = configuredEndpoints(config);
  const scope = await connectScope(endpoints[0]!.endpoint, config.scope, (message) => logger.warn(message));
  // Before anything is opened: without a token, the agent may have to refuse to start.
  const token = requiredToken(config.listen.host, config.data_dir, logger);
  const access = new AccessControl(config.dashboard.hosts, token);
  const positions = openPositions(config.data_dir, logger, telemetry);
  rollback.add(() => positions.close());
  const [exporters, host] = await Promise.all([
    openExporters(config, telemetry, rollback),
    readHostAttributes(config.procfs, config.rootfs),
  ]);
  const { everyRecord, agentOnly } = configuredAttributes(config);
  const agentResource: Resource = {
    attributes: { 'service.name': 'portlight', ...host, ...everyRecord, ...agentOnly },
  };
  const destinations = resolveDestinations(config);
  const scrape = new PrometheusExporter(telemetry);
  const evidence = new EvidenceStore(config.procfs);
  const dropCounters = new LogDropCounters();

  const targets = new TargetGroup();
  const status = () => createStatus(telemetry, exporters, targets.statuses(), startedAt);
  const sources = dashboardSources({ targets: targets.all, status, telemetry });
  const dashboard = await createDashboard(config, sources, telemetry);
  rollback.add(() => dashboard?.shutdown());
  const configured = pipelineOptions(config, destinations, telemetry);
  const pipeline = new Pipeline({
    ...{ ...configured, telemetry },
    exporters: [...exporters, scrape, ...(dashboard === undefined ? [] : [dashboard])],
    onLines: (container, records) => evidence.addLines(container, records),
    onEvent: eventListener(evidence, () => alerts, telemetry),
    onDropped: (container, reason, count) => dropCounters.count(container, reason, count),
  });
  const alerts: AlertEngine = new AlertEngine({
    config: config.alerts,
    interval: config.interval,
    sink: pipeline,
    store: positions,
    evidenceOf: (id) => evidence.alertContext(id),
    hasContainer: (id) => targets.hasContainer(id),
    isDaemonUnreachable: (id) => targets.isDaemonUnreachable(id),
    warn: (message) => telemetry.warn(message),
  });
  const ownTraces = await traceItself(config, destinations, logger, telemetry, {
    resource: agentResource.attributes,
    emit: (otlp, count) => pipeline.emitOwnSpans(agentResource, otlp, count),
  });
  rollback.add(() => stopTracing(telemetry, ownTraces));

  const files = openKernelFiles(telemetry);
  const metrics = metricSelection(config, alerts.metrics);
  const { procfs, rootfs } = config;
  const liveSamplers = connectLiveSamplers(config.interval, dashboard, {
    ...{ procfs, rootfs, files, telemetry },
    rows: metrics.rows,
  });
  targets.add(
    await createTargets(endpoints, scope, {
      settings: targetSettings(config),
      ...{ telemetry, evidence, files, metrics, liveSamplers },
      sink: pipeline,
      store: positions,
      sharedCollectors: [dropCounters],
      hostAttributes: host,
      configuredAttributes: everyRecord,
      agentAttributes: agentOnly,
    }),
  );
  rollback.add(() => targets.close());

  const server = await openEndpoint(config.listen, {
    ...{ access, scrape, dashboard, status },
    isReady: () => targets.isConnected,
    alerts: () => alerts.currentAlerts,
    onError: (error) => telemetry.reportError('server', error),
  });
  rollback.add(() => closeEndpoint(server));
  logStart(logger, config, endpoints, server);
  observeGauges(telemetry, exporters, targets.all);
  const ownMetrics = new OwnMetricsReporter(destinations.length > 0, {
    ...{ telemetry, baseline, temporality: configured.temporality },
    resource: agentResource.attributes,
    emit: (otlp, count) => pipeline.emitOwnMetrics(agentResource, otlp, count),
  });
  rollback.add(() => ownMetrics.shutdown());
  const round = {
    sources: targets.all,
    telemetry,
    keepEvidence: evidence.addRound.bind(evidence),
    evaluateRules: alerts.evaluateRound.bind(alerts),
    exportSets: pipeline.emitMetrics.bind(pipeline),
  };
  const rounds = new RoundScheduler(
    String(agentResource.attributes['host.id'] ?? ''),
    config.interval,
    async (deadline) => {
      await runMetricsRound(round, deadline);
      await ownMetrics.reportWhenDue();
    },
  );
  for (const exporter of exporters) exporter.start?.();
  targets.start(() => rounds.start());

  const parts: AgentParts = {
    ...{ telemetry, server, rounds, targets, pipeline, exporters, dashboard },
    ...{ ownMetrics, ownTraces, positions, unlock },
  };
  return { stop: () => stopAgent(parts) };
}
