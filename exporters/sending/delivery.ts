/** Delivers what one destination is sent: through a spool of its own, a sender for each of its lanes. */

import { once } from 'node:events';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { errorMessage } from '../../collectors/shared/error-message.ts';
import type { DestinationStatus } from '../shared/exporter.ts';
import type { Telemetry } from '../shared/telemetry.ts';
import { type LaneName, Spool, type SpoolOptions } from '../spool/index.ts';
import { Gate, Hold } from './gate.ts';
import { Pace } from './pace.ts';
import { Sender } from './sender.ts';
import { traced } from './traced.ts';
import type { Transport } from './verdict.ts';

/** How long the end waits for answers that are on their way from a receiver that was away. */
const LAST_ANSWERS_MS = 250;
const AFTER_FAULT_MS = 1000;

/** What one lane is sent by. */
export interface Outlet {
  readonly lane: LaneName;
  /** What it is called in the agent's own metrics. */
  readonly signal: string;
  readonly transport: Transport;
  /** Whose outlets share one back-off: scheme, host and port of the receiver. */
  readonly origin: string;
  /** As the sender's. */
  readonly halve: (request: Buffer) => readonly Buffer[] | undefined;
  /** Number of records in a request. */
  readonly countOf: (request: Buffer) => number;
  /** As the sender's. */
  readonly joinBytes?: number;
  /** Whether a request carries nothing but spans of the agent's own work. */
  readonly isSelfTrace?: (request: Buffer) => boolean;
}

export interface DeliveryOptions
  extends Pick<SpoolOptions, 'maxBytes' | 'maxAgeMs' | 'logsWait' | 'metrics'> {
  readonly name: string;
  /** Where spools are; undefined keeps what waits in memory. */
  readonly directory: string | undefined;
  /** Bytes a second of what waited. */
  readonly backlogRate: number;
  readonly outlets: readonly Outlet[];
  readonly telemetry: Telemetry;
}

export class Delivery {
  private readonly options: DeliveryOptions;
  private readonly spool: Spool;
  private readonly gates = new Map<string, Gate>();
  private readonly senders: readonly Sender[];
  private running: Promise<unknown> = Promise.resolve();
  private readonly ending = new AbortController();

  constructor(options: DeliveryOptions) {
    this.options = options;
    this.spool = openSpool(options);
    const pace = new Pace(options.backlogRate);
    pace.begin();
    this.senders = options.outlets.map((outlet) => this.senderOf(outlet, pace));
  }

  start(): void {
    const { name, outlets, telemetry } = this.options;
    this.running = Promise.all(this.senders.map((sender) => this.keepRunning(sender)));
    for (const [lane, { bytes }] of Object.entries(this.spool.lanes)) {
      if (bytes > 0 && !outlets.some((outlet) => outlet.lane === lane))
        telemetry.warn(
          `${name}: ${bytes} bytes of ${lane} wait in the spool that are not to be sent any more; they are given up when they are too old`,
        );
    }
  }

  /** Resolves when it was delivered, or is where no crash loses it, or was given up and counted. */
  put(lane: LaneName, request: Buffer, count: number): Promise<void> {
    const { name, outlets, telemetry } = this.options;
    const signal = outlets.find((outlet) => outlet.lane === lane)?.signal ?? lane;
    telemetry.count('portlight.records.spooled', count, { signal, destination: name });
    return this.spool.lanes[lane].add(request, count);
  }

  status(): DestinationStatus {
    return {
      isReachable: this.isReachable,
      waiting: this.options.outlets.map(({ lane, signal }) => {
        const { bytes, oldest } = this.spool.lanes[lane];
        return { signal, bytes, oldest };
      }),
    };
  }

  async stop(deadline: AbortSignal): Promise<void> {
    const { name, outlets, telemetry } = this.options;
    const isDrained = () => outlets.every(({ lane }) => this.spool.lanes[lane].bytes === 0);
    // What a receiver that is away does not take is on the disk, and need not be waited for.
    while (!deadline.aborted && this.isReachable && !isDrained()) await sleep(10);
    this.ending.abort();
    // What is on its way is not cut off: whoever took it would be sent it again.
    if (this.isThere && !deadline.aborted) await Promise.race([this.running, once(deadline, 'abort')]);
    await Promise.race([this.running, sleep(LAST_ANSWERS_MS, undefined, { ref: false })]);
    for (const { transport } of outlets) transport.close();
    // Logs and events are had again from their sources.
    const { metrics, traces } = await this.spool.stop();
    for (const [signal, count] of Object.entries({ metrics, traces })) {
      if (count > 0)
        telemetry.count('portlight.records.dropped', count, {
          signal,
          destination: name,
          reason: 'shutdown',
        });
    }
  }

  private senderOf(outlet: Outlet, pace: Pace): Sender {
    const { lane, signal, transport, origin, halve, countOf, joinBytes, isSelfTrace } = outlet;
    const { name, telemetry } = this.options;
    const ending = this.ending.signal;
    const gate = this.gates.get(origin) ?? new Gate(ending);
    this.gates.set(origin, gate);
    const labels = { signal, destination: name };
    return new Sender({
      lane: this.spool.lanes[lane],
      transport: traced(transport, telemetry, labels, isSelfTrace),
      gate,
      hold: new Hold(ending),
      pace,
      joinBytes,
      halve,
      countOf,
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
        const what = records > 0 ? 'the receiver refused' : 'the receiver says of';
        telemetry.warn(`${name}: ${what} ${signal}: ${message}`, {}, `${reason} ${name} ${signal}`);
      },
      setAside: (request) => this.spool.refused(lane, request),
    });
  }

  /** Whatever goes wrong in it, it goes on: nothing else sends what is in its lane. */
  private async keepRunning(sender: Sender): Promise<void> {
    const { signal } = this.ending;
    while (!signal.aborted) {
      try {
        await sender.run(signal);
      } catch (error) {
        this.options.telemetry.reportError('spool', error);
        await sleep(AFTER_FAULT_MS, undefined, { signal }).catch(() => {});
      }
    }
  }

  /** Whether receivers answer, be it that they take nothing for now. */
  private get isThere(): boolean {
    return [...this.gates.values()].every(({ isOpen }) => isOpen);
  }

  private get isReachable(): boolean {
    return this.isThere && !this.senders.some(({ isHeld }) => isHeld);
  }
}

function openSpool(options: DeliveryOptions): Spool {
  const { name, directory, maxBytes, maxAgeMs, logsWait, metrics, outlets, telemetry } = options;
  const signalOf = (lane: LaneName) => outlets.find((outlet) => outlet.lane === lane)?.signal ?? lane;
  const common = {
    logsWait,
    maxBytes,
    maxAgeMs,
    metrics,
    onDropped: (lane: LaneName, count: number, reason: string) =>
      telemetry.count('portlight.records.dropped', count, {
        signal: signalOf(lane),
        destination: name,
        reason,
      }),
    onFault: (error: unknown) => telemetry.reportError('spool', error),
  };
  try {
    return new Spool({ ...common, directory: directory && join(directory, name) });
  } catch (error) {
    telemetry.warn(`data_dir: ${errorMessage(error)}: what waits for ${name} is kept in memory only`);
    return new Spool({ ...common, directory: undefined });
  }
}
