/** Wires targets, pipeline and exporters, and starts and stops them in order. */

import type { Server } from 'node:http';
import type { Logger } from 'pino';
import { readHostAttributes } from '../../collectors/host/identity.ts';
import type { Resource } from '../../collectors/records/records.ts';
import { errorMessage } from '../../collectors/shared/error-message.ts';
import { descriptorLimit, KernelFiles } from '../../collectors/shared/kernel-file.ts';
import { compileWildcards } from '../../collectors/shared/wildcard.ts';
import { resolveDestinations } from '../../config/destinations.ts';
import { patternEngine } from '../../config/pattern.ts';
import type { Config } from '../../config/schema.ts';
import { VERSION } from '../../config/version.ts';
import type { DataSources } from '../../exporters/dashboard/data-sources.ts';
import type { DashboardExporter } from '../../exporters/dashboard/index.ts';
import { createExporters } from '../../exporters/index.ts';
import { PrometheusExporter } from '../../exporters/prometheus/index.ts';
import { AccessControl } from '../../exporters/server/access.ts';
import { browserUrlOf, urlOf } from '../../exporters/server/index.ts';
import { requiredToken } from '../../exporters/server/token.ts';
import type { Exporter } from '../../exporters/shared/exporter.ts';
import { createStatus, type Status } from '../../exporters/shared/status.ts';
import type { Telemetry } from '../../exporters/shared/telemetry.ts';
import { AlertEngine } from '../alerts/engine.ts';
import { LogDropCounters } from '../logs/drop-counters.ts';
import { logProcessingFor } from '../logs/processing-for-container.ts';
import { EvidenceStore } from '../pipeline/evidence-store.ts';
import { Pipeline } from '../pipeline/pipeline.ts';
import { LIVE_INTERVAL_MS, LiveSamplers, type LiveSamplersOptions } from '../rounds/live-sampler.ts';
import { metricSelection } from '../rounds/metric-selection.ts';
import { runMetricsRound } from '../rounds/metrics-round.ts';
import { RoundScheduler } from '../rounds/round-scheduler.ts';
import { createTargets } from '../targets/create-targets.ts';
import { configuredEndpoints, type NamedEndpoint } from '../targets/endpoints.ts';
import { connectScope } from '../targets/scope.ts';
import type { Target } from '../targets/target.ts';
import { targetSettings } from '../targets/target-settings.ts';
import { dashboardSources } from './dashboard.ts';
import { closeEndpoint, openEndpoint } from './http-endpoint.ts';
import { migrateDirectory } from './layout.ts';
import { lockDirectory } from './lock.ts';
import { observeGauges } from './own-gauges.ts';
import { OwnMetricsReporter } from './own-metrics-reporter.ts';
import type { OwnTraces, OwnTracesOptions } from './own-traces.ts';
import { Positions } from './positions.ts';
import { configuredAttributes } from './record-attributes.ts';
import { startTracing, stopTracing } from './self-tracing.ts';

/** Time for exporters to deliver the rest; the whole stop takes less than 5 s. */
const FLUSH_MS = 3500;

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

async function createDashboard(
  config: Config,
  sources: DataSources,
  telemetry: Telemetry,
): Promise<DashboardExporter | undefined> {
  if (!config.dashboard.enabled) return undefined;
  const { DashboardExporter } = await import('../../exporters/dashboard/index.ts');
  return new DashboardExporter(sources, config.interval, telemetry);
}

/** @returns undefined where nobody can watch, or where the exported rounds are as frequent */
function connectLiveSamplers(
  intervalMs: number,
  dashboard: DashboardExporter | undefined,
  options: Omit<LiveSamplersOptions, 'isWatched' | 'onSample'>,
): LiveSamplers | undefined {
  if (dashboard === undefined || intervalMs <= LIVE_INTERVAL_MS) return undefined;
  const samplers = new LiveSamplers({
    ...options,
    isWatched: () => dashboard.hasViewers,
    onSample: (sets) => dashboard.addLiveSample(sets),
  });
  dashboard.onViewerConnected = () => samplers.start();
  return samplers;
}

/** @returns undefined where the agent does not trace itself */
async function traceItself(
  isWanted: boolean,
  hasReceiver: boolean,
  logger: Logger,
  telemetry: Telemetry,
  options: OwnTracesOptions,
): Promise<OwnTraces | undefined> {
  if (!isWanted) return undefined;
  if (hasReceiver) return startTracing(telemetry, options);
  logger.warn('telemetry.traces: no OTLP destination receives traces; the agent does not trace itself');
  return undefined;
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

/** What a running agent has to stop. */
interface AgentParts {
  readonly telemetry: Telemetry;
  readonly server: Server;
  readonly rounds: RoundScheduler;
  readonly targets: readonly Target[];
  readonly pipeline: Pipeline;
  readonly exporters: readonly Exporter[];
  readonly dashboard: DashboardExporter | undefined;
  readonly ownMetrics: OwnMetricsReporter;
  readonly ownTraces: OwnTraces | undefined;
  readonly positions: Positions;
  readonly unlock: () => Promise<void>;
}

/** Stops what collects, then delivers what is left, then closes what both need. */
async function stopAgent(parts: AgentParts): Promise<void> {
  const { telemetry, server, rounds, targets, pipeline, exporters, ownMetrics, positions } = parts;
  const deadline = AbortSignal.timeout(FLUSH_MS);
  const stopped = rounds.close();
  await closeEndpoint(server);
  await stopped;
  await Promise.all(targets.map((target) => target.close()));
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

/**
 * @throws {Error} when something that the configuration names is not available: the Docker context, the address to
 *   listen on, a data directory of this layout
 */
export async function startAgent(
  config: Config,
  logger: Logger,
  telemetry: Telemetry,
): Promise<RunningAgent> {
  const unlock = await lockDirectory(config.data_dir);
  try {
    migrateDirectory(config.data_dir);
    return await startLocked(config, logger, telemetry, unlock);
  } catch (error) {
    await unlock();
    throw error;
  }
}

async function startLocked(
  config: Config,
  logger: Logger,
  telemetry: Telemetry,
  unlock: () => Promise<void>,
): Promise<RunningAgent> {
  const startedAt = new Date();
  const baseline = telemetry.snapshot();
  const endpoints = configuredEndpoints(config);
  const scope = await connectScope(endpoints[0]!.endpoint, config.scope, (message) => logger.warn(message));
  // Before anything is opened: without a token, the agent may have to refuse to start.
  const token = requiredToken(config.listen.host, config.data_dir, logger);
  const access = new AccessControl(config.dashboard.hosts, token);
  const positions = openPositions(config.data_dir, logger, telemetry);
  const [exporters, host] = await Promise.all([
    createExporters(config, telemetry),
    readHostAttributes(config.procfs, config.rootfs),
  ]);
  const { everyRecord, agentOnly } = configuredAttributes(config);
  const agentResource: Resource = {
    attributes: { 'service.name': 'portlight', ...host, ...everyRecord, ...agentOnly },
  };
  const destinations = resolveDestinations(config);
  const sendsTraces = destinations.some(({ kinds }) => kinds.includes('traces'));
  const temporality = config.otlp.temporality === 'delta' ? 'delta' : 'cumulative';
  const scrape = new PrometheusExporter(telemetry);
  const evidence = new EvidenceStore(config.procfs);
  const dropCounters = new LogDropCounters();
  const onRuleError = (error: unknown) => telemetry.reportError('alerts', error);

  // The pipeline, the rules and the dashboard look targets up; they are created last.
  const targets: Target[] = [];
  const status = (): Status => {
    const daemons = targets.map(({ name = null, endpoint, connected, containers }) => ({
      name,
      host: endpoint.host,
      connected,
      containers: containers.size,
    }));
    return createStatus(telemetry, exporters, daemons, startedAt);
  };
  const sources = dashboardSources({ targets, status, telemetry });
  const dashboard = await createDashboard(config, sources, telemetry);
  const isExcludedEvent = compileWildcards(...config.events.exclude);
  const pipeline = new Pipeline({
    exporters: [...exporters, scrape, ...(dashboard === undefined ? [] : [dashboard])],
    telemetry,
    dialect: config.otlp.metric_names === 'docker_stats' ? 'dockerStats' : 'semconv',
    temporality,
    wantsEvent: (name) => !isExcludedEvent(name),
    traces: config.traces.enabled && sendsTraces,
    onLines: (container, records) => evidence.addLines(container, records),
    onEvent(resource, event) {
      evidence.addEvent(resource, event);
      try {
        alerts.handleEvent(resource, event);
      } catch (error) {
        onRuleError(error);
      }
    },
    onDropped: (container, reason, count) => dropCounters.count(container, reason, count),
    logProcessing: logProcessingFor(config.logs, destinations, telemetry),
  });
  const alerts: AlertEngine = new AlertEngine({
    config: config.alerts,
    interval: config.interval,
    sink: pipeline,
    store: positions,
    evidenceOf: (id) => evidence.alertContext(id),
    hasContainer: (id) => targets.some((target) => target.exists(id)),
    isDaemonUnreachable: (id) => targets.some((target) => target.isUnreachable && target.exists(id)),
    warn: (message) => telemetry.warn(message),
  });
  const ownTraces = await traceItself(config.telemetry.traces, sendsTraces, logger, telemetry, {
    resource: agentResource.attributes,
    emit: (otlp, count) => pipeline.emitOwnSpans(agentResource, otlp, count),
  });

  const files = openKernelFiles(telemetry);
  const metrics = metricSelection(config, alerts.metrics);
  const { procfs, rootfs } = config;
  const { rows } = metrics;
  const liveSamplers = connectLiveSamplers(config.interval, dashboard, {
    procfs,
    rootfs,
    files,
    telemetry,
    rows,
  });
  targets.push(
    ...createTargets(endpoints, scope, {
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

  const server = await openEndpoint(config.listen, {
    ...{ access, scrape, dashboard, status },
    isReady: () => targets.some(({ connected }) => connected),
    alerts: () => alerts.currentAlerts,
    onError: (error) => telemetry.reportError('server', error),
  }).catch(async (error) => {
    await Promise.all(exporters.map((exporter) => exporter.shutdown(AbortSignal.abort())));
    await stopTracing(telemetry, ownTraces);
    positions.close();
    throw error;
  });
  logStart(logger, config, endpoints, server);
  observeGauges(telemetry, exporters, targets);
  const ownMetrics = new OwnMetricsReporter(destinations.length > 0, {
    ...{ telemetry, baseline, temporality },
    resource: agentResource.attributes,
    emit: (otlp, count) => pipeline.emitOwnMetrics(agentResource, otlp, count),
  });
  const round = {
    sources: targets,
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
  for (const target of targets) target.start(() => rounds.start());

  const parts = {
    ...{ telemetry, server, rounds, targets, pipeline, exporters, dashboard },
    ...{ ownMetrics, ownTraces, positions, unlock },
  };
  return { stop: () => stopAgent(parts) };
}
