/** The state of one alert, and its JSON in the position store, where it survives a restart. */
import type { EventRecord, Resource, UnixNano } from '../../collectors/records/records.ts';
import { type Alert, type AlertJson, alertFromJson, alertToJson } from '../../exporters/alerts/alert.ts';
import type { Lifecycle } from './transition.ts';

export interface AlertState {
  lifecycle: Lifecycle;
  /** Start time of the container's run that the alert is about; 0n for an event rule and the host. */
  readonly run: UnixNano;
  resource: Resource;
  /** Whether a rule was evaluated for it in this round. */
  wasEvaluated: boolean;
  /** Time of the last event; 0n for a metric rule. */
  lastEvent: UnixNano;
  /** Name of the event that fired the alert; '' for a metric rule. */
  readonly eventName: string;
  /** Consecutive rounds without a value. */
  missedRounds: number;
  alert: Alert;
}

/** @param event the one that fired the alert; undefined for a metric rule */
export const newAlertState = (
  lifecycle: Lifecycle,
  alert: Alert,
  resource: Resource,
  run: UnixNano,
  event?: EventRecord,
): AlertState => ({
  lifecycle,
  run,
  resource,
  wasEvaluated: true,
  lastEvent: event?.time ?? 0n,
  eventName: event?.eventName ?? '',
  missedRounds: 0,
  alert,
});

/** On disk: times are ms since the epoch. The field names are part of the on-disk format. */
interface StoredState {
  readonly since: number;
  readonly run: string;
  readonly subject?: Resource['subject'];
  readonly isTold: boolean;
  readonly clearedAt?: number;
  readonly endedAt?: number;
  readonly eventName?: string;
  readonly lastEvent: string;
  readonly alert: AlertJson;
}

/** @param epochOffsetMs from the monotonic clock to the time since the epoch */
export function formatAlertState(state: AlertState, epochOffsetMs: number): string {
  const { lifecycle, run, resource, lastEvent, eventName, alert } = state;
  const { since, clearedAt, resolvedAt, isDelivered } = lifecycle;
  const stored: StoredState = {
    since: since + epochOffsetMs,
    run: String(run),
    ...(resource.subject !== undefined && { subject: resource.subject }),
    isTold: isDelivered,
    ...(clearedAt !== undefined && { clearedAt: clearedAt + epochOffsetMs }),
    ...(resolvedAt !== undefined && { endedAt: resolvedAt + epochOffsetMs }),
    lastEvent: String(lastEvent),
    eventName,
    alert: alertToJson(alert),
  };
  return JSON.stringify(stored);
}

/** @returns undefined when the text cannot be read: damaged, or written by an earlier version */
export function parseAlertState(text: string, epochOffsetMs: number): AlertState | undefined {
  try {
    const stored = JSON.parse(text) as StoredState;
    const { since, run, subject, isTold, clearedAt, endedAt, lastEvent, eventName = '', alert } = stored;
    return {
      lifecycle: {
        status: alert.status,
        since: since - epochOffsetMs,
        clearedAt: clearedAt === undefined ? undefined : clearedAt - epochOffsetMs,
        resolvedAt: endedAt === undefined ? undefined : endedAt - epochOffsetMs,
        isDelivered: isTold,
      },
      run: BigInt(run),
      resource: { attributes: alert.resource, ...(subject !== undefined && { subject }) },
      wasEvaluated: false,
      lastEvent: BigInt(lastEvent),
      eventName,
      missedRounds: 0,
      alert: alertFromJson(alert),
    };
  } catch {
    return undefined;
  }
}
