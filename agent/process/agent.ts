/** Wires collectors, pipeline and exporters, and starts and stops them in order. */

import type { Server } from 'node:http';
import type { Logger } from 'pino';
import { selectMetrics } from '../../collectors/catalogue/selection.ts';
import { isNoDaemon } from '../../collectors/engine/daemon-endpoint.ts';
import { hostAttributes } from '../../collectors/host/identity.ts';
import { bootTime } from '../../collectors/host/index.ts';
import type { Attributes, Metric } from '../../collectors/records/records.ts';
import { errorMessage } from '../../collectors/shared/error-message.ts';
import { descriptorLimit, KernelFiles } from '../../collectors/shared/kernel-file.ts';
import { compileWildcards } from '../../collectors/shared/wildcard.ts';
import { resolveDestinations } from '../../config/destinations.ts';
import { patternEngine } from '../../config/pattern.ts';
import { parsePairs } from '../../config/receiver-options.ts';
import type { Config } from '../../config/schema.ts';
import { VERSION } from '../../config/version.ts';
import { toJson } from '../../exporters/alerts/alert.ts';
import { createExporters } from '../../exporters/index.ts';
import { PrometheusExporter } from '../../exporters/prometheus/index.ts';
import { AccessControl } from '../../exporters/server/access.ts';
import {
  browserUrlOf,
  healthRoutes,
  type ServerOptions,
  startServer,
  urlOf,
} from '../../exporters/server/index.ts';
import { requiredToken } from '../../exporters/server/token.ts';
import { statusOf } from '../../exporters/shared/status.ts';
import type { Telemetry } from '../../exporters/shared/telemetry.ts';
import { AlertEngine } from '../alerts/engine.ts';
import { LogDropCounters } from '../logs/drop-counters.ts';
import { isReceiver } from '../logs/is-receiver.ts';
import { compileLogProcessing, isFollowed } from '../logs/log-processing.ts';
import { EvidenceStore } from '../pipeline/evidence-store.ts';
import { Pipeline } from '../pipeline/pipeline.ts';
import { LIVE_INTERVAL_MS, LiveSampler } from '../rounds/live-sampler.ts';
import { RoundScheduler } from '../rounds/round-scheduler.ts';
import { DaemonTarget } from '../targets/daemon-target.ts';
import { configuredEndpoints } from '../targets/endpoints.ts';
import { KernelTarget } from '../targets/kernel-target.ts';
import { connectScope } from '../targets/scope.ts';
import type { MetricSelection, Target, TargetOptions } from '../targets/target.ts';
import { dashboardSources } from './dashboard.ts';
import { migrateDirectory } from './layout.ts';
import { lockDirectory } from './lock.ts';
import { Positions } from './positions.ts';

/** Time that is left to exporters at the end; the whole stop stays below 5 s. */
const FLUSH_MS = 3500;
/** The agent's own state moves slowly, and each export costs as much as a round. */
const OWN_INTERVAL_MS = 60_000;
/** How often what only rules look at is read: well within their windows, and not in every round where those are many. */
const SELDOM_MS = 30_000;
const MOST_ROUNDS = 6;

/** Where what is kept of a daemon with a name stands. */
const sectionOf = (name: string): string => `daemon/${name}/`;

export interface RunningAgent {
  /** Delivers what is left and ends everything; resolves within 5 s. */
  stop(): Promise<void>;
}

function openPositions(directory: string, logger: Logger, telemetry: Telemetry): Positions {
  const onFault = (error: unknown) => telemetry.reportError('positions', error);
  try {
    return new Positions(directory, onFault);
  } catch (error) {
    logger.warn(
      `data_dir: ${errorMessage(error)}: positions are kept in memory only, and lost with the process`,
    );
    return new Positions(undefined, onFault);
  }
}

/** What the user wants every record to bear, and what only the agent's own. */
function givenAttributes({ resource_attributes, service_name }: Config): {
  own: Attributes;
  common: Attributes;
} {
  const given = Object.entries(parsePairs(resource_attributes ?? '') ?? {});
  const isOwn = ([name]: [string, string]) => name.startsWith('service.');
  return {
    own: {
      ...Object.fromEntries(given.filter(isOwn)),
      ...(service_name !== undefined && { 'service.name': service_name }),
    },
    common: Object.fromEntries(given.filter((pair) => !isOwn(pair))),
  };
}

/**
 * @throws {Error} when something that the configuration names cannot be had: the Docker context, the
 *   address to listen on, a data directory that is not of a newer agent
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
  const since = new Date();
  const before = telemetry.snapshot();
  const endpoints = configuredEndpoints(config);
  const scope = await connectScope(endpoints[0]!.endpoint, config.scope, (message) => logger.warn(message));
  // Before anything is opened: it may not be had.
  const token = requiredToken(config.listen.host, config.data_dir, logger);
  const access = new AccessControl(config.dashboard.hosts, token);
  const positions = openPositions(config.data_dir, logger, telemetry);
  const [exporters, found] = await Promise.all([
    createExporters(config, telemetry),
    hostAttributes(config.procfs, config.rootfs),
  ]);
  const { own, common } = givenAttributes(config);
  const host = { ...found, ...common };
  const destinations = resolveDestinations(config);
  const scrape = new PrometheusExporter(telemetry);
  const evidence = new EvidenceStore(config.procfs);
  const losses = new LogDropCounters();
  const daemons: Target[] = [];
  const status = () => {
    const states = daemons.map(({ name = null, endpoint, connected, containers }) => ({
      name,
      host: endpoint.host,
      connected,
      containers: containers.size,
    }));
    return statusOf(telemetry, exporters, states, since);
  };
  const dashboard = config.dashboard.enabled
    ? new (await import('../../exporters/dashboard/index.ts')).DashboardExporter(
        dashboardSources({ daemons, status, telemetry }),
        config.interval,
        telemetry,
      )
    : undefined;
  const isExcludedEvent = compileWildcards(...config.events.exclude);
  const pipeline = new Pipeline({
    exporters: [...exporters, scrape, ...(dashboard === undefined ? [] : [dashboard])],
    telemetry,
    dialect: config.otlp.metric_names === 'docker_stats' ? 'dockerStats' : 'semconv',
    temporality: config.otlp.temporality === 'delta' ? 'delta' : 'cumulative',
    wantsEvent: (name) => !isExcludedEvent(name),
    traces: destinations.some((destination) => destination.kinds.includes('traces')),
    onLines: (container, records) => evidence.addLines(container, records),
    onEvent(resource, event) {
      evidence.addEvent(resource, event);
      try {
        alerts.handleEvent(resource, event);
      } catch (error) {
        faulty(error);
      }
    },
    onDropped: (container, reason, count) => losses.count(container, reason, count),
    logProcessing: (container) => {
      const { name, labels } = container;
      if (!isFollowed(labels)) return undefined;
      const isOneOfThem = destinations.some(({ endpoints: targets }) =>
        isReceiver(container, targets.logs?.url),
      );
      if (isOneOfThem && labels['portlight.logs'] !== 'true') {
        telemetry.warn(
          `container ${name} is the receiver: its own log is left alone; the label portlight.logs=true has it read`,
        );
        return undefined;
      }
      return compileLogProcessing(config.logs, labels, (mistake) =>
        telemetry.warn(`container ${name}: ${mistake}`),
      );
    },
  });

  /** Whatever goes wrong in a rule, figures and events are sent. */
  const faulty = (error: unknown) => telemetry.reportError('alerts', error);
  const alerts: AlertEngine = new AlertEngine({
    config: config.alerts,
    interval: config.interval,
    sink: pipeline,
    store: positions,
    evidenceOf: (id) => evidence.alertContext(id),
    hasContainer: (id) => daemons.some((daemon) => daemon.exists(id)),
    isDaemonUnreachable: (id) => daemons.some((daemon) => daemon.isUnreachable && daemon.exists(id)),
    warn: (message) => telemetry.warn(message),
  });
  const rows = selectMetrics(config.metrics.enable, config.metrics.disable);
  const enabled = new Set<Metric>(rows);
  const measures: MetricSelection = {
    rows,
    // What only rules look at is read more rarely, and not sent.
    ruleOnly: new Set([...alerts.metrics].filter((metric) => !enabled.has(metric))),
    ruleOnlyEvery: Math.max(1, Math.min(MOST_ROUNDS, Math.round(SELDOM_MS / config.interval))),
  };
  const limit = descriptorLimit();
  const files = new KernelFiles(limit, () =>
    telemetry.warn(
      `the limit of ${limit} open files is reached: kernel files are opened for each read, which costs more CPU`,
    ),
  );
  const liveSamplers: LiveSampler[] = [];
  const createLiveSamplers: TargetOptions['liveSamplers'] = (daemon, ofHost) => {
    if (dashboard === undefined || config.interval <= LIVE_INTERVAL_MS) return [];
    const sampler = new LiveSampler({
      procfs: config.procfs,
      rootfs: config.rootfs,
      files,
      rows,
      telemetry,
      bootTime: bootTime(config.procfs),
      host: ofHost,
      containers: () => daemon.containers.values(),
      isWatched: () => dashboard.hasViewers,
      onSample: (sets) => dashboard.addLiveSample(sets),
    });
    liveSamplers.push(sampler);
    return [sampler];
  };
  let isHostClaimed = false;
  const claimHost = () => {
    const isFirst = !isHostClaimed;
    isHostClaimed = true;
    return isFirst;
  };
  for (const { name, endpoint } of endpoints) {
    const store = name === undefined ? positions : positions.section(sectionOf(name));
    const options = {
      ...{ endpoint, config, telemetry, pipeline, store, evidence, losses, files, measures },
      ...{
        hostAttributes: found,
        configuredAttributes: common,
        agentAttributes: own,
        liveSamplers: createLiveSamplers,
      },
    };
    const isOnly = endpoints.length === 1;
    daemons.push(
      isNoDaemon(endpoint)
        ? new KernelTarget(options)
        : new DaemonTarget({ ...options, name, scope, claimHost, isOnly }),
    );
  }
  if (dashboard !== undefined)
    dashboard.onViewerConnected = () => {
      for (const sampler of liveSamplers) sampler.start();
    };

  const site: ServerOptions = {
    health: healthRoutes(() => daemons.some(({ connected }) => connected)),
    public: { ...dashboard?.pageRoutes, '/api/login': (request) => access.login(request) },
    protected: {
      '/metrics': ({ headers }) => scrape.metrics(headers.accept),
      '/metrics/cadvisor': ({ headers }) => scrape.cadvisorMetrics(headers.accept),
      '/status': () => ({ contentType: 'application/json', body: JSON.stringify(status()) }),
      '/alerts': () => ({
        contentType: 'application/json',
        body: JSON.stringify(alerts.currentAlerts.map(toJson)),
      }),
      ...dashboard?.routes,
    },
    access,
    onError: (error) => telemetry.reportError('server', error),
  };
  let server: Server;
  try {
    server = await startServer(config.listen, site);
  } catch (error) {
    await Promise.all(exporters.map((exporter) => exporter.shutdown(AbortSignal.abort())));
    positions.close();
    throw new Error(
      `listen: ${config.listen.host}:${config.listen.port}: ${errorMessage(error)}; choose another with --listen`,
    );
  }
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
    dashboard === undefined ? 'portlight runs' : `portlight runs; its page is ${browserUrlOf(server)}/`,
  );

  const waiting = () =>
    exporters.flatMap((exporter) =>
      (exporter.status?.().waiting ?? []).map(({ signal, bytes, oldest }) => ({
        attributes: { signal, destination: exporter.name },
        bytes,
        age: oldest === undefined ? 0 : Math.max(0, (Date.now() - oldest) / 1000),
      })),
    );
  telemetry.observeGauge('portlight.spool.size', () =>
    waiting().map(({ attributes, bytes }) => ({ attributes, value: bytes })),
  );
  telemetry.observeGauge('portlight.spool.age', () =>
    waiting().map(({ attributes, age }) => ({ attributes, value: age })),
  );
  telemetry.observeGauge('portlight.daemon.connected', () =>
    daemons.map(({ name = '', connected }) => ({
      attributes: (name === '' ? {} : { 'docker.daemon.name': name }) as Record<string, string>,
      value: connected ? 1 : 0,
    })),
  );

  const hostResource = { attributes: { 'service.name': 'portlight', ...host, ...own } };
  const sdk =
    destinations.length === 0
      ? undefined
      : import('./own-metrics.ts').then(({ startOwnMetrics: startSdk }) =>
          startSdk({
            telemetry,
            baseline: before,
            resource: hostResource.attributes,
            temporality: config.otlp.temporality === 'delta' ? 'delta' : 'cumulative',
            emit: (otlp, count) => pipeline.emitOwnMetrics(hostResource, otlp, count),
          }),
        );
  sdk?.catch((error) => telemetry.reportError('sdk', error));
  const tellOwn = async () => {
    try {
      await (await sdk)?.collect();
    } catch (error) {
      telemetry.reportError('sdk', error);
    }
  };

  let toldOwn = performance.now();
  const rounds = new RoundScheduler(String(host['host.id'] ?? ''), config.interval, async (deadline) => {
    try {
      await Promise.all(daemons.map((daemon) => daemon.prepareRound(deadline)));
      const sets = (await Promise.all(daemons.map((daemon) => daemon.collectRound()))).flat();
      evidence.addRound(sets);
      await alerts.evaluateRound(sets).catch(faulty);
      await pipeline.emitMetrics(sets);
    } catch (error) {
      telemetry.reportError('round', error);
    }
    if (performance.now() - toldOwn < OWN_INTERVAL_MS) return;
    toldOwn = performance.now();
    await tellOwn();
  });
  for (const exporter of exporters) exporter.start?.();
  for (const daemon of daemons) daemon.start(() => rounds.start());

  return {
    async stop() {
      const deadline = AbortSignal.timeout(FLUSH_MS);
      const stopped = rounds.stop();
      const closed = new Promise((resolve) => server.close(resolve));
      server.closeAllConnections();
      await closed;
      await stopped;
      await Promise.all(daemons.map((daemon) => daemon.stop()));
      pipeline.flush();
      await tellOwn();
      const ended = await Promise.allSettled([
        ...exporters.map((exporter) => exporter.shutdown(deadline)),
        dashboard?.shutdown(),
        sdk?.then((started) => started.shutdown()),
      ]);
      for (const end of ended) if (end.status === 'rejected') telemetry.reportError('exporters', end.reason);
      // Acknowledgements on their way become positions.
      await new Promise((resolve) => setImmediate(resolve));
      positions.close();
      await unlock();
    },
  };
}
