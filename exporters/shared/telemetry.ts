/**
 * What the agent says of itself: counters by name and attributes, gauges, and faults logged at a bounded rate.
 */
import type { Logger } from 'pino';
import { errorMessage } from '../../collectors/shared/error-message.ts';
import { PermanentError } from '../../collectors/shared/permanent-error.ts';

/** The agent's own metrics; unit and description of each. */
export const ownMetrics = {
  'portlight.records.collected': ['{record}', 'Records handed from collectors to exporters'],
  'portlight.records.spooled': ['{record}', 'Records put into the spool of a destination'],
  'portlight.records.sent': ['{record}', 'Records that a destination acknowledged'],
  'portlight.records.dropped': ['{record}', 'Records given up, by reason'],
  'portlight.exporter.sent': ['By', 'OTLP bytes that a destination acknowledged, before compression'],
  'portlight.exporter.retries': ['{request}', 'Requests that had to be sent again'],
  'portlight.collector.errors': ['{error}', 'Faults of collectors'],
  'portlight.collector.duration': ['s', 'Time that collectors took in rounds of metrics'],
} as const;

/** What is as it is at a moment. */
export const ownGauges = {
  'portlight.spool.size': ['By', 'OTLP bytes that wait for a destination'],
  'portlight.spool.age': ['s', 'Age of the oldest record that waits for a destination'],
  'portlight.daemon.connected': ['{daemon}', 'Whether the events of a daemon are followed: 1 or 0'],
} as const;

export type OwnGauge = keyof typeof ownGauges;
export type OwnMetric = keyof typeof ownMetrics;
export type OwnAttributes = Readonly<Record<string, string>>;

export interface MetricSeries {
  readonly attributes: OwnAttributes;
  value: number;
}

/** A fault that stays is told again only after this time. */
const REPEAT_AFTER_MS = 60_000;

interface Fault {
  loggedAt: number;
  suppressed: number;
}

export class Telemetry {
  private readonly logger: Logger;
  private readonly metrics = new Map<OwnMetric, Map<string, MetricSeries>>();
  private readonly gauges = new Map<OwnGauge, () => Iterable<Readonly<MetricSeries>>>();
  private readonly faults = new Map<string, Fault>();
  private readonly refused = new Set<string>();

  constructor(logger: Logger) {
    this.logger = logger;
  }

  count(metric: OwnMetric, value: number, attributes: OwnAttributes): void {
    const all = this.metrics.get(metric) ?? new Map<string, MetricSeries>();
    this.metrics.set(metric, all);
    const key = Object.values(attributes).join('\0');
    const series = all.get(key);
    if (series === undefined) all.set(key, { attributes, value });
    else series.value += value;
  }

  /** Has a gauge tell what `observe` finds whenever it is asked, from now on. */
  observeGauge(gauge: OwnGauge, observe: () => Iterable<Readonly<MetricSeries>>): void {
    this.gauges.set(gauge, observe);
  }

  /** The series of a gauge as they are now. */
  gaugeSeries(gauge: OwnGauge): Readonly<MetricSeries>[] {
    return [...(this.gauges.get(gauge)?.() ?? [])];
  }

  /** What every counter has counted up to now, by its series. */
  snapshot(): ReadonlyMap<Readonly<MetricSeries>, number> {
    const all = [...this.metrics.values()].flatMap((series) => [...series.values()]);
    return new Map(all.map((series) => [series, series.value]));
  }

  /** The series of a metric. */
  counterSeries(metric: OwnMetric): Iterable<Readonly<MetricSeries>> {
    return this.metrics.get(metric)?.values() ?? [];
  }

  /**
   * A collector's fault: counted always, logged once and then once a minute while it lasts. What is refused stays so, and
   * is logged once.
   */
  reportError(collector: string, error: unknown, container?: string): void {
    this.count('portlight.collector.errors', 1, { collector });
    if (error instanceof PermanentError) {
      if (!this.refused.has(error.message)) this.logger.warn({ collector }, error.message);
      this.refused.add(error.message);
      return;
    }
    this.warn(`${collector}: ${errorMessage(error)}`, { collector, container });
  }

  /**
   * Logs a warning, once a minute at most, with how often it was held back.
   * @param what it is about, for what is said of it in many ways
   */
  warn(message: string, facts: Readonly<Record<string, unknown>> = {}, what = message): void {
    const now = Date.now();
    const known = this.faults.get(what);
    if (known !== undefined && now - known.loggedAt < REPEAT_AFTER_MS) {
      known.suppressed++;
      return;
    }
    this.logger.warn({ ...facts, repeated: known?.suppressed || undefined }, message);
    for (const [text, { loggedAt }] of this.faults)
      if (now - loggedAt >= REPEAT_AFTER_MS) this.faults.delete(text);
    this.faults.set(what, { loggedAt: now, suppressed: 0 });
  }
}
