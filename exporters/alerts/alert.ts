/** What an alert is: a rule that came to hold for one container, or for the host, and all that bears on it. */
import { type Attributes, isoTime, type UnixNano } from '../../collectors/records/records.ts';
import type { AlertSeverity } from '../../config/severity.ts';

/** A value, and when it was measured, ms since the epoch. */
export type Sample = readonly [time: number, value: number];

/** What was measured before it fired. */
export type MeasuredSeries = Pick<AlertEvidence, 'series' | 'seriesUnit' | 'seriesBound'>;

/** What was known when the alert fired. */
export interface AlertEvidence {
  /** The last 10 minutes of what the rule looks at, or shows with an event, oldest first; empty where there is nothing. */
  readonly series: readonly Sample[];
  /** UCUM unit of the series: the alert's own, or, of a forecast, the metric's. */
  readonly seriesUnit: string;
  /** What the series must not reach, in its unit; undefined where there is no such thing. */
  readonly seriesBound: number | undefined;
  /** The last lines of the container's log, oldest first. */
  readonly log: readonly string[];
  /** What happened to the container, oldest first: time, event name and body in one line each. */
  readonly events: readonly string[];
  /** What its memory was used for when it was last measured, bytes, by kind (`anon`, `file`, `shmem`, …). */
  readonly memory: Readonly<Record<string, number>>;
}

/** One time that a rule held, from its start to its end. */
export interface Alert {
  /** The same for every time that the rule fires for this container: `<rule>/<container id>`, or `<rule>/` of the host. */
  readonly key: string;
  /** Name of the rule. */
  readonly rule: string;
  readonly severity: AlertSeverity;
  /** `pending`: the rule holds, but not yet for as long as it has to. */
  readonly status: 'pending' | 'firing' | 'resolved';
  /** When it came to hold (pending), or fired; whole milliseconds. */
  readonly startsAt: UnixNano;
  /** When it was resolved; undefined until then. */
  readonly endsAt: UnixNano | undefined;
  /** Attributes of the container's resource, or of the host's. */
  readonly resource: Attributes;
  /** Undefined for the host. */
  readonly container: { readonly id: string; readonly name: string; readonly image: string } | undefined;
  /** What was measured last: a share (0.93 is 93 %) where the rule compares with a limit; of an event, how often it happened. */
  readonly value: number;
  /** UCUM unit of `value`; `1` of a share. */
  readonly unit: string;
  /** The value that it is compared with, in the same unit; undefined for an event. */
  readonly threshold: number | undefined;
  /** What the share is a share of, such as the memory limit in bytes; undefined where there is none. */
  readonly limit: number | undefined;
  /** UCUM unit of `limit`. */
  readonly limitUnit: string;
  /** What the rule's author gave it to be routed by. */
  readonly labels: Readonly<Record<string, string>>;
  /** Texts for a person, filled in: `summary`, `description`, and whatever else the rule has. */
  readonly annotations: Readonly<Record<string, string>>;
  readonly evidence: AlertEvidence;
}

/** An alert as JSON: times are ISO 8601. */
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
  // JSON has no number that is not finite.
  value: json.value ?? 0,
  threshold: json.threshold ?? undefined,
  limit: json.limit ?? undefined,
  container: json.container ?? undefined,
  evidence: { ...json.evidence, seriesBound: json.evidence.seriesBound ?? undefined },
  startsAt: nano(json.startsAt),
  endsAt: json.endsAt === null ? undefined : nano(json.endsAt),
});
