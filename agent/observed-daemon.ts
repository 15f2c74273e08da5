/** One daemon that is observed: its collectors, wired for where it runs, and its part of each round. */
import type Docker from 'dockerode';
import { CgroupCollector } from '../collectors/cgroup/index.ts';
import { requireProcessOf } from '../collectors/cgroup/locate.ts';
import type { Collector, TextStore } from '../collectors/collector.ts';
import { connect, outdated } from '../collectors/docker/client.ts';
import { type Endpoint, isLocal } from '../collectors/docker/endpoint.ts';
import { type DaemonInfo, hostOf, isThisHost } from '../collectors/docker/host.ts';
import { DockerCollector } from '../collectors/docker/index.ts';
import type { Evidence } from '../collectors/docker/story.ts';
import { bootTime, HostCollector } from '../collectors/host/index.ts';
import { ownContainerId } from '../collectors/host/own-container.ts';
import { isDenied, isGone, type KernelFiles } from '../collectors/kernel-file.ts';
import { type FirstSight, LogCollector } from '../collectors/logs/index.ts';
import { parsePosition } from '../collectors/logs/position.ts';
import { confinementAttributes, readConfinement } from '../collectors/namespaces/confinement.ts';
import { NamespaceCollector, namespaceAttributes } from '../collectors/namespaces/index.ts';
import { visibleNamespaces } from '../collectors/namespaces/read.ts';
import { NetworkCollector } from '../collectors/network.ts';
import { ObjectCollector } from '../collectors/objects.ts';
import { ProcessCollector } from '../collectors/processes.ts';
import { StateCollector } from '../collectors/state.ts';
import { StatsCollector } from '../collectors/stats/index.ts';
import { StorageCollector } from '../collectors/storage.ts';
import { parseLast } from '../config/logs.ts';
import type { Config } from '../config/schema.ts';
import { AbilityWatch, surroundingsOf } from './abilities.ts';
import { Attachments } from './attachments.ts';
import { Backoff } from './backoff.ts';
import type { CatalogueEntry } from './catalogue/entry.ts';
import { catalogue, metrics } from './catalogue/index.ts';
import type { NamedEndpoint } from './endpoints.ts';
import type { LogLosses } from './logs/losses.ts';
import { commandRedaction } from './logs/redact.ts';
import type { Pipeline } from './pipeline.ts';
import type { Attributes, Container, Metric, MetricSet, Resource } from './records.ts';
import { Round } from './round.ts';
import { isSelected } from './selection.ts';
import type { Telemetry } from './telemetry.ts';

const LONGEST_WAIT_MS = 10_000;

/** What is measured, for all daemons the same. */
export interface Measures {
  /** The metrics that are sent. */
  readonly rows: readonly CatalogueEntry[];
  /** Those besides that only rules look at, and in every so manieth round. */
  readonly watched: ReadonlySet<Metric>;
  readonly seldom: number;
}

export interface ObservedDaemonOptions extends NamedEndpoint {
  readonly config: Config;
  readonly telemetry: Telemetry;
  readonly pipeline: Pipeline;
  /** Its own. */
  readonly store: TextStore;
  readonly evidence: Evidence & { forget(id: string): void };
  readonly losses: LogLosses;
  readonly files: KernelFiles;
  readonly measures: Measures;
  /** `host.*` and `os.*` of this host, and what the user wants every record to bear. */
  readonly here: Attributes;
  readonly common: Attributes;
  /** Of records that are about the host and no container. */
  readonly own: Attributes;
  /** Whether there is no other. */
  readonly isOnly: boolean;
  /** Whether the figures of this host are its to tell: the first that runs here does. */
  readonly claimHost: () => boolean;
  /** What else is told of containers of this host. @param host what is told of the host too; undefined for nothing */
  readonly onlookers: (daemon: ObservedDaemon, host: Resource | undefined) => readonly Collector[];
}

/** What there is once it is known where the daemon runs. */
interface Running {
  readonly docker: DockerCollector;
  readonly collectors: readonly Collector[];
  readonly namespaces: NamespaceCollector | undefined;
  readonly storage: StorageCollector;
  readonly round: Round;
}

/** Of the kernel's kills on another host nothing is known here. */
const unseen = (evidence: Evidence): Evidence => ({
  of: (container, since) => evidence.of(container, since),
  oomTold: () => {},
  isHostShort: () => false,
});

function firstSightOf(where: string): FirstSight {
  if (where === 'now') return 'now';
  const last = parseLast(where);
  return { sinceSeconds: last === undefined ? 0 : Math.floor((Date.now() - last) / 1000) };
}

export class ObservedDaemon {
  readonly name: string | undefined;
  readonly endpoint: Endpoint;
  readonly docker: Docker;
  private readonly options: ObservedDaemonOptions;
  private readonly stopping = new AbortController();
  /** Whether it runs on this host, so that the kernel tells of its containers. */
  private isHere: boolean;
  /** What every record of it bears: where it is, and what the user wants. */
  surroundings: Attributes;
  private resource: Resource;
  private running: Running | undefined;
  /** Whether what it has was compared with what was kept. */
  private isKnown = false;

  constructor(options: ObservedDaemonOptions) {
    this.options = options;
    this.name = options.name;
    this.endpoint = options.endpoint;
    this.docker = connect(options.endpoint);
    this.isHere = isLocal(options.endpoint);
    this.surroundings = this.surroundingsOf(options.here);
    this.resource = this.resourceOf(this.surroundings);
  }

  /** Whether its events are followed. */
  get connected(): boolean {
    return this.running?.docker.connected ?? false;
  }

  /** Whether it cannot be asked for figures that only it has. */
  get isAway(): boolean {
    return !this.isHere && !this.connected;
  }

  /** Every container that exists and is observed, by id. */
  get containers(): ReadonlyMap<string, Container> {
    return this.running?.docker.containers ?? new Map();
  }

  /** What is about no container. */
  get host(): Resource {
    return this.resource;
  }

  get namespaces(): ReturnType<NamespaceCollector['memberships']> {
    return this.running?.namespaces?.memberships() ?? new Map();
  }

  /** Where its containers' processes are to be seen; undefined where they are not. */
  get procfs(): string | undefined {
    return this.isHere ? this.options.config.procfs : undefined;
  }

  /** Whether there is such a container, observed or not. */
  exists(id: string): boolean {
    return this.running?.docker.exists(id) ?? false;
  }

  /**
   * Begins to observe, and goes on until `stop`.
   * @param ready called once, when the containers that exist are known
   */
  start(ready: () => void): void {
    void this.find().then(() => {
      if (this.stopping.signal.aborted) return;
      this.running = this.run();
      this.running.docker.start(() => {
        this.begin();
        ready();
      });
    });
  }

  /** Asks for what the next round cannot read at once. */
  async prepare(signal: AbortSignal): Promise<void> {
    const { running } = this;
    if (running?.docker.connected !== true) return;
    await Promise.all(running.collectors.map((collector) => collector.prepare?.(signal)));
  }

  async collect(): Promise<MetricSet[]> {
    if (this.running === undefined || !this.isKnown) return [];
    const sets = await this.running.round.collect(this.containers.values(), this.resource);
    return this.isHere || this.options.isOnly ? sets : sets.map((set) => ({ ...set, isElsewhere: true }));
  }

  async stop(): Promise<void> {
    this.stopping.abort();
    await this.running?.docker.stop();
    await Promise.all(this.running?.collectors.map((collector) => collector.stop?.()) ?? []);
  }

  /** A daemon that is reached through the network may run here or elsewhere: it is asked before anything else is. */
  private async find(): Promise<void> {
    if (isLocal(this.endpoint)) return;
    const { config, telemetry } = this.options;
    const { signal } = this.stopping;
    const backoff = new Backoff(LONGEST_WAIT_MS, signal);
    while (!signal.aborted) {
      try {
        this.isHere = isThisHost(await this.info(), config.procfs, config.rootfs);
        return;
      } catch (error) {
        telemetry.fault('docker', error, this.name);
        await backoff.wait();
      }
    }
  }

  private async info(): Promise<DaemonInfo> {
    return (await this.docker.info()) as DaemonInfo;
  }

  /** What every record of it bears; of a daemon elsewhere, what that says. */
  private async identify(): Promise<Attributes> {
    if (!this.isHere) {
      this.surroundings = this.surroundingsOf(hostOf(await this.info()));
      this.resource = this.resourceOf(this.surroundings);
    }
    return this.surroundings;
  }

  private surroundingsOf(host: Attributes): Attributes {
    return {
      ...(this.name === undefined ? {} : { 'docker.daemon.name': this.name }),
      ...host,
      ...this.options.common,
    };
  }

  private resourceOf(surroundings: Attributes): Resource {
    return { attributes: { 'service.name': 'portlight', ...surroundings, ...this.options.own } };
  }

  /** Whether the container's process can be seen from here, and with it its cgroup. */
  private isVisible({ pid, id }: Container): boolean {
    if (!this.isHere) return false;
    try {
      requireProcessOf(this.options.config.procfs, pid, id);
      return true;
    } catch {
      return false;
    }
  }

  private run(): Running {
    const { docker, isHere, options } = this;
    const { config, telemetry, pipeline, store, evidence, losses, measures, files } = options;
    const { procfs } = config;
    const enabled = new Set<Metric>(measures.rows);
    const read = new Set([...enabled, ...measures.watched]);
    const readRows = metrics.filter((row) => read.has(row));
    const rootfs = isHere ? config.rootfs : undefined;
    const storage = new StorageCollector(docker, pipeline, {
      intervalMs: config.metrics.storage_interval,
      rootfs,
    });
    const objects = new ObjectCollector({
      docker,
      sink: pipeline,
      host: () => this.resource,
      containers: () => this.containers.values(),
      store,
    });
    const namespaces = isHere
      ? new NamespaceCollector({
          procfs,
          sink: pipeline,
          isMeasured: enabled.has(catalogue.namespace),
          runs: {
            load: (id) => store.load(`namespaces/${id}`),
            save: (id, startedAt) => store.save(`namespaces/${id}`, startedAt),
            forget: (id) => store.forget(`namespaces/${id}`),
          },
        })
      : undefined;
    const tellsHost = isHere && options.claimHost();
    const ofKernel: readonly Collector[] =
      namespaces === undefined
        ? []
        : [
            new CgroupCollector(procfs, readRows, files, {
              metrics: measures.watched,
              every: measures.seldom,
            }),
            new NetworkCollector(procfs, read, files),
            new ProcessCollector(procfs, read, measures.seldom),
            namespaces,
            ...options.onlookers(this, tellsHost ? this.resource : undefined),
          ];
    const collectors: readonly Collector[] = [
      ...ofKernel,
      ...(tellsHost ? [new HostCollector(procfs, config.rootfs, files)] : []),
      new StatsCollector({
        docker,
        sink: pipeline,
        rows: readRows,
        isVisible: (container) => this.isVisible(container),
      }),
      // Of a daemon elsewhere, no privilege here shows more.
      ...(isHere ? [new AbilityWatch(surroundingsOf(procfs, config.rootfs, enabled), telemetry)] : []),
      new StateCollector(),
      losses,
      storage,
      objects,
      new LogCollector({
        docker,
        sink: pipeline,
        positions: {
          load: (id) => parsePosition(store.load(`logs/${id}`) ?? ''),
          save: (container, position) => pipeline.save(container, position),
          forget(container) {
            pipeline.forget(container);
            evidence.forget(container.id);
            store.forget(`logs/${container.id}`);
          },
        },
        firstSight: firstSightOf(config.logs.first_sight),
        rootfs,
        ownId: ownContainerId(),
      }),
    ];
    const collector = new DockerCollector({
      docker,
      surroundings: () => this.identify(),
      host: () => this.resource,
      labels: config.container_labels,
      selects: (container) => isSelected(container, config.containers.include, config.containers.exclude),
      describe: (container) => this.describe(container),
      sink: pipeline,
      store,
      evidence: isHere ? evidence : unseen(evidence),
      command: config.events.exec_commands ? commandRedaction(config.logs.redact) : undefined,
      answered: ({ ApiVersion }) => {
        const old = outdated(ApiVersion);
        if (old !== undefined) telemetry.warn(`docker: ${this.endpoint.host}: ${old}`);
      },
      objectChanged: (type) => objects.objectChanged(type),
      reconciled: () => void objects.begin(),
      lifecycle: new Attachments(
        collectors,
        telemetry,
        (each, container) => container.pid === 0 || !ofKernel.includes(each) || this.isVisible(container),
      ),
      position: {
        load: () => {
          const kept = store.load('events');
          return kept === undefined ? undefined : BigInt(kept);
        },
        save: (time) => store.save('events', String(time)),
      },
    });
    const begun = isHere ? bootTime(procfs) : 0n;
    const round = new Round([...collectors, collector], enabled, telemetry, begun, measures.watched);
    return { docker: collector, collectors, namespaces, storage, round };
  }

  /** The containers that exist are known for the first time. */
  private begin(): void {
    const { store } = this.options;
    this.isKnown = true;
    // Those that were removed while the agent was down.
    for (const prefix of ['logs/', 'namespaces/'])
      for (const id of [...store.idsOf(prefix)]) if (!this.exists(id)) store.forget(prefix + id);
    void this.running!.storage.ask();
  }

  /** Resource attributes that are off by default; absent for a container that does not run. */
  private describe({ pid, ...container }: Container): Attributes {
    const { config, telemetry } = this.options;
    const { container_attributes: wanted, procfs } = config;
    if (!this.isHere || pid === 0 || wanted.length === 0) return {};
    try {
      requireProcessOf(procfs, pid, container.id);
      return {
        ...(wanted.includes('namespaces') ? namespaceAttributes(visibleNamespaces(procfs, pid)) : {}),
        ...(wanted.includes('security')
          ? confinementAttributes(readConfinement(procfs, pid), { pid, ...container })
          : {}),
      };
    } catch (error) {
      // Without the privilege to look there, a container is still worth what else is known of it.
      if (!isGone(error) && !isDenied(error)) telemetry.fault('docker', error, container.name);
      return {};
    }
  }
}
