/**
 * How long and how many bytes may wait before they are made durable. Batches that are delivered by then need
 * no sync: while the receiver accepts one request after the other, they get more time.
 */
const LIMITS = {
  waiting: { ms: 100, bytes: 1024 * 1024 },
  flowing: { ms: 1000, bytes: Number.POSITIVE_INFINITY },
} as const;
/** A receiver that accepted a request this recently is likely to accept the next one. */
const FLOWING_MS = 250;

export interface SyncScheduleOptions {
  /** Bytes that are not durable; 0 where nothing can be made durable. */
  readonly unsyncedBytes: () => number;
  /**
   * When the oldest batch that is not durable was added, ms of performance.now(); undefined when there is
   * none.
   */
  readonly oldestUnsyncedAt: () => number | undefined;
  /** Makes everything durable. */
  readonly sync: () => void;
}

/** Decides when the batches of a lane are made durable. */
export class SyncSchedule {
  private readonly options: SyncScheduleOptions;
  private lastDeliveryAt = Number.NEGATIVE_INFINITY;
  private timer: NodeJS.Timeout | undefined;
  private isClosed = false;

  constructor(options: SyncScheduleOptions) {
    this.options = options;
  }

  recordDelivery(): void {
    this.lastDeliveryAt = performance.now();
  }

  /** Syncs now if too much waits, else later. */
  update(): void {
    if (this.isClosed) return;
    const bytes = this.options.unsyncedBytes();
    if (bytes === 0) return;
    if (bytes > this.limits.bytes) this.options.sync();
    else this.timer ??= setTimeout(() => this.syncIfDue(), LIMITS.waiting.ms);
  }

  /** Drops the planned sync, since one starts now. */
  cancel(): void {
    clearTimeout(this.timer);
    this.timer = undefined;
  }

  close(): void {
    this.isClosed = true;
    this.cancel();
  }

  private syncIfDue(): void {
    this.timer = undefined;
    const now = performance.now();
    const oldest = this.options.oldestUnsyncedAt() ?? now;
    // Timers can fire a millisecond early.
    if (now - oldest < this.limits.ms - 1) this.update();
    else this.options.sync();
  }

  private get limits(): (typeof LIMITS)[keyof typeof LIMITS] {
    return performance.now() - this.lastDeliveryAt < FLOWING_MS ? LIMITS.flowing : LIMITS.waiting;
  }
}
