/** Wires collectors, pipeline and exporters, and starts and stops them in order. */
import type { Server } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import type Docker from 'dockerode';
import type { Logger } from 'pino';
import { CgroupCollector } from '../collectors/cgroup/index.ts';
import { requireProcessOf } from '../collectors/cgroup/locate.ts';
import type { Collector } from '../collectors/collector.ts';
import { connect } from '../collectors/docker/client.ts';
import { type Endpoint, findEndpoint, isLocal } from '../collectors/docker/endpoint.ts';
import { DockerCollector } from '../collectors/docker/index.ts';
import { hostAttributes } from '../collectors/host/identity.ts';
import { bootTime, HostCollector } from '../collectors/host/index.ts';
import { ownContainerId } from '../collectors/host/own-container.ts';
import { descriptorLimit, isDenied, isGone, KernelFiles } from '../collectors/kernel-file.ts';
import { type FirstSight, LogCollector } from '../collectors/logs/index.ts';
import { formatPosition, parsePosition } from '../collectors/logs/position.ts';
import { confinementAttributes, readConfinement } from '../collectors/namespaces/confinement.ts';
import { NamespaceCollector, namespaceAttributes } from '../collectors/namespaces/index.ts';
import { visibleNamespaces } from '../collectors/namespaces/read.ts';
import { NetworkCollector } from '../collectors/network.ts';
import { ObjectCollector } from '../collectors/objects.ts';
import { ProcessCollector } from '../collectors/processes.ts';
import { StateCollector } from '../collectors/state.ts';
import { StorageCollector } from '../collectors/storage.ts';
import { destinationsOf } from '../config/destinations.ts';
import { parseLast } from '../config/logs.ts';
import { parsePairs } from '../config/receiver.ts';
import type { Config } from '../config/schema.ts';
import { createExporters } from '../exporters/index.ts';
import { PrometheusExporter } from '../exporters/prometheus/index.ts';
import { AbilityWatch, surroundingsOf } from './abilities.ts';
import { toJson } from './alerts/alert.ts';
import { Alerts } from './alerts/index.ts';
import { Attachments } from './attachments.ts';
import { catalogue, metrics } from './catalogue/index.ts';
import { dashboardSources } from './dashboard.ts';
import { Evidence } from './evidence.ts';
import { GLANCE_MS, Glance } from './glance.ts';
import { lockDirectory } from './lock.ts';
import { LogLosses } from './logs/losses.ts';
import { isReceiver } from './logs/receiver.ts';
import { commandRedaction } from './logs/redact.ts';
import { isFollowed, treatmentOf } from './logs/treatment.ts';
import { untilPhase } from './phase.ts';
import { Pipeline } from './pipeline.ts';
import { Positions } from './positions.ts';
import type { Attributes, Container, Metric } from './records.ts';
import { Round } from './round.ts';
import { isSelected, matches, selectMetrics } from './selection.ts';
import { Access } from './server/access.ts';
import { healthPages, listen, openUrlOf, type Site, urlOf } from './server/index.ts';
import { requiredToken } from './server/token.ts';
import { statusOf } from './status.ts';
import { messageOf, type Telemetry } from './telemetry.ts';
import { VERSION } from './version.ts';

/** Time that is left to exporters at the end; the whole stop stays below 5 s. */
const FLUSH_MS = 3500;
/** The agent's own state moves slowly, and each export costs as much as a round. */
const OWN_INTERVAL_MS = 60_000;
/** How often what only rules look at is read: well within their windows, and not in every round where those are many. */
const SELDOM_MS = 30_000;
const MOST_ROUNDS = 6;
/** How long the end waits for a round that is under way. */
const STOP_ROUND_MS = 500;
/** The first round comes at once, a second one soon after it: rates need two. */
const FIRST_INTERVAL_MS = 1000;

export interface RunningAgent {
  /** Delivers what is left and ends everything; resolves within 5 s. */
  stop(): Promise<void>;
}

function openPositions(directory: string, logger: Logger, telemetry: Telemetry): Positions {
  const onFault = (error: unknown) => telemetry.fault('positions', error);
  try {
    return new Positions(directory, onFault);
  } catch (error) {
    logger.warn(
      `data_dir: ${messageOf(error)}: positions are kept in memory only, and lost with the process`,
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

/** Resource attributes that are off by default; absent for a container that does not run. */
function describe(
  { pid, ...container }: Container,
  { container_attributes, procfs }: Config,
  onFault: (error: unknown) => void,
): Attributes {
  if (pid === 0 || container_attributes.length === 0) return {};
  try {
    requireProcessOf(procfs, pid, container.id);
    return {
      ...(container_attributes.includes('namespaces')
        ? namespaceAttributes(visibleNamespaces(procfs, pid))
        : {}),
      ...(container_attributes.includes('security')
        ? confinementAttributes(readConfinement(procfs, pid), { pid, ...container })
        : {}),
    };
  } catch (error) {
    // Without the privilege to look there, a container is still worth what else is known of it.
    if (!isGone(error) && !isDenied(error)) onFault(error);
    return {};
  }
}

function firstSightOf(where: string): FirstSight {
  if (where === 'now') return 'now';
  const last = parseLast(where);
  return { sinceSeconds: last === undefined ? 0 : Math.floor((Date.now() - last) / 1000) };
}

/**
 * @throws {Error} when something that the configuration names cannot be had: the Docker context, the
 *   address to listen on
 */
export async function startAgent(
  config: Config,
  logger: Logger,
  telemetry: Telemetry,
): Promise<RunningAgent> {
  const unlock = await lockDirectory(config.data_dir);
  try {
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
  const endpoint: Endpoint = findEndpoint(config.docker_host);
  const docker: Docker = connect(endpoint);
  // Before anything is opened: it may not be had.
  const token = requiredToken(config.listen.host, config.data_dir, logger);
  const access = new Access(config.dashboard.hosts, token);
  const positions = openPositions(config.data_dir, logger, telemetry);
  const [exporters, found] = await Promise.all([
    createExporters(config, telemetry),
    hostAttributes(config.procfs),
  ]);
  const { own, common } = givenAttributes(config);
  const host = { ...found, ...common };
  const destinations = destinationsOf(config);
  const scrape = new PrometheusExporter(telemetry);
  const evidence = new Evidence(config.procfs);
  const losses = new LogLosses();
  const status = () => {
    const state = { host: endpoint.host, connected: daemon.connected, containers: daemon.containers.size };
    return statusOf(telemetry, exporters, state, since);
  };
  const dashboard = config.dashboard.enabled
    ? new (await import('../exporters/dashboard/index.ts')).DashboardExporter(
        dashboardSources({
          docker,
          daemon: () => daemon,
          namespaces: () => namespaces,
          procfs: isLocal(endpoint) ? config.procfs : undefined,
          attributes: host,
          status,
          telemetry,
        }),
        config.interval,
        telemetry,
      )
    : undefined;
  const pipeline = new Pipeline({
    exporters: [...exporters, scrape, ...(dashboard === undefined ? [] : [dashboard])],
    telemetry,
    positions: { save: (id, position) => positions.save(`logs/${id}`, formatPosition(position)) },
    dialect: config.otlp.metric_names === 'docker_stats' ? 'dockerStats' : 'semconv',
    temporality: config.otlp.temporality === 'delta' ? 'delta' : 'cumulative',
    wantsEvent: (name) => !config.events.exclude.some((pattern) => matches(pattern, name)),
    traces: destinations.some((destination) => destination.kinds.includes('traces')),
    onLines: (container, records) => evidence.lines(container, records),
    onEvent(resource, event) {
      evidence.event(resource, event);
      guarded(() => alerts.event(resource, event));
    },
    onDropped: (container, reason, count) => losses.add(container, reason, count),
    treatment: (container) => {
      const { name, labels } = container;
      if (!isFollowed(labels)) return undefined;
      const isOneOfThem = destinations.some(({ targets }) => isReceiver(container, targets.logs?.url));
      if (isOneOfThem && labels['portlight.logs'] !== 'true') {
        telemetry.warn(
          `container ${name} is the receiver: its own log is left alone; the label portlight.logs=true has it read`,
        );
        return undefined;
      }
      return treatmentOf(config.logs, labels, (mistake) => telemetry.warn(`container ${name}: ${mistake}`));
    },
  });

  /** Whatever goes wrong in a rule, figures and events are sent. */
  const guarded = (evaluate: () => void) => {
    try {
      evaluate();
    } catch (error) {
      telemetry.fault('alerts', error);
    }
  };
  const alerts: Alerts = new Alerts({
    config: config.alerts,
    interval: config.interval,
    sink: pipeline,
    store: positions,
    evidence: (id) => evidence.ofNow(id),
    exists: (id) => daemon.exists(id),
    warn: (message) => telemetry.warn(message),
  });
  const rows = selectMetrics(config.metrics.enable, config.metrics.disable);
  const enabled = new Set<Metric>(rows);
  // What only rules look at is read more rarely, and not sent.
  const watched = new Set([...alerts.metrics].filter((metric) => !enabled.has(metric)));
  const read = new Set([...enabled, ...watched]);
  const seldom = Math.max(1, Math.min(MOST_ROUNDS, Math.round(SELDOM_MS / config.interval)));
  const hostResource = { attributes: { 'service.name': 'portlight', ...host, ...own } };
  const limit = descriptorLimit();
  const files = new KernelFiles(limit, () =>
    telemetry.warn(
      `the limit of ${limit} open files is reached: kernel files are opened for each read, which costs more CPU`,
    ),
  );
  // The disks of a daemon elsewhere cannot be seen from here.
  const rootfs = isLocal(endpoint) ? config.rootfs : undefined;
  const storage = new StorageCollector(docker, pipeline, {
    intervalMs: config.metrics.storage_interval,
    rootfs,
  });
  const objects = new ObjectCollector({
    docker,
    sink: pipeline,
    host: hostResource,
    containers: () => daemon.containers.values(),
    store: positions,
  });
  const namespaces = new NamespaceCollector({
    procfs: config.procfs,
    sink: pipeline,
    isMeasured: enabled.has(catalogue.namespace),
    runs: {
      load: (id) => positions.load(`namespaces/${id}`),
      save: (id, startedAt) => positions.save(`namespaces/${id}`, startedAt),
      forget: (id) => positions.forget(`namespaces/${id}`),
    },
  });
  const collectors: Collector[] = [
    new CgroupCollector(
      config.procfs,
      metrics.filter((row) => read.has(row)),
      files,
      { metrics: watched, every: seldom },
    ),
    new NetworkCollector(config.procfs, read, files),
    new ProcessCollector(config.procfs, read, seldom),
    new StateCollector(),
    losses,
    storage,
    new HostCollector(config.procfs, config.rootfs, files),
    namespaces,
    objects,
    new LogCollector({
      docker,
      sink: pipeline,
      positions: {
        load: (id) => parsePosition(positions.load(`logs/${id}`) ?? ''),
        save: (container, position) => pipeline.save(container, position),
        forget(container) {
          pipeline.forget(container);
          evidence.forget(container.id);
          positions.forget(`logs/${container.id}`);
        },
      },
      firstSight: firstSightOf(config.logs.first_sight),
      rootfs,
      ownId: ownContainerId(),
    }),
  ];
  const daemon: DockerCollector = new DockerCollector({
    docker,
    surroundings: host,
    host: hostResource,
    labels: config.container_labels,
    selects: (container) => isSelected(container, config.containers.include, config.containers.exclude),
    // The processes of a daemon elsewhere cannot be seen from here.
    describe: (container) =>
      isLocal(endpoint)
        ? describe(container, config, (error) => telemetry.fault('docker', error, container.name))
        : {},
    sink: pipeline,
    store: positions,
    evidence,
    command: config.events.exec_commands ? commandRedaction(config.logs.redact) : undefined,
    objectChanged: (type) => objects.objectChanged(type),
    reconciled: () => void objects.begin(),
    lifecycle: new Attachments(collectors, telemetry),
    position: {
      load: () => {
        const kept = positions.load('events');
        return kept === undefined ? undefined : BigInt(kept);
      },
      save: (time) => positions.save('events', String(time)),
    },
  });
  // Of a daemon elsewhere, no privilege here shows more.
  if (isLocal(endpoint)) {
    const surroundings = surroundingsOf(config.procfs, config.rootfs, enabled);
    collectors.push(new AbilityWatch(surroundings, telemetry));
  }
  if (dashboard !== undefined && config.interval > GLANCE_MS) {
    const glance = new Glance({
      procfs: config.procfs,
      rootfs: config.rootfs,
      files,
      rows,
      telemetry,
      begun: bootTime(config.procfs),
      host: hostResource,
      containers: () => daemon.containers.values(),
      isWatched: () => dashboard.isWatched,
      take: (sets) => dashboard.glance(sets),
    });
    collectors.push(glance);
    dashboard.onWatched = () => glance.begin();
  }
  const rounds = new Round([...collectors, daemon], enabled, telemetry, bootTime(config.procfs), watched);

  const site: Site = {
    health: healthPages(() => daemon.connected),
    open: { ...dashboard?.files, '/api/login': (request) => access.login(request) },
    pages: {
      '/metrics': ({ headers }) => scrape.metrics(headers.accept),
      '/metrics/cadvisor': ({ headers }) => scrape.cadvisorMetrics(headers.accept),
      '/status': () => ({ contentType: 'application/json', body: JSON.stringify(status()) }),
      '/alerts': () => ({
        contentType: 'application/json',
        body: JSON.stringify(alerts.current.map(toJson)),
      }),
      ...dashboard?.pages,
    },
    access,
    onFault: (error) => telemetry.fault('server', error),
  };
  let server: Server;
  try {
    server = await listen(config.listen, site);
  } catch (error) {
    await Promise.all(exporters.map((exporter) => exporter.stop(AbortSignal.abort())));
    positions.close();
    throw new Error(
      `listen: ${config.listen.host}:${config.listen.port}: ${messageOf(error)}; choose another with --listen`,
    );
  }
  logger.info(
    {
      version: VERSION,
      daemon: endpoint.host,
      origin: endpoint.origin,
      exporters: config.exporter,
      listen: urlOf(server),
    },
    dashboard === undefined ? 'portlight runs' : `portlight runs; its page is ${openUrlOf(server)}/`,
  );

  const waiting = () =>
    exporters.flatMap((exporter) =>
      (exporter.status?.().waiting ?? []).map(({ signal, bytes, oldest }) => ({
        attributes: { signal, destination: exporter.name },
        bytes,
        age: oldest === undefined ? 0 : Math.max(0, (Date.now() - oldest) / 1000),
      })),
    );
  telemetry.watch('portlight.spool.size', () =>
    waiting().map(({ attributes, bytes }) => ({ attributes, value: bytes })),
  );
  telemetry.watch('portlight.spool.age', () =>
    waiting().map(({ attributes, age }) => ({ attributes, value: age })),
  );

  const sdk =
    destinations.length === 0
      ? undefined
      : import('./sdk.ts').then(({ startSdk }) =>
          startSdk({
            telemetry,
            before,
            resource: hostResource.attributes,
            temporality: config.otlp.temporality === 'delta' ? 'delta' : 'cumulative',
            take: (otlp, count) => pipeline.ownMetrics(hostResource, otlp, count),
          }),
        );
  sdk?.catch((error) => telemetry.fault('sdk', error));
  const tellOwn = async () => {
    try {
      await (await sdk)?.collect();
    } catch (error) {
      telemetry.fault('sdk', error);
    }
  };

  const stopRounds = new AbortController();
  let toldOwn = performance.now();
  const round = async () => {
    try {
      const sets = await rounds.collect(daemon.containers.values(), hostResource);
      evidence.round(sets);
      guarded(() => alerts.round(sets));
      await pipeline.metrics(sets);
    } catch (error) {
      telemetry.fault('round', error);
    }
    if (performance.now() - toldOwn < OWN_INTERVAL_MS) return;
    toldOwn = performance.now();
    await tellOwn();
  };
  const runRounds = async () => {
    const { signal } = stopRounds;
    // Containers that were removed while the agent was down.
    for (const prefix of ['logs/', 'namespaces/'])
      for (const id of positions.idsOf(prefix)) if (!daemon.exists(id)) positions.forget(prefix + id);
    void storage.ask();
    await round();
    // Rates need a second round, which need not wait for the interval.
    await sleep(Math.min(FIRST_INTERVAL_MS, config.interval), undefined, { signal });
    await round();
    const first = untilPhase(String(host['host.id'] ?? ''), config.interval, Date.now());
    for (let due = performance.now() + first; ; due = Math.max(due + config.interval, performance.now())) {
      await sleep(Math.max(0, due - performance.now()), undefined, { signal });
      await round();
    }
  };
  // Nothing but the end interrupts it.
  let running: Promise<void> | undefined;
  const startRounds = () => {
    running = runRounds().catch(() => {});
  };
  for (const exporter of exporters) exporter.start?.();
  daemon.start(startRounds);

  return {
    async stop() {
      const deadline = AbortSignal.timeout(FLUSH_MS);
      stopRounds.abort();
      const closed = new Promise((resolve) => server.close(resolve));
      server.closeAllConnections();
      await closed;
      await Promise.race([running, sleep(STOP_ROUND_MS, undefined, { ref: false })]);
      await daemon.stop();
      await Promise.all(collectors.map((collector) => collector.stop?.()));
      pipeline.flush();
      await tellOwn();
      const ended = await Promise.allSettled([
        ...exporters.map((exporter) => exporter.stop(deadline)),
        dashboard?.stop(),
        sdk?.then((started) => started.stop()),
      ]);
      for (const end of ended) if (end.status === 'rejected') telemetry.fault('exporters', end.reason);
      // Acknowledgements on their way become positions.
      await new Promise((resolve) => setImmediate(resolve));
      positions.close();
      await unlock();
    },
  };
}
