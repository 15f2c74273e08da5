/** A simulated host: the dashboard as it runs in the agent, with containers that no daemon has. */

import type { Server } from 'node:http';
import { pino } from 'pino';
import { compileLogProcessing } from '../../agent/logs/log-processing.ts';
import type { Pipeline } from '../../agent/pipeline/pipeline.ts';
import { loadConfig } from '../../agent/process/load-config.ts';
import { catalogue } from '../../collectors/catalogue/index.ts';
import type { MetricSet } from '../../collectors/records/points.ts';
import { Points } from '../../collectors/records/points.ts';
import type { Attributes, Container, Metric, UnixNano } from '../../collectors/records/records.ts';
import { Severity } from '../../collectors/records/records.ts';
import type { Alert } from '../../exporters/alerts/alert.ts';
import { DashboardExporter } from '../../exporters/dashboard/index.ts';
import { AccessControl } from '../../exporters/server/access.ts';
import { type ServerOptions, startServer, urlOf } from '../../exporters/server/index.ts';
import { Telemetry } from '../../exporters/shared/telemetry.ts';
import { fakeContainer } from './container.ts';
import { logLine } from './log-line.ts';
import { plainPipeline } from './pipeline.ts';
import { Random } from './random.ts';
import { layers, memberships, type SyntheticContainer } from './synthetic-containers.ts';
import { MEBIBYTE } from './units.ts';

const STEP_MS = 10_000;

const nanos = (ms: number): UnixNano => BigInt(Math.round(ms)) * 1_000_000n;
const hex = (number: number): string => number.toString(16).padStart(4, '0').repeat(16);

/** Current counters of one container. */
interface Counters {
  receive: number;
  transmit: number;
  read: number;
  write: number;
  periods: number;
  throttled: number;
}

export class SimulatedHost {
  readonly url: string;
  readonly dashboard: DashboardExporter;
  readonly containers: Map<string, Container>;
  private readonly parts: ReadonlyMap<string, SyntheticContainer>;
  private readonly pipeline: Pipeline;
  private readonly server: Server;
  private readonly counters = new Map<string, Counters>();
  private readonly next: () => number;
  private readonly hostCounters = { busy: 0, receive: 0, transmit: 0, read: 0, write: 0 };

  private constructor(options: {
    parts: ReadonlyMap<string, SyntheticContainer>;
    containers: Map<string, Container>;
    dashboard: DashboardExporter;
    pipeline: Pipeline;
    server: Server;
  }) {
    this.parts = options.parts;
    this.containers = options.containers;
    this.dashboard = options.dashboard;
    this.pipeline = options.pipeline;
    this.server = options.server;
    this.url = urlOf(options.server);
    const numbers = new Random(7);
    this.next = () => numbers.below(1000) / 1000;
  }

  static async start(all: readonly SyntheticContainer[]): Promise<SimulatedHost> {
    const begun = Date.now() - 26 * 3_600_000;
    const containers = new Map<string, Container>();
    const parts = new Map<string, SyntheticContainer>();
    all.forEach((part, index) => {
      const id = hex(index + 0xa000);
      const labels = {
        ...(part.project && { 'com.docker.compose.project': part.project }),
        ...(part.service && { 'com.docker.compose.service': part.service }),
      };
      const isRunning = (part.status ?? 'running') === 'running';
      const attributes = {
        'container.id': id,
        'container.name': part.name,
        'container.image.name': part.image,
        'container.image.id': `sha256:${hex(0x100 + part.image.length)}`,
        'service.name': part.service ?? part.name,
      };
      const container = fakeContainer({
        id,
        name: part.name,
        image: part.image,
        pid: isRunning ? 1000 + index : 0,
        createdAt: nanos(begun),
        startedAt: nanos(begun + index * 400_000),
        finishedAt: isRunning ? 0n : nanos(Date.now() - 1_500_000),
        health: part.health,
        status: part.status ?? 'running',
        exitCode: part.exitCode ?? 0,
        restarts: part.restarts ?? 0,
        restartPolicy: 'unless-stopped',
        networkMode: part.joins === undefined ? 'bridge' : `container:${part.joins}`,
      });
      container.labels = labels;
      container.resource = { attributes };
      containers.set(id, container);
      parts.set(id, part);
    });
    const { config } = await loadConfig({}, undefined, {});
    const telemetry = new Telemetry(pino({ level: 'silent' }));
    const dashboard = new DashboardExporter(
      {
        hostname: 'harbour-1',
        attributes: { 'host.name': 'harbour-1', 'os.type': 'linux' },
        containers: () => containers,
        isConnected: () => true,
        namespaces: () => memberships(containers, parts),
        confinement: () => ({
          privileged: false,
          capabilities: ['CHOWN', 'KILL', 'NET_BIND_SERVICE', 'SETGID', 'SETUID'],
          seccomp: 'filter',
          apparmor: 'docker-default (enforce)',
          noNewPrivileges: false,
          readonlyRootfs: false,
        }),
        images: async () => [],
        image: async (id) => ({
          id,
          references: [],
          digests: [],
          createdAt: begun,
          size: 187 * MEBIBYTE,
          os: 'linux',
          architecture: 'amd64',
          layers: layers(begun),
        }),
        status: () => ({
          version: '0.1.0',
          pid: process.pid,
          since: new Date(begun).toISOString(),
          daemons: [
            { name: null, host: 'unix:///var/run/docker.sock', connected: true, containers: containers.size },
          ],
          collected: { events: 214, metrics: 1_204_311, logs: 88_412 },
          destinations: [{ name: 'otlp', reachable: true }],
          deliveries: [
            {
              signal: 'logs',
              destination: 'otlp',
              spooled: 88_412,
              sent: 88_390,
              sentBytes: 31_442_118,
              retries: 2,
              dropped: {},
              waitingBytes: 8123,
              oldestAge: 0.3,
            },
          ],
          dropped: {},
        }),
        collectors: () => [
          { name: 'cgroup', seconds: 12.4, errors: 0 },
          { name: 'docker', seconds: 0.2, errors: 0 },
          { name: 'network', seconds: 3.1, errors: 0 },
        ],
      },
      STEP_MS,
      telemetry,
    );
    const pipeline = plainPipeline({
      exporters: [dashboard],
      telemetry,
      logProcessing: () => compileLogProcessing(config.logs, {}, () => {}),
    });
    const access = new AccessControl([], undefined);
    const site: ServerOptions = {
      health: {},
      public: dashboard.pageRoutes,
      protected: dashboard.routes,
      access,
      onError: (error: unknown) => console.error(error),
    };
    const server = await startServer({ host: '127.0.0.1', port: 0 }, site);
    return new SimulatedHost({ parts, containers, dashboard, pipeline, server });
  }

  named(name: string): Container {
    const found = [...this.containers.values()].find((container) => container.name === name);
    if (found === undefined) throw new Error(`the simulated host has no container ${name}`);
    return found;
  }

  /** Adds the rounds of the last `ms` milliseconds. */
  async past(ms: number): Promise<void> {
    const now = Date.now();
    for (let time = now - ms; time <= now; time += STEP_MS) await this.round(time);
  }

  /** Adds one round. @param time ms since the epoch */
  async round(time = Date.now()): Promise<void> {
    const sets = [...this.containers.values()].map((container) => this.set(container, time));
    sets.push(this.host(time));
    await this.dashboard.export({
      signal: 'metrics',
      sets,
      resources: [],
      isLast: true,
      count: 0,
      otlp: Buffer.alloc(0),
    });
  }

  async event(name: string, eventName: string, body: string, facts: LogLineOptions = {}): Promise<void> {
    const { time = Date.now(), severity = Severity.INFO, attributes = {} } = facts;
    await this.pipeline.emitEvent(this.named(name).resource, {
      eventName,
      time: nanos(time),
      severity,
      body,
      attributes,
    });
  }

  /** Adds log lines. @param lines each with its time, ms since the epoch */
  log(name: string, lines: readonly (readonly [time: number, text: string])[]): void {
    const position = { seconds: 0, nanos: 0, count: 0, offset: -1, check: -1 };
    const sink = this.pipeline.openLog(this.named(name), position, { save() {} })!;
    for (const [time, text] of lines) {
      const seconds = Math.floor(time / 1000);
      sink.addLine(logLine(text, { seconds, nanos: Math.round((time - seconds * 1000) * 1e6), utf8: true }));
    }
    sink.checkpoint();
    sink.flush();
  }

  async alerts(alerts: readonly Alert[]): Promise<void> {
    await this.dashboard.export({ signal: 'alerts', alerts, count: alerts.length });
  }

  async stop(): Promise<void> {
    await this.dashboard.shutdown();
    const closed = new Promise((resolve) => this.server.close(resolve));
    this.server.closeAllConnections();
    await closed;
  }

  private set(container: Container, time: number): MetricSet {
    const points = new Points();
    const push = (metric: Metric, value: number | undefined, attributes?: Attributes) => {
      if (value !== undefined) points.push({ metric, value, attributes });
    };
    push(catalogue.restarts, container.restarts);
    const part = this.parts.get(container.id)!;
    if (container.pid !== 0) {
      const { next } = this;
      const swing = Math.sin(time / 240_000 + part.name.length) * 0.35 + (next() - 0.5) * 0.3;
      const busy = Math.max(0.02, 1 + swing);
      const counters = this.countersOf(container.id);
      counters.receive += (part.network ?? 0) * busy * 10;
      counters.transmit += (part.network ?? 0) * busy * 6;
      counters.write += (part.disk ?? 0) * busy * 10;
      counters.read += next() > 0.8 ? (part.disk ?? 0) * 8 : 0;
      counters.periods += 100;
      counters.throttled += part.cpuLimit !== undefined && part.cpu * busy > part.cpuLimit * 0.8 ? 35 : 0;
      push(catalogue.cpuUsage, Math.min(part.cpuLimit ?? 64, part.cpu * busy));
      push(catalogue.cpuLimit, part.cpuLimit);
      if (part.cpuLimit !== undefined) {
        push(catalogue.cpuPeriods, counters.periods);
        push(catalogue.cpuThrottledPeriods, counters.throttled);
      }
      const memory =
        part.memory * MEBIBYTE * (0.94 + (part.memoryLimit === undefined ? 0.05 : 0.12) * busy * 0.5);
      push(catalogue.memoryUsage, memory * 1.1);
      push(catalogue.memoryWorkingSet, memory);
      push(catalogue.memoryLimit, part.memoryLimit === undefined ? undefined : part.memoryLimit * MEBIBYTE);
      push(catalogue.pidsCount, part.pids);
      if (part.network !== undefined) {
        push(catalogue.networkIo, counters.receive, { 'network.io.direction': 'receive' });
        push(catalogue.networkIo, counters.transmit, { 'network.io.direction': 'transmit' });
      }
      push(catalogue.diskIo, counters.read, { 'disk.io.direction': 'read' });
      push(catalogue.diskIo, counters.write, { 'disk.io.direction': 'write' });
    }
    const { resource, startedAt } = container;
    return { resource, container, startTime: startedAt, time: nanos(time), points };
  }

  private host(time: number): MetricSet {
    const points = new Points();
    const push = (metric: Metric, value: number, attributes?: Attributes) =>
      points.push({ metric, value, attributes });
    const counters = this.hostCounters;
    const wave = 1 + Math.sin(time / 300_000) * 0.3 + (this.next() - 0.5) * 0.2;
    counters.busy += 32 * wave;
    counters.receive += 4e7 * wave;
    counters.transmit += 2.2e7 * wave;
    counters.read += 3e6 * wave;
    counters.write += 2e7 * wave;
    push(catalogue.systemCpuCount, 8);
    push(catalogue.systemCpuTime, counters.busy, { 'cpu.mode': 'user' });
    push(catalogue.systemMemoryLimit, 32 * 1024 * MEBIBYTE);
    push(catalogue.systemMemoryAvailable, (19 - wave) * 1024 * MEBIBYTE);
    push(catalogue.systemNetworkIo, counters.receive, { 'network.io.direction': 'receive' });
    push(catalogue.systemNetworkIo, counters.transmit, { 'network.io.direction': 'transmit' });
    push(catalogue.systemDiskIo, counters.read, { 'disk.io.direction': 'read' });
    push(catalogue.systemDiskIo, counters.write, { 'disk.io.direction': 'write' });
    push(catalogue.systemUptime, 812_345);
    for (const [state, gibibytes] of [
      ['used', 143],
      ['free', 277],
      ['reserved', 20],
    ] as const)
      push(catalogue.systemFilesystemUsage, gibibytes * 1024 * MEBIBYTE, {
        'system.filesystem.mountpoint': '/',
        'system.device': '/dev/nvme0n1p2',
        'system.filesystem.type': 'ext4',
        'system.filesystem.state': state,
      });
    push(catalogue.daemonImages, 23, { 'docker.image.dangling': false });
    push(catalogue.daemonImageSize, 9.4 * 1024 * MEBIBYTE);
    return { resource: { attributes: {} }, container: undefined, startTime: 0n, time: nanos(time), points };
  }

  private countersOf(id: string): Counters {
    const known = this.counters.get(id);
    if (known !== undefined) return known;
    const counters = { receive: 0, transmit: 0, read: 0, write: 0, periods: 0, throttled: 0 };
    this.counters.set(id, counters);
    return counters;
  }
}

export interface LogLineOptions {
  readonly time?: number;
  readonly severity?: (typeof Severity)[keyof typeof Severity];
  readonly attributes?: Attributes;
}
