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

/**
 * An actor's attributes that describe the event, not the object: the name that each is exported by, and the
 * events that have it. In any other it is a label, for labels stand among the attributes.
 */
const described: readonly { key: string; name: string; events: RegExp }[] = [
  { key: 'signal', name: 'docker.event.signal', events: /^container (kill|die)$/ },
  { key: 'execID', name: 'docker.exec.id', events: /^container exec_/ },
  { key: 'execDuration', name: 'docker.event.duration', events: /^container (exec_die|die)$/ },
  { key: 'oldName', name: 'docker.container.previous_name', events: /^container rename$/ },
  { key: 'container', name: 'container.id', events: /^(network|volume) / },
];
const HAS_EXIT_CODE = /^(die|exec_die)$/;

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
  const hasExitCode =
    event.Type === 'container' && HAS_EXIT_CODE.test(action) && /^\d+$/.test(Attributes.exitCode ?? '');
  const exitCode = hasExitCode ? Number(Attributes.exitCode) : undefined;
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
  for (const { key, name, events } of described) {
    const value = Attributes[key];
    if (value !== undefined && events.test(`${event.Type} ${action}`)) attributes[name] = value;
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
