import { agentEventRecord, agentEvents } from '../../collectors/records/agent-events.ts';
import { type AttributeValue, type EventRecord, Severity } from '../../collectors/records/records.ts';
import type { Alert } from './alert.ts';
import { formatValue } from './text.ts';

const SEVERITIES = { info: Severity.INFO, warning: Severity.WARN, critical: Severity.ERROR } as const;

/** The body of the log record, one sentence. */
function bodyOf({ rule, status, container, value, unit, annotations }: Alert): string {
  const name = container?.name ?? 'the host';
  const summary = annotations.summary ?? `${rule} of ${name}: ${formatValue(value, unit)}`;
  return status === 'resolved'
    ? `alert ${rule} of ${name} is resolved: ${summary}`
    : `alert ${rule}: ${summary}`;
}

/** Converts an alert to the event `portlight.alert.firing` or `portlight.alert.resolved`. */
export function toEventRecord(alert: Alert): EventRecord {
  const { status, startsAt, endsAt, evidence, limit, threshold } = alert;
  const isFiring = status === 'firing';
  const attributes: Record<string, AttributeValue> = {
    'portlight.alert.rule': alert.rule,
    'portlight.alert.severity': alert.severity,
    'portlight.alert.value': alert.value,
    'portlight.alert.unit': alert.unit,
  };
  if (threshold !== undefined) attributes['portlight.alert.threshold'] = threshold;
  if (limit !== undefined) attributes['portlight.alert.limit'] = limit;
  for (const [name, text] of Object.entries(alert.labels)) attributes[`portlight.alert.label.${name}`] = text;
  for (const [name, text] of Object.entries(alert.annotations))
    attributes[`portlight.alert.annotation.${name}`] = text;
  if (!isFiring && endsAt !== undefined)
    attributes['portlight.alert.duration'] = Number(endsAt - startsAt) / 1e9;
  // The evidence was reported when the alert fired.
  if (isFiring) {
    const { series, log, events, memory } = evidence;
    if (series.length > 0) {
      attributes['portlight.alert.series'] = JSON.stringify(series);
      attributes['portlight.alert.series.unit'] = evidence.seriesUnit;
    }
    if (log.length > 0) attributes['portlight.alert.log'] = log;
    if (events.length > 0) attributes['portlight.alert.events'] = events;
    for (const [name, bytes] of Object.entries(memory)) attributes[`portlight.alert.memory.${name}`] = bytes;
  }
  return agentEventRecord(isFiring ? agentEvents.alertFiring : agentEvents.alertResolved, {
    time: (isFiring ? startsAt : endsAt) ?? startsAt,
    subject: alert.container?.id ?? '',
    body: bodyOf(alert),
    attributes: { ...attributes, 'log.record.uid': alertUid(alert) },
    ...(isFiring && { severity: SEVERITIES[alert.severity] }),
  });
}

/** The record's uid. It is the same when the alert is reported again. */
export const alertUid = ({ key, status, startsAt }: Alert): string =>
  `${startsAt}-portlight.alert.${status}-${key.slice(0, key.indexOf('/') + 13)}`;
