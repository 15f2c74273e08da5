/** The daemon's events → event records. */
import type {
  Attributes,
  AttributeValue,
  EventRecord,
  SeverityNumber,
  SpanContext,
  UnixNano,
} from '../records/records.ts';
import type { ClassifiedEvent, DockerEvent } from './docker-event.ts';
import { parseImageReference } from './identity.ts';

/** A container is created and destroyed once, whether the daemon reports it or the agent concludes it. */
const ONCE: ReadonlySet<string> = new Set(['create', 'destroy']);

/**
 * A text that identifies the event among all others and is the same whenever it is reported.
 * A start is identified by the time of its event: an agent that receives the event again may not be able to inspect the
 * container any more, so `State.StartedAt` would not give the same text.
 * @param run when the run that this event ends was reported to have started; undefined if it was not reported
 */
export function uidOf(event: ClassifiedEvent, run?: UnixNano): string {
  const { type, action, id, execId, memberId, source } = event;
  const subject = (execId ?? `${memberId?.slice(0, 12) ?? ''}${id}`).slice(0, 24);
  const name = `${type}-${action}-${subject}`;
  if (type === 'container' && ONCE.has(action) && subject !== '') return name;
  // A run ends once, whether the daemon reports it or the agent concludes it.
  if (type === 'container' && action === 'die' && run !== undefined) return `${run}-${name}`;
  const moment = source.after === undefined ? source.timeNano : `after-${source.after}`;
  return `${moment}-${name}`;
}

/** Attributes of an image's event in semantic conventions: its id, or the reference that it was pulled by. */
function imageAttributes({ ID, Attributes }: DockerEvent['Actor']): Attributes {
  const reference = [Attributes.name, ID].find((text) => text && !/^(sha256:)?[0-9a-f]{64}$/.test(text));
  const attributes: Record<string, AttributeValue> = {};
  if (ID.startsWith('sha256:')) attributes['container.image.id'] = ID;
  if (reference === undefined) return attributes;
  const { name, tag } = parseImageReference(reference);
  attributes['container.image.name'] = name;
  if (tag !== undefined) attributes['container.image.tags'] = [tag];
  return attributes;
}

/** `replicas.old` and `replicas.new` of a service: Swarm reports values before and after a change. */
const CHANGE = /^[a-z]+\.(old|new)$/;

export interface EventDetails {
  /** Name of the container that the event is about, if it is about one. */
  readonly container?: string | undefined;
  /** As of `uidOf`. */
  readonly run?: UnixNano | undefined;
  /** Duration of the phase that the event ends, in seconds. */
  readonly duration?: number | undefined;
  readonly severity?: SeverityNumber | undefined;
  /** What happened, instead of the action's predicate. */
  readonly predicate?: string | undefined;
  readonly attributes?: Attributes;
  readonly context?: SpanContext | undefined;
}

/** Names replace the placeholders in the action's predicate. */
function sentenceOf(
  { type, row, exitCode, signal }: ClassifiedEvent,
  subject: string,
  member?: string,
): string {
  const predicate = row.predicate
    .replace('a container', (placeholder) => (member === undefined ? placeholder : `container ${member}`))
    .replace('a signal', (placeholder) => signal || placeholder);
  const code = exitCode === undefined ? '' : ` with code ${exitCode}`;
  return [type, subject, predicate + code].filter(Boolean).join(' ');
}

export function eventRecord(event: ClassifiedEvent, details: EventDetails = {}): EventRecord {
  const { type, action, id, exitCode, row, source } = event;
  const actor = source.Actor.Attributes;
  const { container, duration } = details;
  const attributes: Record<string, AttributeValue> = {
    'docker.event.type': type,
    'docker.event.action': action,
    'log.record.uid': uidOf(event, details.run),
  };
  if (source.scope) attributes['docker.event.scope'] = source.scope;
  if (type !== 'container' || container === undefined) {
    if (id !== '') attributes['docker.actor.id'] = id;
    if (actor.name !== undefined) attributes['docker.actor.name'] = actor.name;
  }
  if (type === 'image') Object.assign(attributes, imageAttributes(source.Actor));
  for (const [key, name] of Object.entries(row.attributes)) if (actor[key]) attributes[name] = actor[key];
  if (source.scope === 'swarm') {
    for (const [key, value] of Object.entries(actor))
      if (CHANGE.test(key)) attributes[`docker.${type}.${key}`] = value;
  }
  if (exitCode !== undefined) attributes['process.exit.code'] = exitCode;
  if (duration !== undefined) attributes['docker.event.duration'] = duration;
  if (source.synthesized !== undefined) {
    attributes['portlight.event.synthesized'] = true;
    attributes['portlight.event.time'] = source.synthesized;
  }
  const subject = (type === 'container' ? container : undefined) ?? actor.name ?? id;
  const member = type === 'container' ? undefined : container;
  return {
    eventName: `docker.${type}.${action}`,
    time: event.time,
    severity: details.severity ?? row.severity,
    body:
      details.predicate === undefined
        ? sentenceOf(event, subject, member)
        : `${type} ${subject} ${details.predicate}`,
    attributes: { ...attributes, ...details.attributes },
    context: details.context,
  };
}
