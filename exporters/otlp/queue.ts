/**
 * The requests of one signal on their way to one receiver, in memory: sent in order, one at a time,
 * joined where several wait, and repeated until the receiver takes them.
 */
import { Backoff } from '../../agent/backoff.ts';
import type { Telemetry } from '../../agent/telemetry.ts';
import { messageOf } from '../../agent/telemetry.ts';
import { SendError, type Signal, type Transport } from './transport.ts';

/** Encoded requests are joined up to this size; gRPC receivers take 4 MiB by default. */
const MAX_REQUEST_BYTES = 3 * 1024 * 1024;
const LONGEST_WAIT_MS = 30_000;

const NOTHING = Buffer.alloc(0);

interface Item {
  readonly otlp: Buffer;
  readonly count: number;
  /** Whether it may be given up when too much waits; else its source waits. */
  readonly droppable: boolean;
  readonly done: () => void;
}

export interface QueueOptions {
  readonly signal: Signal;
  readonly transport: Transport;
  /** Bound of the waiting bytes: above it the oldest of what may be dropped is. */
  readonly maxBytes: number;
  readonly telemetry: Telemetry;
  readonly destination: string;
}

export class SendQueue {
  private readonly options: QueueOptions;
  private items: Item[] = [];
  private bytes = 0;
  /** Kept between requests. */
  private joined = NOTHING;
  /** How many of the items, from the first on, the current request holds. */
  private underWay = 0;
  private sending: Promise<void> | undefined;
  private readonly givingUp = new AbortController();

  constructor(options: QueueOptions) {
    this.options = options;
  }

  /** Resolves when the request was delivered or given up. */
  add(otlp: Buffer, count: number, droppable: boolean): Promise<void> {
    return new Promise((done) => {
      this.items.push({ otlp, count, droppable, done });
      this.bytes += otlp.length;
      while (this.bytes > this.options.maxBytes) {
        const oldest = this.items.findIndex((item, index) => index >= this.underWay && item.droppable);
        if (oldest === -1) break;
        this.drop(this.items.splice(oldest, 1), 'queue_full');
      }
      this.begin();
    });
  }

  /** Waits until all is sent, or gives up what is left when `deadline` aborts. */
  async drain(deadline: AbortSignal): Promise<void> {
    const aborted = new Promise<void>((resolve) => {
      if (deadline.aborted) resolve();
      else deadline.addEventListener('abort', () => resolve(), { once: true });
    });
    await Promise.race([this.sending, aborted]);
    this.givingUp.abort();
    // Not done: their sources keep the positions that they have, and are read again from there.
    const left = this.items.reduce((sum, { count }) => sum + count, 0);
    if (left > 0) this.count('portlight.records.dropped', left, 'shutdown');
    this.options.transport.shutdown();
  }

  private begin(): void {
    this.sending ??= this.send().finally(() => {
      this.sending = undefined;
      if (this.items.length > 0 && !this.givingUp.signal.aborted) this.begin();
    });
  }

  private async send(): Promise<void> {
    // Whatever else is added in this turn of the event loop shares the request.
    await undefined;
    const backoff = new Backoff(LONGEST_WAIT_MS, this.givingUp.signal);
    while (this.items.length > 0 && !this.givingUp.signal.aborted) {
      const batch = this.next();
      this.underWay = batch.length;
      try {
        const { rejected, message } = await this.options.transport.send(this.join(batch));
        const total = batch.reduce((sum, { count }) => sum + count, 0);
        this.count('portlight.records.sent', total - rejected);
        if (rejected > 0) {
          this.count('portlight.records.dropped', rejected, 'rejected');
          this.options.telemetry.warn(
            `${this.options.destination}: receiver rejected ${this.options.signal}: ${message}`,
          );
        }
        backoff.reset();
      } catch (error) {
        // A request that failed may still be on its way.
        this.joined = NOTHING;
        if (error instanceof SendError && !error.retryable) {
          this.options.telemetry.warn(
            `${this.options.destination}: receiver refused ${this.options.signal}: ${error.message}`,
          );
          this.drop(this.items.splice(0, batch.length), 'refused');
          continue;
        }
        this.options.telemetry.warn(
          `${this.options.destination}: cannot send ${this.options.signal}: ${messageOf(error)}`,
        );
        this.options.telemetry.add('portlight.exporter.retries', 1, this.labels());
        await backoff.wait();
        continue;
      } finally {
        this.underWay = 0;
      }
      for (const { otlp, done } of this.items.splice(0, batch.length)) {
        this.bytes -= otlp.length;
        done();
      }
    }
  }

  /** One request of several; valid until the next, which is not made before this one was answered. */
  private join(batch: readonly Item[]): Buffer {
    if (batch.length === 1) return batch[0]!.otlp;
    const size = batch.reduce((sum, { otlp }) => sum + otlp.length, 0);
    if (this.joined.length < size) this.joined = Buffer.allocUnsafeSlow(Math.ceil(size * 1.25));
    let position = 0;
    for (const { otlp } of batch) position += otlp.copy(this.joined, position);
    return this.joined.subarray(0, size);
  }

  /** The oldest items, as many as make one request; one at least. */
  private next(): Item[] {
    let size = 0;
    const end = this.items.findIndex(({ otlp }, index) => {
      size += otlp.length;
      return index > 0 && size > MAX_REQUEST_BYTES;
    });
    return this.items.slice(0, end === -1 ? this.items.length : end);
  }

  private drop(items: Item[], reason: string): void {
    for (const { otlp, count, done } of items) {
      this.bytes -= otlp.length;
      this.count('portlight.records.dropped', count, reason);
      done();
    }
  }

  private count(
    metric: 'portlight.records.sent' | 'portlight.records.dropped',
    value: number,
    reason?: string,
  ): void {
    this.options.telemetry.add(
      metric,
      value,
      reason === undefined ? this.labels() : { ...this.labels(), reason },
    );
  }

  private labels(): { signal: string; exporter: string } {
    return { signal: this.options.signal, exporter: this.options.destination };
  }
}
