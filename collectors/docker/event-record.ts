/**
 * The daemon's events → event records.
 * Source: https://docs.docker.com/reference/api/engine/ (GET /events) and docker-system-events(1).
 */
import { type AttributeValue, type EventRecord, Severity, type SeverityNumber } from '../../agent/records.ts';

/** A message of GET /events. */
export interface DockerEvent {
  readonly Type: string;
  readonly Action: string;
  readonly Actor: { readonly ID: string; readonly Attributes: Readonly<Record<string, string>> };
  readonly scope?: string;
  readonly timeNano: number | bigint;
}

/** An actor's attributes that describe the event, not the object, and the names they are exported by. */
const described: Readonly<Record<string, string>> = {
  signal: 'docker.event.signal',
  execID: 'docker.exec.id',
  execDuration: 'docker.event.duration',
  oldName: 'docker.container.previous_name',
  container: 'container.id',
};

/**
 * `health_status: healthy` → `health_status.healthy`. The command behind `exec_create:` and `exec_start:`
 * is cut off: it can hold secrets.
 */
export function eventAction(action: string): string {
  const [verb, detail] = action.split(': ', 2);
  return verb === 'health_status' && detail !== undefined ? `${verb}.${detail}` : verb!;
}

function severityOf(action: string, exitCode: number | undefined): SeverityNumber {
  if (action === 'oom') return Severity.ERROR;
  if (action === 'die' && exitCode !== 0) return Severity.ERROR;
  if (action === 'health_status.unhealthy') return Severity.WARN;
  return Severity.INFO;
}

/** @param container name of the container that the event is about, if it is about one */
export function eventRecord(event: DockerEvent, container: string | undefined): EventRecord {
  const { ID, Attributes } = event.Actor;
  const action = eventAction(event.Action);
  const exitCode = Attributes.exitCode === undefined ? undefined : Number(Attributes.exitCode);
  const attributes: Record<string, AttributeValue> = {
    'docker.event.type': event.Type,
    'docker.event.action': action,
  };
  if (event.scope) attributes['docker.event.scope'] = event.scope;
  if (container === undefined) {
    attributes['docker.actor.id'] = ID;
    if (Attributes.name !== undefined) attributes['docker.actor.name'] = Attributes.name;
  }
  if (exitCode !== undefined) attributes['process.exit.code'] = exitCode;
  for (const [key, name] of Object.entries(described)) {
    const value = Attributes[key];
    if (value !== undefined) attributes[name] = value;
  }
  const subject = container ?? Attributes.name ?? ID;
  return {
    eventName: `docker.${event.Type}.${action}`,
    time: BigInt(event.timeNano),
    severity: severityOf(action, exitCode),
    body: `${event.Type} ${subject} ${action}${exitCode === undefined ? '' : ` with exit code ${exitCode}`}`,
    attributes,
  };
}
