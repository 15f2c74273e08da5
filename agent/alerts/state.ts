/** How an alert is, and how that is kept across restarts. */
import type { Resource, UnixNano } from '../../collectors/records/records.ts';
import { type Alert, type AlertJson, fromJson, toJson } from '../../exporters/alerts/alert.ts';

export interface State {
  phase: Alert['status'];
  /** Since when it holds, ms of the monotonic clock. */
  since: number;
  /** Which run of the container it is of; 0n where that does not matter. */
  run: UnixNano;
  resource: Resource;
  /** Whether every exporter has taken charge of what was told last. */
  isTold: boolean;
  /** Whether a rule has looked at it in this round. */
  isSeen: boolean;
  /** Since when it holds no more, ms of the monotonic clock; of an event, when it was told. */
  clearedAt: number | undefined;
  /** When it was resolved, ms of the monotonic clock. */
  endedAt: number | undefined;
  /** Time of the last event; 0n of a metric. */
  lastEvent: UnixNano;
  /** Name of the event that it began with; '' of a metric. */
  readonly eventName: string;
  /** Rounds in a row that had no value of it. */
  missed: number;
  alert: Alert;
}

interface Kept {
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
export function formatState(state: State, offset: number): string {
  const { since, run, resource, isTold, clearedAt, endedAt, lastEvent, eventName, alert } = state;
  const kept: Kept = {
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
export function parseState(text: string, offset: number): State | undefined {
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
    } = JSON.parse(text) as Kept;
    return {
      phase: alert.status,
      since: since - offset,
      run: BigInt(run),
      resource: { attributes: alert.resource, ...(subject !== undefined && { subject }) },
      isTold,
      isSeen: false,
      clearedAt: clearedAt === undefined ? undefined : clearedAt - offset,
      endedAt: endedAt === undefined ? undefined : endedAt - offset,
      lastEvent: BigInt(lastEvent),
      eventName,
      missed: 0,
      alert: fromJson(alert),
    };
  } catch {
    return undefined;
  }
}
