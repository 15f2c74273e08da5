/** Connects collectors and exporters: encodes each record once, and exports batches to every exporter. */

import { setImmediate } from 'node:timers/promises';
import type { LogSink, PositionStore, RecordSink } from '../../collectors/records/collector.ts';
import type { MetricSet } from '../../collectors/records/points.ts';
import {
  type Container,
  type EventRecord,
  type LogPosition,
  type Resource,
  type Span,
  unixNow,
} from '../../collectors/records/records.ts';
import { errorMessage } from '../../collectors/shared/error-message.ts';
import type { Alert } from '../../exporters/alerts/alert.ts';
import { toEventRecord } from '../../exporters/alerts/record.ts';
import { DeltaConversion } from '../../exporters/otlp/wire/delta.ts';
import {
  encodeEvent,
  encodeMetrics,
  encodeRequest,
  encodeSpan,
  recycle,
} from '../../exporters/otlp/wire/encode.ts';
import type { Temporality } from '../../exporters/otlp/wire/metrics-template.ts';
import { Writer } from '../../exporters/otlp/wire/writer.ts';
import type { Batch } from '../../exporters/shared/batch.ts';
import { type Dialect, Translator } from '../../exporters/shared/dialect.ts';
import type { Exporter } from '../../exporters/shared/exporter.ts';
import type { Telemetry } from '../../exporters/shared/telemetry.ts';
import { type LogBatchSink, LogBuffer } from '../logs/log-buffer.ts';
import type { LogProcessing } from '../logs/log-processing.ts';

/** A line waits this long for others to share its batch. */
const LINGER_MS = 50;
/** Log bytes that exporters may hold before collectors have to wait. */
const MAX_BYTES_IN_FLIGHT = 16 * 1024 * 1024;
/** Containers in one metrics request: far below gRPC's limit of 4 MiB, and encoded in a few milliseconds. */
const SETS_PER_REQUEST = 100;

export interface PipelineOptions {
  readonly exporters: readonly Exporter[];
  readonly telemetry: Telemetry;
  /** The metric names that are sent by OTLP. */
  readonly dialect: 'semconv' | Dialect;
  readonly temporality: Temporality;
  /** Whether events of this name are exported. */
  readonly wantsEvent: (name: string) => boolean;
  /** Whether traces are exported. */
  readonly traces: boolean;
  /** How a container's log is processed; undefined where it is not read. */
  readonly logProcessing: (container: Container) => LogProcessing | undefined;
  /** Called with each batch of a container's log: encoded `log_records` fields, valid only during the call. */
  readonly onLines: (container: Container, records: Buffer) => void;
  /** Called with each event, exported or not. */
  readonly onEvent: (resource: Resource, event: EventRecord) => void;
  /** Called when lines of a container's log were dropped or cut; once with 0 where a rate limit may drop some. */
  readonly onDropped: (container: Container, reason: string, count: number) => void;
}

/** The name of a batch's signal in the agent's own metrics. */
const signalOf = (batch: Batch): string => (batch.signal === 'logs' ? `${batch.kind}s` : batch.signal);

/** Shared by all records: a thousand containers that are found at once would create as many writers. */
const recordWriter = new Writer(4096);

export class Pipeline implements RecordSink, LogBatchSink {
  private readonly exporters: readonly Exporter[];
  private readonly telemetry: Telemetry;
  private readonly logProcessing: PipelineOptions['logProcessing'];
  private readonly onLines: PipelineOptions['onLines'];
  private readonly onEvent: PipelineOptions['onEvent'];
  private readonly onDropped: PipelineOptions['onDropped'];
  private readonly wantsEvent: PipelineOptions['wantsEvent'];
  private readonly traces: boolean;
  /** Translates the catalogue's metric names into those that are sent. */
  private readonly translator: Translator | undefined;
  private readonly deltas: DeltaConversion | undefined;
  private readonly lingeringBuffers = new Set<LogBuffer>();
  private lingerTimer: NodeJS.Timeout | undefined;
  private bytesInFlight = 0;
  private readonly capacityWaiters = new Set<() => void>();

  constructor(options: PipelineOptions) {
    const { exporters, telemetry, dialect, temporality } = options;
    this.logProcessing = options.logProcessing;
    this.onLines = options.onLines;
    this.onEvent = options.onEvent;
    this.onDropped = options.onDropped;
    this.wantsEvent = options.wantsEvent;
    this.traces = options.traces;
    this.exporters = exporters;
    this.telemetry = telemetry;
    this.translator = dialect === 'semconv' ? undefined : new Translator(dialect);
    this.deltas = temporality === 'delta' ? new DeltaConversion(unixNow()) : undefined;
  }

  /** One round's metrics. */
  async emitMetrics(sets: readonly MetricSet[]): Promise<void> {
    const { translator } = this;
    const named = translator === undefined ? sets : sets.map((set) => translator.translate(set));
    const converted = this.deltas === undefined ? named : this.deltas.convert(named);
    // At least one request, even without points: its batch says that the round is over.
    for (let from = 0; from === 0 || from < sets.length; from += SETS_PER_REQUEST) {
      // Logs and events run between the parts of a large round.
      if (from > 0) await setImmediate();
      const part = converted.slice(from, from + SETS_PER_REQUEST).filter(({ points }) => points.length > 0);
      const { otlp, count } = encodeMetrics(part, this.deltas === undefined ? 'cumulative' : 'delta');
      const raw = sets.slice(from, from + SETS_PER_REQUEST);
      const isLast = from + SETS_PER_REQUEST >= sets.length;
      const resources = part.map(({ resource }) => resource);
      void this.exportBatch({ signal: 'metrics', sets: raw, resources, isLast, count, otlp }).then(() =>
        recycle(otlp),
      );
    }
  }

  /** The agent's own metrics, already encoded. */
  emitOwnMetrics(resource: Resource, otlp: Buffer, count: number): void {
    void this.exportBatch({ signal: 'metrics', sets: [], resources: [resource], isLast: false, count, otlp });
  }

  /** Spans of the agent's own work, already encoded. */
  emitOwnSpans(resource: Resource, otlp: Buffer, count: number): void {
    void this.exportBatch({ signal: 'traces', resource, count, otlp });
  }

  emitEvent(resource: Resource, event: EventRecord): Promise<void> {
    this.onEvent(resource, event);
    return this.exportEvent(resource, event);
  }

  /** Emits the event that an alert fired or was resolved. */
  emitAlert(resource: Resource, alert: Alert): Promise<void> {
    return this.exportEvent(resource, toEventRecord(alert), alert);
  }

  /** Exports the state of all alerts. */
  emitAlertStates(alerts: readonly Alert[]): void {
    void this.exportBatch({ signal: 'alerts', alerts, count: alerts.length });
  }

  private exportEvent(resource: Resource, event: EventRecord, alert?: Alert): Promise<void> {
    // Alerts are enabled by their rules, not by the filter of events.
    if (alert === undefined && !this.wantsEvent(event.eventName)) {
      this.telemetry.count('portlight.records.dropped', 1, {
        signal: 'events',
        destination: 'all',
        reason: 'filter',
      });
      return Promise.resolve();
    }
    recordWriter.reset();
    encodeEvent(recordWriter, event, unixNow());
    const otlp = encodeRequest(resource, 'portlight.events', recordWriter.bytes());
    return this.exportBatch({
      signal: 'logs',
      kind: 'event',
      resource,
      count: 1,
      otlp,
      ...(alert && { alert }),
    });
  }

  emitSpan(resource: Resource, span: Span): Promise<void> {
    if (!this.traces) return Promise.resolve();
    recordWriter.reset();
    encodeSpan(recordWriter, span);
    const otlp = encodeRequest(resource, 'portlight.traces', recordWriter.bytes());
    return this.exportBatch({ signal: 'traces', resource, count: 1, otlp });
  }

  openLog(container: Container, position: LogPosition, positions: PositionStore): LogSink | undefined {
    const processing = this.logProcessing(container);
    if (processing === undefined) return undefined;
    if (processing.linesPerSecond > 0) this.onDropped(container, 'rate_limit', 0);
    return new LogBuffer({ container, position, positions, processing, batches: this });
  }

  reportError(collector: string, error: unknown, container?: Container): void {
    this.telemetry.reportError(collector, error, container?.name);
  }

  /** Exports every line that waits for others to share its batch. */
  flush(): void {
    clearTimeout(this.lingerTimer);
    this.lingerTimer = undefined;
    if (this.lingeringBuffers.size === 0) return;
    const span = this.telemetry.tracer?.startSpan('flush logs', 'internal', {
      'portlight.containers': this.lingeringBuffers.size,
    });
    for (const buffer of this.lingeringBuffers) buffer.flush();
    this.lingeringBuffers.clear();
    span?.end();
  }

  /** @internal for LogBuffer */
  flushSoon(buffer: LogBuffer): void {
    this.lingeringBuffers.add(buffer);
    this.lingerTimer ??= setTimeout(() => this.flush(), LINGER_MS);
  }

  /** @internal for LogBuffer */
  async emitLogRecords(container: Container, records: Buffer, count: number): Promise<void> {
    this.onLines(container, records);
    const otlp = encodeRequest(container.resource, 'portlight.logs', records);
    this.bytesInFlight += otlp.length;
    await this.exportBatch({ signal: 'logs', kind: 'log', resource: container.resource, count, otlp });
    this.bytesInFlight -= otlp.length;
    recycle(otlp);
    if (this.bytesInFlight < MAX_BYTES_IN_FLIGHT) for (const wake of [...this.capacityWaiters]) wake();
  }

  /** @internal for LogBuffer */
  countDropped(container: Container, reason: string, count: number): void {
    this.onDropped(container, reason, count);
    this.telemetry.count('portlight.records.dropped', count, { signal: 'logs', destination: 'all', reason });
  }

  waitForCapacity(signal: AbortSignal): Promise<void> | undefined {
    return this.bytesInFlight < MAX_BYTES_IN_FLIGHT ? undefined : this.waitUntilBelowLimit(signal);
  }

  private async waitUntilBelowLimit(signal: AbortSignal): Promise<void> {
    while (this.bytesInFlight >= MAX_BYTES_IN_FLIGHT && !signal.aborted) {
      await new Promise<void>((resolve) => {
        const wake = () => {
          signal.removeEventListener('abort', wake);
          this.capacityWaiters.delete(wake);
          resolve();
        };
        signal.addEventListener('abort', wake);
        this.capacityWaiters.add(wake);
      });
    }
  }

  /** The one way of every batch to every exporter. Never rejects. */
  private async exportBatch(batch: Batch): Promise<void> {
    const signal = signalOf(batch);
    // The state of alerts is sent again after each round: no records are collected for it.
    if (batch.signal !== 'alerts')
      this.telemetry.count('portlight.records.collected', batch.count, { signal });
    await Promise.all(this.exporters.map((exporter) => this.exportTo(exporter, batch, signal)));
  }

  /**
   * An exporter that fails loses this batch, and nothing else: the process, the other exporters and the source of the
   * batch continue. Its position moves on, as it does for a batch that the exporter gave up itself.
   */
  private async exportTo(exporter: Exporter, batch: Batch, signal: string): Promise<void> {
    const { name } = exporter;
    try {
      await exporter.export(batch);
    } catch (error) {
      const reason = 'exporter_error';
      this.telemetry.count('portlight.records.dropped', batch.count, { signal, destination: name, reason });
      this.telemetry.warn(
        `exporter ${name} failed and dropped ${signal}: ${errorMessage(error)}`,
        { err: error },
        `${reason} ${name}`,
      );
    }
  }
}
