/** What commands show without a running agent: they read the daemon and the kernel with the agent's own collectors. */

import { setTimeout as sleep } from 'node:timers/promises';
import { pino } from 'pino';
import { catalogue, metrics } from '../../../collectors/catalogue/index.ts';
import { DockerCollector } from '../../../collectors/docker/index.ts';
import { isLocal } from '../../../collectors/engine/daemon-endpoint.ts';
import { readBootTime } from '../../../collectors/host/boot-time.ts';
import type { RecordSink } from '../../../collectors/records/collector.ts';
import type {
  Container,
  EventRecord,
  Metric,
  Resource,
  UnixNano,
} from '../../../collectors/records/records.ts';
import { errorMessage } from '../../../collectors/shared/error-message.ts';
import { descriptorLimit, KernelFiles } from '../../../collectors/shared/kernel-file.ts';
import type { Config } from '../../../config/schema.ts';
import type { EventEntry } from '../../../exporters/dashboard/api.ts';
import { containerMetrics } from '../../../exporters/dashboard/api.ts';
import { summarizeContainer } from '../../../exporters/dashboard/summary.ts';
import { ContainerUsage, HostUsage } from '../../../exporters/dashboard/usage.ts';
import { Telemetry } from '../../../exporters/shared/telemetry.ts';
import { EvidenceStore } from '../../pipeline/evidence-store.ts';
import { CollectorSet } from '../../rounds/collector-set.ts';
import { LIVE_METRICS } from '../../rounds/live-sampler.ts';
import { Round } from '../../rounds/round.ts';
import { CollectorDispatcher } from '../../targets/collector-dispatcher.ts';
import { type Daemon, daemonOf } from './daemon.ts';
import { DaemonLog } from './daemon-logs.ts';
import type { DisplayLine } from './log-line.ts';
import { MemoryStore } from './memory-store.ts';
import { type ContainerSeries, createViewState, insertEvent, type ViewSource } from './view-source.ts';

/** Steps of the charts, ms. */
const STEP_MS = 2000;
/** Time between two requests for the log of a container that does not run. */
const RETRY_MS = 1000;
/** How long an error is shown. */
const ERROR_MS = 10_000;

/** Metrics of containers that are shown, and those of the exit events. */
const CONTAINER_METRICS = metrics.filter(
  (row) => LIVE_METRICS.has(row) || row === catalogue.memoryRss || row === catalogue.memoryFile,
);
const HOST_METRICS = metrics.filter(({ name }) => name.startsWith('system.'));

const HOST: Resource = { attributes: {} };

/** Milliseconds since the epoch with microseconds, as the agent's API has them. */
const epochMs = (time: UnixNano): number => Number(time / 1000n) / 1000;

function entryOf(sequence: number, resource: Resource, event: EventRecord): EventEntry {
  const { 'container.id': id, 'container.name': name } = resource.attributes;
  const texts = Object.entries(event.attributes).map(([key, value]) => [
    key,
    Array.isArray(value) ? value : String(value),
  ]);
  return {
    sequence,
    time: epochMs(event.time),
    name: event.eventName,
    severity: event.severity,
    body: event.body,
    container: id === undefined ? null : { id: String(id), name: String(name) },
    attributes: Object.fromEntries(texts),
  };
}

export interface DaemonSourceOptions {
  /** Events from this time on are shown, ms since the epoch. The daemon keeps the last 256. */
  readonly since: number;
  /** Time between two measurements, ms; undefined for events only. */
  readonly interval?: number;
  /** Called with each event. */
  readonly onEvent?: (event: EventEntry) => void;
}

export class DaemonSource implements ViewSource {
  readonly origin: string;
  readonly state = createViewState();
  /** Resolves when the events that the daemon keeps were read. */
  readonly caughtUp: Promise<void>;
  private readonly daemon: Daemon;
  private readonly options: DaemonSourceOptions;
  private readonly docker: DockerCollector;
  private readonly rounds: Round;
  private readonly collectors: CollectorSet;
  private readonly evidence: EvidenceStore;
  private readonly usage = new Map<string, ContainerUsage>();
  private readonly host = new HostUsage(STEP_MS);
  private timer: NodeJS.Timeout | undefined;
  /** Whether the containers' processes are visible from here. */
  private readonly isHere: boolean;
  /** The last error, and its time in ms since the epoch. */
  private lastError: { readonly text: string; readonly at: number } | undefined;
  private isCollecting = false;
  /** The resource of the host's metrics; undefined where the scope is not the host. */
  private readonly hostResource: Resource | undefined;
  private eventCount = 0;
  private onChange: () => void = () => {};

  constructor(config: Config, options: DaemonSourceOptions) {
    this.options = options;
    this.daemon = daemonOf(config);
    const { docker, endpoint } = this.daemon;
    this.origin = `daemon at ${endpoint.host}`;
    const isHere = isLocal(endpoint);
    // Errors are shown in the view: a log would be written across the screen.
    const write = (line: string) => {
      this.lastError = { text: (JSON.parse(line) as { msg: string }).msg, at: Date.now() };
    };
    const telemetry = new Telemetry(pino({ level: 'warn' }, { write }));
    const files = new KernelFiles(descriptorLimit(), () => {});
    this.evidence = new EvidenceStore(config.procfs);
    const metrics = new Set<Metric>([...CONTAINER_METRICS, ...HOST_METRICS]);
    const { procfs, rootfs } = config;
    this.collectors = new CollectorSet('view', { procfs, rootfs, files, metrics, isHere });
    this.isHere = isHere;
    this.hostResource = config.scope === 'host' ? HOST : undefined;
    this.rounds = new Round(
      this.collectors.collectors,
      metrics,
      telemetry,
      isHere ? readBootTime(config.procfs) : 0n,
    );
    const sink: RecordSink = {
      emitEvent: async (resource, event) => this.addEvent(resource, event),
      emitSpan: async () => {},
      openLog: () => undefined,
      reportError: (collector, error, container) => telemetry.reportError(collector, error, container?.name),
    };
    const reconciled = Promise.withResolvers<void>();
    this.caughtUp = reconciled.promise;
    this.docker = new DockerCollector({
      docker,
      surroundings: async () => ({}),
      host: () => HOST,
      isWantedLabel: () => false,
      selects: async (container) => (await this.daemon.scope()).includes(container),
      optionalAttributes: () => ({}),
      sink,
      store: new MemoryStore(),
      evidence: this.evidence,
      redactCommand: undefined,
      reportsObjects: this.hostResource !== undefined,
      onVersion: () => {},
      onObjectChanged: () => {},
      onReconciled: reconciled.resolve,
      lifecycle: new CollectorDispatcher(this.collectors.collectors, telemetry),
      // Older events are read too: they explain how long a later one lasted, and whether somebody requested it.
      position: { load: () => 0n, save: () => {} },
    });
  }

  async start(onChange: () => void): Promise<void> {
    await this.daemon.request(this.daemon.docker.version());
    await this.daemon.scope();
    this.onChange = onChange;
    this.docker.start(() => {});
    await this.caughtUp;
    this.showAll();
    const { interval } = this.options;
    if (interval === undefined) return;
    await this.measure();
    this.timer = setInterval(() => void this.measure(), interval);
  }

  async close(): Promise<void> {
    clearInterval(this.timer);
    await this.docker.close();
    this.collectors.close();
  }

  async series(id: string, since: number): Promise<ContainerSeries> {
    const history = this.usage.get(id)?.history;
    const [from, to] = [Math.floor(since / STEP_MS), Math.floor(Date.now() / STEP_MS)];
    const values = containerMetrics.map((name, column) => [name, history?.column(column, from, to) ?? []]);
    return { step: STEP_MS, values: Object.fromEntries(values) };
  }

  async *readLog(id: string, tail: number, signal: AbortSignal): AsyncGenerator<DisplayLine> {
    const { docker, request } = this.daemon;
    const inspected = await request(docker.getContainer(id).inspect());
    const log = new DaemonLog(docker, inspected, signal);
    while (!signal.aborted) {
      yield* log.follow({ since: undefined, tail });
      // The container has exited, and can be started again.
      await sleep(RETRY_MS, undefined, { signal });
    }
  }

  /** Measures all containers once. */
  private async measure(): Promise<void> {
    if (this.isCollecting) return;
    this.isCollecting = true;
    try {
      const all = [...this.docker.containers.values()];
      const sets = await this.rounds.collect(
        all.filter(({ pid }) => pid !== 0),
        this.hostResource,
      );
      this.evidence.addRound(sets);
      for (const set of sets) {
        if (set.container === undefined) this.host.update(set);
        else if (ContainerUsage.hasUsage(set)) this.usageOf(set.container.id).update(set);
      }
      for (const id of this.usage.keys()) if (!this.docker.containers.has(id)) this.usage.delete(id);
      this.state.host = this.host.latest;
      this.showAll();
      this.state.problem = this.problem();
    } catch (error) {
      this.state.problem = errorMessage(error);
    } finally {
      this.isCollecting = false;
    }
    this.onChange();
  }

  private problem(): string | undefined {
    const { lastError } = this;
    const isRecent = lastError !== undefined && Date.now() - lastError.at < ERROR_MS;
    if (!this.docker.connected)
      return `the ${this.origin} does not answer${isRecent ? `: ${lastError.text}` : ''}; reconnecting`;
    if (isRecent) return lastError.text;
    return this.isHere
      ? undefined
      : 'the daemon runs on another host: the usage of its containers is not visible from here';
  }

  private showAll(): void {
    const { containers } = this.state;
    containers.clear();
    for (const container of this.docker.containers.values()) this.showOne(container);
  }

  private showOne(container: Container): void {
    const usage = this.usage.get(container.id)?.latest;
    this.state.containers.set(container.id, summarizeContainer(container, usage));
  }

  private usageOf(id: string): ContainerUsage {
    const usage = this.usage.get(id) ?? new ContainerUsage(STEP_MS);
    this.usage.set(id, usage);
    return usage;
  }

  private addEvent(resource: Resource, event: EventRecord): void {
    if (epochMs(event.time) < this.options.since) return;
    const { events } = this.state;
    const entry = entryOf(++this.eventCount, resource, event);
    insertEvent(events, entry);
    this.options.onEvent?.(entry);
    const container = entry.container === null ? undefined : this.docker.containers.get(entry.container.id);
    if (container !== undefined) this.showOne(container);
    this.onChange();
  }
}
