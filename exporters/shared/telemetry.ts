/**
 * The agent's own metrics: counters by name and attributes, gauges, and errors that are logged at a bounded
 * rate.
 */
import type { Logger } from 'pino';
import { errorMessage } from '../../collectors/shared/error-message.ts';
import { PermanentError } from '../../collectors/shared/permanent-error.ts';
import type { OwnTracer } from './own-tracer.ts';

/** Unit and description of each counter. */
export const ownMetrics = {
  'portlight.records.collected': ['{record}', 'Records that collectors produced'],
  'portlight.records.spooled': ['{record}', 'Records added to the spool of a destination'],
  'portlight.records.sent': ['{record}', 'Records that a destination acknowledged'],
  'portlight.records.dropped': ['{record}', 'Records dropped, by reason'],
  'portlight.exporter.sent': ['By', 'OTLP bytes that a destination acknowledged, before compression'],
  'portlight.exporter.retries': ['{request}', 'Requests that were retried'],
  'portlight.collector.errors': ['{error}', 'Errors of collectors'],
  'portlight.collector.duration': ['s', 'Time that collectors spent in rounds of metrics'],
} as const;

/** Unit and description of each gauge. */
export const ownGauges = {
  'portlight.spool.size': ['By', 'OTLP bytes that wait for a destination'],
  'portlight.spool.age': ['s', 'Age of the oldest record that waits for a destination'],
  'portlight.daemon.connected': [
    '{daemon}',
    'Whether the agent is subscribed to the events of a daemon: 1 or 0',
  ],
} as const;

export type OwnGauge = keyof typeof ownGauges;
export type OwnMetric = keyof typeof ownMetrics;
export type OwnAttributes = Readonly<Record<string, string>>;

export interface MetricSeries {
  readonly attributes: OwnAttributes;
  value: number;
}

/** A warning is logged again only after this time. */
const REPEAT_AFTER_MS = 60_000;

interface Warning {
  loggedAt: number;
  suppressed: number;
}

/**
 * Identifies a series by its attributes, in whatever order they come: two callers that count the same thing
 * count in the same series.
 */
function seriesKey(attributes: OwnAttributes): string {
  let key = '';
  for (const name of Object.keys(attributes).sort()) key += `${name}\0${attributes[name]}\0`;
  return key;
}

export class Telemetry {
  /** Undefined unless `telemetry.traces` is on. */
  tracer: OwnTracer | undefined;
  private readonly logger: Logger;
  private readonly metrics = new Map<OwnMetric, Map<string, MetricSeries>>();
  private readonly gauges = new Map<OwnGauge, () => Iterable<Readonly<MetricSeries>>>();
  private readonly warnings = new Map<string, Warning>();
  /** Messages of permanent errors that were logged. */
  private readonly permanent = new Set<string>();

  constructor(logger: Logger) {
    this.logger = logger;
  }

  count(metric: OwnMetric, value: number, attributes: OwnAttributes): void {
    const all = this.metrics.get(metric) ?? new Map<string, MetricSeries>();
    this.metrics.set(metric, all);
    const key = seriesKey(attributes);
    const series = all.get(key);
    if (series === undefined) all.set(key, { attributes, value });
    else series.value += value;
  }

  /** Sets the callback that returns a gauge's current series. */
  observeGauge(gauge: OwnGauge, observe: () => Iterable<Readonly<MetricSeries>>): void {
    this.gauges.set(gauge, observe);
  }

  /** The current series of a gauge. */
  gaugeSeries(gauge: OwnGauge): Readonly<MetricSeries>[] {
    return [...(this.gauges.get(gauge)?.() ?? [])];
  }

  /** The current value of every counter series. */
  snapshot(): ReadonlyMap<Readonly<MetricSeries>, number> {
    const all = [...this.metrics.values()].flatMap((series) => [...series.values()]);
    return new Map(all.map((series) => [series, series.value]));
  }

  /** The series of a counter. */
  counterSeries(metric: OwnMetric): Iterable<Readonly<MetricSeries>> {
    return this.metrics.get(metric)?.values() ?? [];
  }

  /**
   * Counts a collector's error and logs it: at once, then once a minute while it lasts. A permanent error is
   * logged only once.
   */
  reportError(collector: string, error: unknown, container?: string): void {
    this.count('portlight.collector.errors', 1, { collector });
    if (error instanceof PermanentError) {
      if (!this.permanent.has(error.message)) this.logger.warn({ collector }, error.message);
      this.permanent.add(error.message);
      return;
    }
    this.warn(`${collector}: ${errorMessage(error)}`, { collector, container });
  }

  /**
   * Logs a warning, at most once a minute, with the number of times it was suppressed.
   * @param topic identifies the warning where its message varies
   */
  warn(message: string, facts: Readonly<Record<string, unknown>> = {}, topic = message): void {
    const now = Date.now();
    const known = this.warnings.get(topic);
    if (known !== undefined && now - known.loggedAt < REPEAT_AFTER_MS) {
      known.suppressed++;
      return;
    }
    this.logger.warn({ ...facts, repeated: known?.suppressed || undefined }, message);
    for (const [text, { loggedAt }] of this.warnings)
      if (now - loggedAt >= REPEAT_AFTER_MS) this.warnings.delete(text);
    this.warnings.set(topic, { loggedAt: now, suppressed: 0 });
  }
}
