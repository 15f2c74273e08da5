/** One observed daemon: its collectors, which depend on where it runs, and its part of each round. */

import type Docker from 'dockerode';
import { StatsCollector } from '../../collectors/cgroup/stats/index.ts';
import { hostOf, infoOf, runsHere } from '../../collectors/docker/host.ts';
import { DockerCollector } from '../../collectors/docker/index.ts';
import { type LayeredImage, layeredImage } from '../../collectors/docker/layers.ts';
import type { ImageSummary } from '../../collectors/docker/objects/docker-object.ts';
import { ObjectCollector } from '../../collectors/docker/objects/index.ts';
import { listImages } from '../../collectors/docker/objects/list-objects.ts';
import { StorageCollector } from '../../collectors/docker/storage/index.ts';
import { connectToDaemon, outdatedApiWarning } from '../../collectors/engine/client.ts';
import { type DaemonEndpoint, isLocal } from '../../collectors/engine/daemon-endpoint.ts';
import { readBootTime } from '../../collectors/host/boot-time.ts';
import type { ExitEvidence } from '../../collectors/lifecycle/exit-classifier.ts';
import { LogCollector } from '../../collectors/logs/index.ts';
import type { NamespaceCollector } from '../../collectors/namespaces/index.ts';
import type { Collector } from '../../collectors/records/collector.ts';
import type { MetricSet } from '../../collectors/records/points.ts';
import type { Attributes, Container, Resource } from '../../collectors/records/records.ts';
import { Backoff } from '../../collectors/shared/backoff.ts';
import { isContainerProcess } from '../../collectors/shared/cgroup-location.ts';
import { Round } from '../rounds/round.ts';
import { CollectorDispatcher } from './collector-dispatcher.ts';
import type { NamedEndpoint } from './endpoints.ts';
import { requestSpans } from './request-spans.ts';
import type { AgentScope } from './scope.ts';
import {
  deleteRemoved,
  localCollectors,
  optionalAttributes,
  remoteCollectors,
  type Target,
  type TargetOptions,
  targetLogOptions,
} from './target.ts';

/** Longest wait between two attempts to find out where a daemon runs. */
const MAX_BACKOFF_MS = 10_000;

export interface DaemonTargetOptions extends NamedEndpoint, TargetOptions {
  /** Whether it is the only target. */
  readonly isOnly: boolean;
  /** Returns true for the first target on this host, which then measures the host. */
  readonly claimHost: () => boolean;
  readonly scope: AgentScope;
}

/** What exists once it is known where the daemon runs. */
interface Running {
  readonly docker: DockerCollector;
  readonly collectors: readonly Collector[];
  readonly namespaces: NamespaceCollector | undefined;
  readonly storage: StorageCollector;
  readonly round: Round;
}

/** Nothing here shows the OOM kills of another host's kernel. */
const withoutKernelKills = (evidence: ExitEvidence): ExitEvidence => ({
  lastMomentsOf: (container, since) => evidence.lastMomentsOf(container, since),
  oomReported: () => {},
  hasKernelKilled: () => false,
  isHostOutOfMemory: () => false,
});

export class DaemonTarget implements Target {
  readonly name: string | undefined;
  readonly endpoint: DaemonEndpoint;
  readonly docker: Docker;
  private readonly options: DaemonTargetOptions;
  private readonly stopping = new AbortController();
  /** Whether it runs on this host, so that the kernel shows its containers. */
  private isHere: boolean;
  recordAttributes: Attributes;
  private resource: Resource;
  private running: Running | undefined;
  /** Whether the existing containers are known. */
  private isReady = false;

  constructor(options: DaemonTargetOptions) {
    this.options = options;
    this.name = options.name;
    this.endpoint = options.endpoint;
    this.docker = connectToDaemon(options.endpoint, requestSpans(options.endpoint, options.telemetry));
    this.isHere = isLocal(options.endpoint);
    this.recordAttributes = this.recordAttributesOn(options.hostAttributes);
    this.resource = this.resourceOf(this.recordAttributes);
  }

  get connected(): boolean {
    return this.running?.docker.connected ?? false;
  }

  get isUnreachable(): boolean {
    return !this.isHere && !this.connected;
  }

  get containers(): ReadonlyMap<string, Container> {
    return this.running?.docker.containers ?? new Map();
  }

  /** The resource of records that belong to no container. */
  get host(): Resource {
    return this.resource;
  }

  get namespaces(): ReturnType<NamespaceCollector['memberships']> {
    return this.running?.namespaces?.memberships() ?? new Map();
  }

  get procfs(): string | undefined {
    return this.isHere ? this.options.settings.procfs : undefined;
  }

  async images(): Promise<ImageSummary[]> {
    const used = this.imageIds();
    const all = await listImages(this.docker, used);
    return this.options.scope.isHost ? all : all.filter(({ Id }) => used.includes(Id));
  }

  async image(id: string): Promise<LayeredImage | undefined> {
    const isShown = this.options.scope.isHost || this.imageIds().includes(id);
    return isShown ? layeredImage(this.docker, id) : undefined;
  }

  /** Images of the observed containers. */
  private imageIds(): string[] {
    return [...this.containers.values()].flatMap(({ resource }) => {
      const id = resource.attributes['container.image.id'];
      return id === undefined ? [] : String(id);
    });
  }

  exists(id: string): boolean {
    return this.running?.docker.exists(id) ?? false;
  }

  start(ready: () => void): void {
    void this.detectLocation().then(() => {
      if (this.stopping.signal.aborted) return;
      this.running = this.startCollectors();
      this.running.docker.start(() => {
        this.onContainersKnown();
        ready();
      });
    });
  }

  async prepareRound(signal: AbortSignal): Promise<void> {
    const { running } = this;
    if (running?.docker.connected !== true) return;
    await Promise.all(running.collectors.map((collector) => collector.prepareRound?.(signal)));
  }

  async collectRound(): Promise<MetricSet[]> {
    if (this.running === undefined || !this.isReady) return [];
    // An agent that observes only some containers leaves the host to another one.
    const host = this.options.scope.isHost ? this.resource : undefined;
    const sets = await this.running.round.collect(this.containers.values(), host);
    return this.isHere || this.options.isOnly ? sets : sets.map((set) => ({ ...set, isRemote: true }));
  }

  async close(): Promise<void> {
    this.stopping.abort();
    await this.running?.docker.close();
    await Promise.all(this.running?.collectors.map((collector) => collector.close?.()) ?? []);
  }

  /** Finds out whether a daemon that is reached through the network runs on this host. */
  private async detectLocation(): Promise<void> {
    if (isLocal(this.endpoint)) return;
    const { settings, telemetry } = this.options;
    const { signal } = this.stopping;
    const backoff = new Backoff(MAX_BACKOFF_MS, signal);
    while (!signal.aborted) {
      try {
        this.isHere = await runsHere(this.docker, await infoOf(this.docker), settings);
        return;
      } catch (error) {
        telemetry.reportError('docker', error, this.name);
        await backoff.wait();
      }
    }
  }

  /** Updates the attributes of every record: for a daemon on another host, with what it reports about that host. */
  private async updateRecordAttributes(): Promise<Attributes> {
    if (!this.isHere) {
      const info = await infoOf(this.docker);
      this.recordAttributes = this.recordAttributesOn(info === undefined ? {} : hostOf(info));
      this.resource = this.resourceOf(this.recordAttributes);
    }
    return this.recordAttributes;
  }

  private recordAttributesOn(host: Attributes): Attributes {
    return {
      ...host,
      ...this.options.configuredAttributes,
      ...(this.name === undefined ? {} : { 'docker.daemon.name': this.name }),
    };
  }

  private resourceOf(recordAttributes: Attributes): Resource {
    return {
      attributes: { 'service.name': 'portlight', ...recordAttributes, ...this.options.agentAttributes },
    };
  }

  /** Whether the container's process, and with it its cgroup, is visible from here. */
  private isVisible({ pid, id }: Container): boolean {
    return this.isHere && isContainerProcess(this.options.settings.procfs, pid, id);
  }

  private startCollectors(): Running {
    const { docker, isHere, options } = this;
    const { settings, telemetry, sink, store, evidence, metrics, scope } = options;
    const rootfs = isHere ? settings.rootfs : undefined;
    const storage = new StorageCollector(docker, sink, { intervalMs: settings.storageIntervalMs, rootfs });
    const objects = new ObjectCollector({
      docker,
      sink,
      host: () => this.resource,
      containers: () => this.containers.values(),
      isReported: (labels) => scope.isHost || (labels !== undefined && scope.ownsLabels(labels)),
      store,
    });
    const measuresHost = isHere && scope.isHost && options.claimHost();
    const local = isHere
      ? localCollectors(options, () => this.containers.values(), measuresHost ? this.resource : undefined)
      : undefined;
    const collectors: readonly Collector[] = [
      ...(local?.collectors ?? remoteCollectors(options)),
      new StatsCollector({
        docker,
        sink,
        rows: metrics.readRows,
        isVisible: (container) => this.isVisible(container),
      }),
      ...options.sharedCollectors,
      storage,
      objects,
      new LogCollector({ ...targetLogOptions(options), docker, rootfs, ownId: scope.ownId }),
    ];
    const events = new DockerCollector({
      docker,
      surroundings: () => this.updateRecordAttributes(),
      host: () => this.resource,
      isWantedLabel: settings.isWantedLabel,
      selects: (container) => settings.isSelected(container) && scope.includes(container),
      reportsObjects: scope.isHost,
      optionalAttributes: (container) => (isHere ? optionalAttributes(container, options) : {}),
      sink,
      store,
      evidence: isHere ? evidence : withoutKernelKills(evidence),
      redactCommand: settings.redactCommand,
      onVersion: ({ ApiVersion }) => {
        const warning = outdatedApiWarning(ApiVersion);
        if (warning !== undefined) telemetry.warn(`docker: ${this.endpoint.host}: ${warning}`);
      },
      onObjectChanged: (type) => objects.objectChanged(type),
      onReconciled: () => void objects.refreshAll(),
      lifecycle: new CollectorDispatcher(collectors, telemetry, (container) => {
        const canAll = container.pid === 0 || this.isVisible(container);
        return (collector) => canAll || local?.perProcess.includes(collector) !== true;
      }),
      position: {
        load: () => {
          const time = store.load('events');
          return time === undefined ? undefined : BigInt(time);
        },
        save: (time) => store.save('events', String(time)),
      },
    });
    const hostStartTime = isHere ? readBootTime(settings.procfs) : 0n;
    const round = new Round(
      [...collectors, events],
      metrics.exported,
      telemetry,
      hostStartTime,
      metrics.ruleOnly,
    );
    return { docker: events, collectors, namespaces: local?.namespaces, storage, round };
  }

  /** Called once, when the existing containers are known. */
  private onContainersKnown(): void {
    const { store } = this.options;
    this.isReady = true;
    deleteRemoved(store, (id) => this.exists(id));
    void this.running!.storage.refresh();
  }
}
