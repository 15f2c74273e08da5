import { join } from 'node:path';
import { Lane, type SendOrder, type SpoolDropReason } from './lane.ts';
import { Quarantine } from './quarantine.ts';

/** In the order in which lanes lose batches when the spool is full: the least important first. */
const laneNames = ['metrics', 'traces', 'logs', 'events'] as const;
export type LaneName = (typeof laneNames)[number];

/**
 * A segment covers at most this fraction of `maxAgeMs`, because expired batches are deleted with their
 * segment.
 */
const SEGMENTS_PER_MAX_AGE = 24;
const EXPIRE_EVERY_MS = 30_000;
/** What may wait in memory when the disk is full. For logs, the pipeline limits what is under way. */
const MAX_MEMORY_BYTES: Readonly<Record<LaneName, number>> = {
  metrics: 16 * 1024 * 1024,
  traces: 8 * 1024 * 1024,
  logs: Number.POSITIVE_INFINITY,
  events: 16 * 1024 * 1024,
};

export interface SpoolOptions {
  /** undefined keeps everything in memory. */
  readonly directory: string | undefined;
  /** Maximum size on the disk, bytes. */
  readonly maxBytes: number;
  /** How long an undelivered batch is kept, ms. */
  readonly maxAgeMs: number;
  /** Whether logs wait at their sources when the spool is full. Otherwise the oldest logs are dropped. */
  readonly logsWait: boolean;
  /** Which metrics are sent first after an outage. */
  readonly metricsOrder: SendOrder;
  readonly onDropped: (lane: LaneName, count: number, reason: SpoolDropReason) => void;
  readonly onError: (error: unknown) => void;
}

/** The durable queue before one destination: one lane for each signal, limited in size and age. */
export class Spool {
  readonly lanes: Readonly<Record<LaneName, Lane>>;
  private readonly options: SpoolOptions;
  private readonly quarantine: Quarantine;
  private readonly timer: NodeJS.Timeout;

  /** @throws when the directory cannot be created or read */
  constructor(options: SpoolOptions) {
    this.options = options;
    const { directory, maxAgeMs, metricsOrder, onError } = options;
    this.quarantine = new Quarantine(directory && join(directory, 'aside'), onError);
    const openLane = (name: LaneName) =>
      new Lane({
        directory: directory && join(directory, name),
        order: name === 'metrics' ? metricsOrder : 'oldest',
        maxMemoryBytes: MAX_MEMORY_BYTES[name],
        // Log lines and events can be read again. Measurements, and spans made from them, cannot.
        isReplayable: name === 'logs' || name === 'events',
        // Logs wait in their files or with the daemon. Events are few.
        dropsWhenFull: name === 'metrics' || name === 'traces',
        freeSpace: (bytes, isDiskFull, isMemoryPressed) =>
          this.freeSpace(name, bytes, isDiskFull, isMemoryPressed),
        onDropped: (count, reason) => options.onDropped(name, count, reason),
        onDamage: (bytes, count) => this.reportDamage(name, bytes, count),
        maxSegmentAgeMs: maxAgeMs / SEGMENTS_PER_MAX_AGE,
        onError,
      });
    this.lanes = {
      metrics: openLane('metrics'),
      traces: openLane('traces'),
      logs: openLane('logs'),
      events: openLane('events'),
    };
    this.timer = setInterval(() => {
      const limit = Date.now() - maxAgeMs;
      for (const lane of Object.values(this.lanes)) lane.dropExpired(limit);
    }, EXPIRE_EVERY_MS).unref();
  }

  /** Keeps a refused request for diagnosis. */
  quarantineRefused(lane: LaneName, otlp: Uint8Array): void {
    this.quarantine.add(otlp, `${lane}.otlp`);
  }

  /**
   * Closes the lanes. What is on the disk stays there.
   * @returns the number of records that are not on the disk, by lane
   */
  async close(): Promise<Readonly<Record<LaneName, number>>> {
    clearInterval(this.timer);
    const { metrics, traces, logs, events } = this.lanes;
    const left = await Promise.all([metrics.close(), traces.close(), logs.close(), events.close()]);
    return { metrics: left[0], traces: left[1], logs: left[2], events: left[3] };
  }

  /** @param count number of records; unknown when the header is damaged too */
  private reportDamage(lane: LaneName, bytes: Buffer, count = 1): void {
    this.quarantine.add(bytes, `${lane}.damaged`);
    this.options.onDropped(lane, count, 'damaged');
    this.options.onError(
      new Error(`the spool's ${lane} have ${bytes.length} damaged bytes, which were moved to aside/`),
    );
  }

  /** Drops the oldest segments of the lanes that may lose batches for this one, until there is space. */
  private freeSpace(name: LaneName, bytes: number, isDiskFull: boolean, isMemoryPressed: boolean): boolean {
    const { maxBytes } = this.options;
    const size = () => Object.values(this.lanes).reduce((sum, lane) => sum + lane.diskBytes, bytes);
    let isFreed = !isDiskFull;
    while (!isFreed || size() > maxBytes) {
      const reason = isDiskFull ? 'disk_full' : 'spool_full';
      const victims = this.lanesToDropFrom(name, isMemoryPressed);
      if (!victims.some((victim) => this.lanes[victim].dropOldestSegment(reason))) return false;
      isFreed = true;
    }
    return true;
  }

  /**
   * The lanes whose batches are dropped to make space for a lane's, in this order. Logs that can wait are
   * dropped only for events that would have to be dropped otherwise.
   */
  private lanesToDropFrom(name: LaneName, isMemoryPressed: boolean): readonly LaneName[] {
    if (name === 'metrics') return ['metrics'];
    if (name === 'logs' && !this.options.logsWait) return ['metrics', 'traces', 'logs'];
    return name === 'events' && isMemoryPressed ? laneNames : ['metrics', 'traces'];
  }
}
