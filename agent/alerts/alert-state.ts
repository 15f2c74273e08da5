/** How an alert is, and how that is kept across restarts. */
import type { Resource, UnixNano } from '../../collectors/records/records.ts';
import { type Alert, type AlertJson, fromJson, toJson } from '../../exporters/alerts/alert.ts';

export interface AlertState {
  status: Alert['status'];
  /** Since when it holds, ms of the monotonic clock. */
  since: number;
  /** Which run of the container it is of; 0n where that does not matter. */
  run: UnixNano;
  resource: Resource;
  /** Whether every exporter has taken charge of what was told last. */
  isDelivered: boolean;
  /** Whether a rule has looked at it in this round. */
  wasEvaluated: boolean;
  /** Since when it holds no more, ms of the monotonic clock; of an event, when it was told. */
  clearedAt: number | undefined;
  /** When it was resolved, ms of the monotonic clock. */
  resolvedAt: number | undefined;
  /** Time of the last event; 0n of a metric. */
  lastEvent: UnixNano;
  /** Name of the event that it began with; '' of a metric. */
  readonly eventName: string;
  /** Rounds in a row that had no value of it. */
  missedRounds: number;
  alert: Alert;
}

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

/** @param offset from the monotonic clock to the time since the epoch, ms */
export function formatAlertState(state: AlertState, offset: number): string {
  const {
    since,
    run,
    resource,
    isDelivered: isTold,
    clearedAt,
    resolvedAt: endedAt,
    lastEvent,
    eventName,
    alert,
  } = state;
  const kept: StoredState = {
    since: since + offset,
    run: String(run),
    ...(resource.subject !== undefined && { subject: resource.subject }),
    isTold,
    ...(clearedAt !== undefined && { clearedAt: clearedAt + offset }),
    ...(endedAt !== undefined && { endedAt: endedAt + offset }),
    lastEvent: String(lastEvent),
    eventName,
    alert: toJson(alert),
  };
  return JSON.stringify(kept);
}

/** @returns undefined when it cannot be read: an earlier version's, or damaged */
export function parseAlertState(text: string, offset: number): AlertState | undefined {
  try {
    const {
      since,
      run,
      subject,
      isTold,
      clearedAt,
      endedAt,
      lastEvent,
      eventName = '',
      alert,
    } = JSON.parse(text) as StoredState;
    return {
      status: alert.status,
      since: since - offset,
      run: BigInt(run),
      resource: { attributes: alert.resource, ...(subject !== undefined && { subject }) },
      isDelivered: isTold,
      wasEvaluated: false,
      clearedAt: clearedAt === undefined ? undefined : clearedAt - offset,
      resolvedAt: endedAt === undefined ? undefined : endedAt - offset,
      lastEvent: BigInt(lastEvent),
      eventName,
      missedRounds: 0,
      alert: fromJson(alert),
    };
  } catch {
    return undefined;
  }
}
