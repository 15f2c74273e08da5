/**
 * The durable queue before one destination: a lane a signal, bounded in bytes and age. When it is full, what
 * matters least goes first: metrics, traces, logs, events.
 */
import { join } from 'node:path';
import { Aside } from './aside.ts';
import { type DropReason, Lane, type Order } from './lane.ts';

/** The first of them goes first. */
export const laneNames = ['metrics', 'traces', 'logs', 'events'] as const;
export type LaneName = (typeof laneNames)[number];

/** By how many files at least what is as old as it may be is divided. */
const FILES_OF_AN_AGE = 24;
const EXPIRE_EVERY_MS = 30_000;
/** What may wait in memory where the disk cannot take it. Of logs, the pipeline bounds what is under way. */
const MAX_MEMORY: Readonly<Record<LaneName, number>> = {
  metrics: 16 * 1024 * 1024,
  traces: 8 * 1024 * 1024,
  logs: Number.POSITIVE_INFINITY,
  events: 16 * 1024 * 1024,
};

export interface SpoolOptions {
  /** Where it is; undefined keeps all in memory. */
  readonly directory: string | undefined;
  /** Bytes on the disk. */
  readonly maxBytes: number;
  /** How long what nobody takes is kept, ms. */
  readonly maxAgeMs: number;
  /** Whether logs wait for room, with their sources; else the oldest are given up. */
  readonly logsWait: boolean;
  /** Which metrics are sent first where several rounds wait. */
  readonly metrics: Order;
  readonly onDropped: (lane: LaneName, count: number, reason: DropReason) => void;
  readonly onFault: (error: unknown) => void;
}

export class Spool {
  readonly lanes: Readonly<Record<LaneName, Lane>>;
  private readonly options: SpoolOptions;
  private readonly aside: Aside;
  private readonly timer: NodeJS.Timeout;

  /** @throws when the directory cannot be made or read */
  constructor(options: SpoolOptions) {
    this.options = options;
    const { directory, maxAgeMs, metrics, onFault } = options;
    this.aside = new Aside(directory && join(directory, 'aside'), onFault);
    const lane = (name: LaneName) =>
      new Lane({
        directory: directory && join(directory, name),
        order: name === 'metrics' ? metrics : 'oldest',
        maxMemory: MAX_MEMORY[name],
        // Lines and events can be asked for again; what was measured, and what was concluded from it, cannot.
        hasSource: name === 'logs' || name === 'events',
        // A log waits in its file, or with the daemon, and events are few.
        givesUp: name === 'metrics' || name === 'traces',
        makeRoom: (bytes, isFull, isPressed) => this.makeRoom(name, bytes, isFull, isPressed),
        onDropped: (count, reason) => options.onDropped(name, count, reason),
        onDamage: (bytes, count) => this.damaged(name, bytes, count),
        maxFileMs: maxAgeMs / FILES_OF_AN_AGE,
        onFault,
      });
    this.lanes = {
      metrics: lane('metrics'),
      traces: lane('traces'),
      logs: lane('logs'),
      events: lane('events'),
    };
    this.timer = setInterval(() => {
      const limit = Date.now() - maxAgeMs;
      for (const one of Object.values(this.lanes)) one.expire(limit);
    }, EXPIRE_EVERY_MS).unref();
  }

  /** Keeps what a receiver refused for good where somebody can look at it. */
  refused(lane: LaneName, otlp: Uint8Array): void {
    this.aside.put(otlp, `${lane}.otlp`);
  }

  /**
   * Leaves what is on the disk there.
   * @returns the number of records that are not, by lane
   */
  async stop(): Promise<Readonly<Record<LaneName, number>>> {
    clearInterval(this.timer);
    const { metrics, traces, logs, events } = this.lanes;
    const left = await Promise.all([metrics.stop(), traces.stop(), logs.stop(), events.stop()]);
    return { metrics: left[0], traces: left[1], logs: left[2], events: left[3] };
  }

  /** @param count how many records it was; unknown where its header is damaged too */
  private damaged(lane: LaneName, bytes: Buffer, count = 1): void {
    this.aside.put(bytes, `${lane}.damaged`);
    this.options.onDropped(lane, count, 'damaged');
    this.options.onFault(
      new Error(`${bytes.length} bytes of the spool's ${lane} are damaged, and set aside`),
    );
  }

  /** Gives up what the lane may have given up for it. */
  private makeRoom(name: LaneName, bytes: number, isFull: boolean, isPressed: boolean): boolean {
    const { maxBytes } = this.options;
    const size = () => Object.values(this.lanes).reduce((sum, lane) => sum + lane.diskBytes, bytes);
    let freed = !isFull;
    while (!freed || size() > maxBytes) {
      const reason = isFull ? 'disk_full' : 'spool_full';
      if (!this.victims(name, isPressed).some((victim) => this.lanes[victim].giveUpOldest(reason)))
        return false;
      freed = true;
    }
    return true;
  }

  /**
   * Whose oldest goes for want of room, the first of them first. Where logs wait, they go for nobody but for events that
   * would have to go themselves otherwise.
   */
  private victims(name: LaneName, isPressed: boolean): readonly LaneName[] {
    if (name === 'metrics') return ['metrics'];
    if (name === 'logs' && !this.options.logsWait) return ['metrics', 'traces', 'logs'];
    return name === 'events' && isPressed ? laneNames : ['metrics', 'traces'];
  }
}
