import { once } from 'node:events';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { errorMessage } from '../../collectors/shared/error-message.ts';
import type { DestinationStatus } from '../shared/exporter.ts';
import type { Telemetry } from '../shared/telemetry.ts';
import { type LaneName, Spool, type SpoolOptions } from '../spool/index.ts';
import { BacklogRateLimiter } from './backlog-rate-limiter.ts';
import { CircuitBreaker, SignalThrottle } from './circuit-breaker.ts';
import type { Transport } from './send-result.ts';
import { Sender, type SenderOptions } from './sender.ts';
import { createTracingTransport } from './tracing-transport.ts';

/** How long a shutdown waits for answers of a receiver that was unreachable. */
const LAST_ANSWERS_MS = 250;
const RESTART_SENDER_AFTER_MS = 1000;

/** How one lane is sent. */
export interface LaneRoute extends Pick<SenderOptions, 'halve' | 'countRecords' | 'joinBytes'> {
  readonly lane: LaneName;
  /** The signal's name in the agent's own metrics. */
  readonly signal: string;
  readonly transport: Transport;
  /** Scheme, host and port of the receiver. Routes to the same origin share one circuit breaker. */
  readonly origin: string;
  /** Whether a request has only spans of the agent's own work. */
  readonly isSelfTrace?: (request: Buffer) => boolean;
}

export interface SpooledDeliveryOptions
  extends Pick<SpoolOptions, 'maxBytes' | 'maxAgeMs' | 'logsWait' | 'metricsOrder'> {
  /** Of the destination. */
  readonly name: string;
  /** The directory of all spools; undefined keeps waiting batches in memory. */
  readonly directory: string | undefined;
  /** Rate at which backlog is sent, bytes per second. */
  readonly backlogRate: number;
  readonly routes: readonly LaneRoute[];
  readonly telemetry: Telemetry;
}

/** Delivers the batches of one destination through its own spool, with one sender for each lane. */
export class SpooledDelivery {
  private readonly options: SpooledDeliveryOptions;
  private readonly spool: Spool;
  private readonly breakers = new Map<string, CircuitBreaker>();
  private readonly senders: readonly Sender[];
  private running: Promise<unknown> = Promise.resolve();
  private readonly ending = new AbortController();

  constructor(options: SpooledDeliveryOptions) {
    this.options = options;
    this.spool = openSpool(options);
    const limiter = new BacklogRateLimiter(options.backlogRate);
    limiter.markExistingAsBacklog();
    this.senders = options.routes.map((route) => this.createSender(route, limiter));
  }

  start(): void {
    const { name, routes, telemetry } = this.options;
    this.running = Promise.all(this.senders.map((sender) => this.keepRunning(sender)));
    for (const [lane, { waitingBytes }] of Object.entries(this.spool.lanes)) {
      if (waitingBytes > 0 && !routes.some((route) => route.lane === lane))
        telemetry.warn(
          `${name}: the spool has ${waitingBytes} bytes of ${lane}, which this destination no longer receives; they are dropped when they reach spool.max_age`,
        );
    }
  }

  /** Resolves when the batch was delivered, survives a crash, or was dropped and counted. */
  enqueue(lane: LaneName, request: Buffer, count: number): Promise<void> {
    const { name, routes, telemetry } = this.options;
    const signal = routes.find((route) => route.lane === lane)?.signal ?? lane;
    telemetry.count('portlight.records.spooled', count, { signal, destination: name });
    return this.spool.lanes[lane].add(request, count);
  }

  status(): DestinationStatus {
    return {
      isReachable: this.isReachable,
      waiting: this.options.routes.map(({ lane, signal }) => {
        const { waitingBytes, oldestAddedAt } = this.spool.lanes[lane];
        return { signal, bytes: waitingBytes, oldest: oldestAddedAt };
      }),
    };
  }

  async shutdown(deadline: AbortSignal): Promise<void> {
    const { name, routes, telemetry } = this.options;
    const isDrained = () => routes.every(({ lane }) => this.spool.lanes[lane].waitingBytes === 0);
    // Batches for an unreachable receiver stay on the disk. There is nothing to wait for.
    while (!deadline.aborted && this.isReachable && !isDrained()) await sleep(10);
    this.ending.abort();
    // A request in flight is not cut off: if the receiver accepted it, it would get it again.
    if (this.isAnswering && !deadline.aborted) await Promise.race([this.running, once(deadline, 'abort')]);
    await Promise.race([this.running, sleep(LAST_ANSWERS_MS, undefined, { ref: false })]);
    for (const { transport } of routes) transport.close();
    // Logs and events that remain are read again from their sources.
    const { metrics, traces } = await this.spool.close();
    for (const [signal, count] of Object.entries({ metrics, traces })) {
      if (count > 0)
        telemetry.count('portlight.records.dropped', count, {
          signal,
          destination: name,
          reason: 'shutdown',
        });
    }
  }

  private createSender(route: LaneRoute, limiter: BacklogRateLimiter): Sender {
    const { lane, signal, transport, origin, halve, countRecords, joinBytes, isSelfTrace } = route;
    const { name, telemetry } = this.options;
    const ending = this.ending.signal;
    const breaker = this.breakers.get(origin) ?? new CircuitBreaker(ending);
    this.breakers.set(origin, breaker);
    const labels = { signal, destination: name };
    return new Sender({
      lane: this.spool.lanes[lane],
      transport: createTracingTransport(transport, telemetry, labels, isSelfTrace),
      breaker,
      throttle: new SignalThrottle(ending),
      limiter,
      joinBytes,
      halve,
      countRecords,
      onSent: (records, bytes) => {
        telemetry.count('portlight.records.sent', records, labels);
        telemetry.count('portlight.exporter.sent', bytes, labels);
      },
      onRetry: (message) => {
        telemetry.count('portlight.exporter.retries', 1, labels);
        telemetry.warn(`${name}: cannot send ${signal}: ${message}`, {}, `retry ${name} ${signal}`);
      },
      onDropped: (records, reason, message) => {
        if (records > 0) telemetry.count('portlight.records.dropped', records, { ...labels, reason });
        const what = records > 0 ? 'the receiver refused' : 'the receiver warned about';
        telemetry.warn(`${name}: ${what} ${signal}: ${message}`, {}, `${reason} ${name} ${signal}`);
      },
      quarantine: (request) => this.spool.quarantineRefused(lane, request),
    });
  }

  /** Restarts a sender that throws: nothing else sends the batches of its lane. */
  private async keepRunning(sender: Sender): Promise<void> {
    const { signal } = this.ending;
    while (!signal.aborted) {
      try {
        await sender.run(signal);
      } catch (error) {
        this.options.telemetry.reportError('spool', error);
        await sleep(RESTART_SENDER_AFTER_MS, undefined, { signal }).catch(() => {});
      }
    }
  }

  /** Whether all receivers answer, even if they accept nothing for now. */
  private get isAnswering(): boolean {
    return [...this.breakers.values()].every(({ isReachable }) => isReachable);
  }

  private get isReachable(): boolean {
    return this.isAnswering && !this.senders.some(({ isThrottled }) => isThrottled);
  }
}

function openSpool(options: SpooledDeliveryOptions): Spool {
  const { name, directory, maxBytes, maxAgeMs, logsWait, metricsOrder, routes, telemetry } = options;
  const signalOf = (lane: LaneName) => routes.find((route) => route.lane === lane)?.signal ?? lane;
  const common = {
    logsWait,
    maxBytes,
    maxAgeMs,
    metricsOrder,
    onDropped: (lane: LaneName, count: number, reason: string) =>
      telemetry.count('portlight.records.dropped', count, {
        signal: signalOf(lane),
        destination: name,
        reason,
      }),
    onError: (error: unknown) => telemetry.reportError('spool', error),
  };
  try {
    return new Spool({ ...common, directory: directory && join(directory, name) });
  } catch (error) {
    telemetry.warn(`data_dir: ${errorMessage(error)}: batches for ${name} wait in memory only`);
    return new Spool({ ...common, directory: undefined });
  }
}
