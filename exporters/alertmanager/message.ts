/**
 * Alerts → the messages of the Alertmanager's API.
 * Source: https://github.com/prometheus/alertmanager/blob/main/api/v2/openapi.yaml, postableAlert
 */

import { isoTime } from '../../collectors/records/records.ts';
import type { Alert } from '../alerts/alert.ts';
import { formatMemory, formatValue } from '../alerts/text.ts';

export interface PostableAlert {
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
  readonly startsAt: string;
  readonly endsAt: string;
}

/**
 * The labels that an Alertmanager groups and routes by. The container's id is not among them, so that a
 * container that replaces another has the same alert.
 */
export function labelsOf({ rule, severity, container, resource, labels }: Alert): Record<string, string> {
  const text = (name: string) => (resource[name] === undefined ? undefined : String(resource[name]));
  const all = {
    alertname: rule,
    severity,
    instance: text('host.name'),
    container: container?.name,
    image: container?.image,
    service: text('service.name'),
    compose_project: text('container.label.com.docker.compose.project'),
    ...labels,
  };
  return Object.fromEntries(
    Object.entries(all).flatMap(([name, value]) => (value ? [[name, value]] : [])),
  ) as Record<string, string>;
}

function annotationsOf(alert: Alert): Record<string, string> {
  const { annotations, value, unit, threshold, limit, limitUnit, container, evidence } = alert;
  const { log, events, memory } = evidence;
  return {
    value: formatValue(value, unit),
    ...(threshold !== undefined && { threshold: formatValue(threshold, unit) }),
    ...(limit !== undefined && { limit: formatValue(limit, limitUnit) }),
    ...(Object.keys(memory).length > 0 && { memory: formatMemory(memory) }),
    ...(container !== undefined && { container_id: container.id }),
    ...(log.length > 0 && { log: log.join('\n') }),
    ...(events.length > 0 && { events: events.join('\n') }),
    ...annotations,
  };
}

/**
 * @param until when the Alertmanager resolves a firing alert that is not sent again, ms since the epoch
 * @throws {RangeError} when a time of the alert is out of range
 */
export function formatAlert(alert: Alert, until: number): PostableAlert {
  const { startsAt, endsAt } = alert;
  return {
    labels: labelsOf(alert),
    annotations: annotationsOf(alert),
    startsAt: isoTime(startsAt),
    endsAt: endsAt === undefined ? new Date(until).toISOString() : isoTime(endsAt),
  };
}
