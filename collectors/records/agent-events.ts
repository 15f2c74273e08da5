/** Events of the agent itself: what it detected or found. docs/events.md derives from this table. */
import {
  type Attributes,
  type EventRecord,
  Severity,
  type SeverityNumber,
  type SpanContext,
  type UnixNano,
} from './records.ts';

export interface AgentEvent {
  readonly name: string;
  readonly severity: SeverityNumber;
  readonly description: string;
}

const event = (name: string, severity: SeverityNumber, description: string): AgentEvent => ({
  name,
  severity,
  description,
});

export const agentEvents = {
  namespaces: event(
    'portlight.container.namespaces',
    Severity.INFO,
    'The namespaces of a container that started or was found, who owns them (`host`, `shared`, `private`), its user mapping and its confinement. Once per run, and again when another container joins one of its private namespaces',
  ),
  elevated: event(
    'portlight.container.elevated',
    Severity.WARN,
    'A container runs with access to the host or to other containers: `portlight.elevated.reasons` lists why. Once per run',
  ),
  restartLoop: event(
    'portlight.container.restart_loop',
    Severity.WARN,
    'A container started again after 3 or more exits within 10 minutes that nobody requested. Repeated every 10 minutes while it lasts',
  ),
  healthFlapping: event(
    'portlight.container.health_flapping',
    Severity.WARN,
    'The health of a container changed 4 times or more within 10 minutes. Repeated every 10 minutes while it lasts',
  ),
  daemonStopped: event(
    'portlight.container.stopped_by_daemon',
    Severity.INFO,
    'A container that seemed to be stopped on request was stopped by the daemon, which was shutting down. Reported when the daemon is back',
  ),
  outdated: event(
    'portlight.container.image_outdated',
    Severity.WARN,
    'The image reference of a running container now points to another image: a new container would run that one',
  ),
  alertFiring: event(
    'portlight.alert.firing',
    Severity.WARN,
    "An alert rule fires, with the rule's severity. docs/alerts.md lists its attributes",
  ),
  alertResolved: event('portlight.alert.resolved', Severity.INFO, 'An alert is resolved'),
  image: event('portlight.inventory.image', Severity.INFO, 'An image was found, changed, or was removed'),
  volume: event('portlight.inventory.volume', Severity.INFO, 'A volume was found, changed, or was removed'),
  network: event(
    'portlight.inventory.network',
    Severity.INFO,
    'A network was found, changed, or was removed, with its members and their addresses',
  ),
} as const satisfies Readonly<Record<string, AgentEvent>>;

export interface Occurrence {
  readonly time: UnixNano;
  /** The subject: the id of a container or an image, or the name of a volume. */
  readonly subject: string;
  /** One sentence for a person. */
  readonly body: string;
  readonly attributes: Attributes;
  readonly severity?: SeverityNumber;
  readonly context?: SpanContext | undefined;
}

/** The record of an event. Its uid derives from the event's name, subject and time. */
export function agentEventRecord({ name, severity }: AgentEvent, occurrence: Occurrence): EventRecord {
  const { time, subject, body, attributes, context } = occurrence;
  return {
    eventName: name,
    time,
    severity: occurrence.severity ?? severity,
    body,
    attributes: { 'log.record.uid': `${time}-${name}-${subject.slice(0, 24)}`, ...attributes },
    context,
  };
}
