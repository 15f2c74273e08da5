/** The daemon and the kernel asked by ourselves, as the agent asks them, with nothing kept and nothing sent. */

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
/** How soon the log of a container that does not run is asked for again. */
const AGAIN_MS = 1000;
/** How long a fault is shown. */
const FAULT_MS = 10_000;

/** What is shown, and what is told of a container's end. */
const WANTED = metrics.filter(
  (row) => LIVE_METRICS.has(row) || row === catalogue.memoryRss || row === catalogue.memoryFile,
);
const WANTED_OF_HOST = metrics.filter(({ name }) => name.startsWith('system.'));

const HOST: Resource = { attributes: {} };

/** To the microsecond, as the agent gives it. */
const milliseconds = (time: UnixNano): number => Number(time / 1000n) / 1000;

function entryOf(sequence: number, resource: Resource, event: EventRecord): EventEntry {
  const { 'container.id': id, 'container.name': name } = resource.attributes;
  const texts = Object.entries(event.attributes).map(([key, value]) => [
    key,
    Array.isArray(value) ? value : String(value),
  ]);
  return {
    sequence,
    time: milliseconds(event.time),
    name: event.eventName,
    severity: event.severity,
    body: event.body,
    container: id === undefined ? null : { id: String(id), name: String(name) },
    attributes: Object.fromEntries(texts),
  };
}

export interface DaemonSourceOptions {
  /** From when on events are wanted, ms since the epoch; the daemon remembers the last 256. */
  readonly since: number;
  /** Time from one look at the figures to the next, ms; undefined where only events are wanted. */
  readonly interval?: number;
  /** Told of each event. */
  readonly onEvent?: (event: EventEntry) => void;
}

export class DaemonSource implements ViewSource {
  readonly origin: string;
  readonly state = createViewState();
  /** Resolves when all that the daemon remembers was told. */
  readonly caughtUp: Promise<void>;
  private readonly daemon: Daemon;
  private readonly options: DaemonSourceOptions;
  private readonly docker: DockerCollector;
  private readonly rounds: Round;
  private readonly collectors: CollectorSet;
  private readonly evidence: EvidenceStore;
  private readonly figures = new Map<string, ContainerUsage>();
  private readonly host = new HostUsage(STEP_MS);
  private timer: NodeJS.Timeout | undefined;
  /** Whether the daemon's processes can be seen from here. */
  private readonly isHere: boolean;
  /** The last one, and when it was, ms since the epoch. */
  private fault: { readonly text: string; readonly at: number } | undefined;
  private isCollecting = false;
  /** Undefined where the host is not what is asked about. */
  private readonly about: Resource | undefined;
  /** How many events were told. */
  private told = 0;
  private changed: () => void = () => {};

  constructor(config: Config, options: DaemonSourceOptions) {
    this.options = options;
    this.daemon = daemonOf(config);
    const { docker, endpoint } = this.daemon;
    this.origin = `daemon at ${endpoint.host}`;
    const here = isLocal(endpoint);
    // Faults are shown, and not logged across the screen.
    const write = (line: string) => {
      this.fault = { text: (JSON.parse(line) as { msg: string }).msg, at: Date.now() };
    };
    const telemetry = new Telemetry(pino({ level: 'warn' }, { write }));
    const files = new KernelFiles(descriptorLimit(), () => {});
    this.evidence = new EvidenceStore(config.procfs);
    const metrics = new Set<Metric>([...WANTED, ...WANTED_OF_HOST]);
    const { procfs, rootfs } = config;
    this.collectors = new CollectorSet('view', { procfs, rootfs, files, metrics, isHere: here });
    this.isHere = here;
    this.about = config.scope === 'host' ? HOST : undefined;
    this.rounds = new Round(
      this.collectors.collectors,
      metrics,
      telemetry,
      here ? readBootTime(config.procfs) : 0n,
    );
    const sink: RecordSink = {
      emitEvent: async (resource, event) => this.take(resource, event),
      emitSpan: async () => {},
      openLog: () => undefined,
      reportError: (collector, error, container) => telemetry.reportError(collector, error, container?.name),
    };
    const reached = Promise.withResolvers<void>();
    this.caughtUp = reached.promise;
    this.docker = new DockerCollector({
      docker,
      surroundings: async () => ({}),
      host: () => HOST,
      isWantedLabel: () => false,
      selects: async (container) => (await this.daemon.scope()).includes(container),
      describe: () => ({}),
      sink,
      store: new MemoryStore(),
      evidence: this.evidence,
      command: undefined,
      reportsObjects: this.about !== undefined,
      onVersion: () => {},
      onObjectChanged: () => {},
      onReconciled: reached.resolve,
      lifecycle: new CollectorDispatcher(this.collectors.collectors, telemetry),
      // What is older explains what is told: how long it lasted, and whether it was asked for.
      position: { load: () => 0n, save: () => {} },
    });
  }

  async start(changed: () => void): Promise<void> {
    await this.daemon.ask(this.daemon.docker.version());
    await this.daemon.scope();
    this.changed = changed;
    this.docker.start(() => {});
    await this.caughtUp;
    this.show();
    const { interval } = this.options;
    if (interval === undefined) return;
    await this.look();
    this.timer = setInterval(() => void this.look(), interval);
  }

  async close(): Promise<void> {
    clearInterval(this.timer);
    await this.docker.close();
    this.collectors.close();
  }

  async series(id: string, since: number): Promise<ContainerSeries> {
    const history = this.figures.get(id)?.history;
    const [from, to] = [Math.floor(since / STEP_MS), Math.floor(Date.now() / STEP_MS)];
    const values = containerMetrics.map((name, column) => [name, history?.column(column, from, to) ?? []]);
    return { step: STEP_MS, values: Object.fromEntries(values) };
  }

  async *readLog(id: string, tail: number, signal: AbortSignal): AsyncGenerator<DisplayLine> {
    const { docker, ask } = this.daemon;
    const inspected = await ask(docker.getContainer(id).inspect());
    const log = new DaemonLog(docker, inspected, signal);
    while (!signal.aborted) {
      yield* log.follow({ since: undefined, tail });
      // It has ended, and may be started again.
      await sleep(AGAIN_MS, undefined, { signal });
    }
  }

  /** Looks at all containers once. */
  private async look(): Promise<void> {
    if (this.isCollecting) return;
    this.isCollecting = true;
    try {
      const all = [...this.docker.containers.values()];
      const sets = await this.rounds.collect(
        all.filter(({ pid }) => pid !== 0),
        this.about,
      );
      this.evidence.addRound(sets);
      for (const set of sets) {
        if (set.container === undefined) this.host.update(set);
        else if (ContainerUsage.hasUsage(set)) this.figuresOf(set.container.id).update(set);
      }
      for (const id of this.figures.keys()) if (!this.docker.containers.has(id)) this.figures.delete(id);
      this.state.host = this.host.latest;
      this.show();
      this.state.problem = this.trouble();
    } catch (error) {
      this.state.problem = errorMessage(error);
    } finally {
      this.isCollecting = false;
    }
    this.changed();
  }

  private trouble(): string | undefined {
    const { fault } = this;
    const isRecent = fault !== undefined && Date.now() - fault.at < FAULT_MS;
    if (!this.docker.connected)
      return `the ${this.origin} does not answer${isRecent ? `: ${fault.text}` : ''}; reconnecting`;
    if (isRecent) return fault.text;
    return this.isHere ? undefined : 'the daemon is elsewhere: what its containers use is not seen from here';
  }

  private show(): void {
    const { containers } = this.state;
    containers.clear();
    for (const each of this.docker.containers.values()) this.showOne(each);
  }

  private showOne(container: Container): void {
    const figures = this.figures.get(container.id)?.latest;
    this.state.containers.set(container.id, summarizeContainer(container, figures));
  }

  private figuresOf(id: string): ContainerUsage {
    const figures = this.figures.get(id) ?? new ContainerUsage(STEP_MS);
    this.figures.set(id, figures);
    return figures;
  }

  private take(resource: Resource, event: EventRecord): void {
    if (milliseconds(event.time) < this.options.since) return;
    const { events } = this.state;
    const entry = entryOf(++this.told, resource, event);
    insertEvent(events, entry);
    this.options.onEvent?.(entry);
    const about = entry.container === null ? undefined : this.docker.containers.get(entry.container.id);
    if (about !== undefined) this.showOne(about);
    this.changed();
  }
}
