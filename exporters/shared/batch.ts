/** What exporters are handed: ready OTLP bytes, and what they were made from where an exporter needs it. */
import type { MetricSet } from '../../collectors/records/points.ts';
import type { Resource } from '../../collectors/records/records.ts';
import type { Alert } from '../alerts/alert.ts';

/** A round's metrics, or a part of them: one request, one resource per container. */
export interface MetricBatch {
  readonly signal: 'metrics';
  readonly sets: readonly MetricSet[];
  /** Of whom each resource in `otlp` is, in order. */
  readonly resources: readonly Resource[];
  /** Whether the round ends with it. */
  readonly isLast: boolean;
  /** Number of data points. */
  readonly count: number;
  /** An encoded `ExportMetricsServiceRequest`. */
  readonly otlp: Buffer;
}

/** Log lines or events of one resource. */
export interface LogBatch {
  readonly signal: 'logs';
  readonly kind: 'log' | 'event';
  readonly resource: Resource;
  /** Number of log records. */
  readonly count: number;
  /** An encoded `ExportLogsServiceRequest` with this one resource. */
  readonly otlp: Buffer;
  /** The alert that the event is about. */
  readonly alert?: Alert;
}

/** Spans of one resource. */
export interface TraceBatch {
  readonly signal: 'traces';
  readonly resource: Resource;
  /** Number of spans. */
  readonly count: number;
  /** An encoded `ExportTraceServiceRequest` with this one resource. */
  readonly otlp: Buffer;
}

/** How all alerts are after a round: whoever gets it needs no other to know which of them fire. */
export interface AlertBatch {
  readonly signal: 'alerts';
  /** Those that are pending or firing, and those that were resolved in the last 15 minutes. */
  readonly alerts: readonly Alert[];
  /** Number of alerts. */
  readonly count: number;
}

export type Batch = MetricBatch | LogBatch | TraceBatch | AlertBatch;
