/** Ships logs, events, metrics and traces to an OTLP receiver. */
import type { Batch } from '../../agent/records.ts';
import type { Telemetry } from '../../agent/telemetry.ts';
import type { Exporter } from '../exporter.ts';
import { SendQueue } from './queue.ts';
import { createTransport, type Protocol } from './transport.ts';

/** Metrics wait in memory up to this size; the oldest go first. */
const MAX_METRIC_BYTES = 32 * 1024 * 1024;
/** Logs are bounded where they are read, to a part of this; above it the oldest events go first. */
const MAX_LOG_BYTES = 64 * 1024 * 1024;
/** Traces wait in memory up to this size; the oldest spans go first. */
const MAX_TRACE_BYTES = 16 * 1024 * 1024;

export class OtlpExporter implements Exporter {
  readonly name = 'otlp';
  private readonly queues: Readonly<Record<Batch['signal'], SendQueue>>;

  private constructor(queues: Readonly<Record<Batch['signal'], SendQueue>>) {
    this.queues = queues;
  }

  static async create(
    protocols: Readonly<Record<Batch['signal'], Protocol>>,
    telemetry: Telemetry,
  ): Promise<OtlpExporter> {
    const queue = async (signal: Batch['signal'], maxBytes: number) =>
      new SendQueue({
        signal,
        transport: await createTransport(signal, protocols[signal]),
        maxBytes,
        telemetry,
        destination: 'otlp',
      });
    return new OtlpExporter({
      logs: await queue('logs', MAX_LOG_BYTES),
      metrics: await queue('metrics', MAX_METRIC_BYTES),
      traces: await queue('traces', MAX_TRACE_BYTES),
    });
  }

  export(batch: Batch): Promise<void> {
    if (batch.count === 0) return Promise.resolve();
    const droppable = batch.signal !== 'logs' || batch.kind === 'event';
    return this.queues[batch.signal].add(batch.otlp, batch.count, droppable);
  }

  async stop(deadline: AbortSignal): Promise<void> {
    await Promise.all(Object.values(this.queues).map((queue) => queue.drain(deadline)));
  }
}
