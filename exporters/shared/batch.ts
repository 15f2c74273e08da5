/**
 * The batches that exporters get: OTLP bytes, and the records they were encoded from where an exporter needs
 * them.
 */
import type { MetricSet } from '../../collectors/records/points.ts';
import type { Resource } from '../../collectors/records/records.ts';
import type { Alert } from '../alerts/alert.ts';

/** The metrics of a round, or a part of them: one request with one resource for each container. */
export interface MetricBatch {
  readonly signal: 'metrics';
  readonly sets: readonly MetricSet[];
  /** The resources in `otlp`, in their order. */
  readonly resources: readonly Resource[];
  /** Whether this is the last batch of the round. */
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
  /** The alert, where the event reports one. */
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

/** The state of all alerts after a round. Each batch is complete: the ones before are not needed. */
export interface AlertBatch {
  readonly signal: 'alerts';
  /** Alerts that are pending or firing, and those resolved in the last 15 minutes. */
  readonly alerts: readonly Alert[];
  /** Number of alerts. */
  readonly count: number;
}

export type Batch = MetricBatch | LogBatch | TraceBatch | AlertBatch;
