/** Events that the agent itself tells: what it has recognised or found. The page docs/events.md has them too. */
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

const event = (name: string, severity: SeverityNumber, what: string): AgentEvent => ({
  name,
  severity,
  description: what,
});

export const agentEvents = {
  namespaces: event(
    'portlight.container.namespaces',
    Severity.INFO,
    'The namespaces of a container that was started or found, whose they are (`host`, `shared`, `private`), its user mapping and what confines it; once a run, and once more when another container begins to share one that was its own',
  ),
  elevated: event(
    'portlight.container.elevated',
    Severity.WARN,
    'A container runs with access beyond its own bounds: `portlight.elevated.reasons` says which; once a run',
  ),
  restartLoop: event(
    'portlight.container.restart_loop',
    Severity.WARN,
    'A container was started again after 3 or more ends within 10 minutes that nobody asked for; told again every 10 minutes while it lasts',
  ),
  healthFlapping: event(
    'portlight.container.health_flapping',
    Severity.WARN,
    'The health of a container changed 4 times or more within 10 minutes; told again every 10 minutes while it lasts',
  ),
  daemonStopped: event(
    'portlight.container.stopped_by_daemon',
    Severity.INFO,
    'A container whose end looked as if somebody had stopped it was ended by the daemon, which was stopped itself; told when the daemon is back',
  ),
  outdated: event(
    'portlight.container.image_outdated',
    Severity.WARN,
    'The name that a running container was made from means another image by now: a restart with it would run something else',
  ),
  alertFiring: event(
    'portlight.alert.firing',
    Severity.WARN,
    "A rule came to hold; its severity is the rule's. docs/alerts.md has what it bears",
  ),
  alertResolved: event('portlight.alert.resolved', Severity.INFO, 'An alert has ended'),
  image: event(
    'portlight.inventory.image',
    Severity.INFO,
    'An image that was found, has changed, or is gone',
  ),
  volume: event(
    'portlight.inventory.volume',
    Severity.INFO,
    'A volume that was found, has changed, or is gone',
  ),
  network: event(
    'portlight.inventory.network',
    Severity.INFO,
    'A network that was found, has changed, or is gone, with its members and their addresses',
  ),
} as const satisfies Readonly<Record<string, AgentEvent>>;

export interface Occurrence {
  readonly time: UnixNano;
  /** What it is about: the id of a container or an image, the name of a volume. */
  readonly subject: string;
  /** One sentence for a person. */
  readonly body: string;
  readonly attributes: Attributes;
  readonly severity?: SeverityNumber;
  readonly context?: SpanContext | undefined;
}

/** The event's record; its uid follows from what happened when. */
export function agentEventRecord({ name, severity }: AgentEvent, occasion: Occurrence): EventRecord {
  const { time, subject, body, attributes, context } = occasion;
  return {
    eventName: name,
    time,
    severity: occasion.severity ?? severity,
    body,
    attributes: { 'log.record.uid': `${time}-${name}-${subject.slice(0, 24)}`, ...attributes },
    context,
  };
}
