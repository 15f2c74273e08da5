/** An alert: a rule that is met for one container or for the host, with its evidence. */
import { type Attributes, isoTime, type UnixNano } from '../../collectors/records/records.ts';
import type { AlertSeverity } from '../../config/severity.ts';

/** A value with the time of its measurement, ms since the epoch. */
export type Sample = readonly [time: number, value: number];

/** The measurements before an alert fired. */
export type MeasuredSeries = Pick<AlertEvidence, 'series' | 'seriesUnit' | 'seriesBound'>;

/** What the agent knew when the alert fired. */
export interface AlertEvidence {
  /**
   * The last 10 minutes of the metric that the rule evaluates, or shows with an event, oldest first; can be
   * empty.
   */
  readonly series: readonly Sample[];
  /** UCUM unit of the series: that of the alert, or for a forecast that of the metric. */
  readonly seriesUnit: string;
  /** The limit of the series, in its unit; undefined where it has none. */
  readonly seriesBound: number | undefined;
  /** The last lines of the container's log, oldest first. */
  readonly log: readonly string[];
  /** The container's last events, oldest first: time, event name and body in one line each. */
  readonly events: readonly string[];
  /** Its memory usage at the last measurement, bytes, by kind (`anon`, `file`, `shmem`, …). */
  readonly memory: Readonly<Record<string, number>>;
}

/** One period in which a rule was met. */
export interface Alert {
  /**
   * The same each time the rule fires for this container: `<rule>/<container id>`, or `<rule>/` for the host.
   */
  readonly key: string;
  /** Name of the rule. */
  readonly rule: string;
  readonly severity: AlertSeverity;
  /** `pending`: the rule is met, but not yet for its `for` duration. */
  readonly status: 'pending' | 'firing' | 'resolved';
  /** When the rule was first met (pending), or when the alert fired; whole milliseconds. */
  readonly startsAt: UnixNano;
  /** When the alert was resolved; undefined until then. */
  readonly endsAt: UnixNano | undefined;
  /** Attributes of the container's or the host's resource. */
  readonly resource: Attributes;
  /** Undefined for the host. */
  readonly container: { readonly id: string; readonly name: string; readonly image: string } | undefined;
  /**
   * The last value: a ratio (0.93 is 93 %) if the rule compares with a limit; the number of events for an
   * event rule.
   */
  readonly value: number;
  /** UCUM unit of `value`; `1` for a ratio. */
  readonly unit: string;
  /** The rule's threshold, in the same unit; undefined for an event rule. */
  readonly threshold: number | undefined;
  /** The limit that the ratio refers to, such as the memory limit in bytes; undefined where there is none. */
  readonly limit: number | undefined;
  /** UCUM unit of `limit`. */
  readonly limitUnit: string;
  /** The rule's labels, for routing. */
  readonly labels: Readonly<Record<string, string>>;
  /** Rendered texts for people: `summary`, `description`, and others that the rule defines. */
  readonly annotations: Readonly<Record<string, string>>;
  readonly evidence: AlertEvidence;
}

/** An alert as JSON, with times in ISO 8601. */
export interface AlertJson extends Omit<Alert, 'startsAt' | 'endsAt'> {
  readonly startsAt: string;
  readonly endsAt: string | null;
}

const nano = (text: string): UnixNano => BigInt(Date.parse(text)) * 1_000_000n;

export const alertToJson = (alert: Alert): AlertJson => ({
  ...alert,
  startsAt: isoTime(alert.startsAt),
  endsAt: alert.endsAt === undefined ? null : isoTime(alert.endsAt),
});

export const alertFromJson = (json: AlertJson): Alert => ({
  ...json,
  // JSON has no infinite numbers: they become null.
  value: json.value ?? 0,
  threshold: json.threshold ?? undefined,
  limit: json.limit ?? undefined,
  container: json.container ?? undefined,
  evidence: { ...json.evidence, seriesBound: json.evidence.seriesBound ?? undefined },
  startsAt: nano(json.startsAt),
  endsAt: json.endsAt === null ? undefined : nano(json.endsAt),
});
