/** The daemon's events → event records. */
import type {
  Attributes,
  AttributeValue,
  EventRecord,
  SeverityNumber,
  SpanContext,
  UnixNano,
} from '../records/records.ts';
import { type Action, actionOf, nameOfAction } from './actions.ts';
import { parseImageReference } from './identity.ts';

/** A message of GET /events. */
export interface DockerEvent {
  readonly Type: string;
  readonly Action: string;
  readonly Actor: { readonly ID: string; readonly Attributes: Readonly<Record<string, string>> };
  readonly scope?: string;
  readonly timeNano: number | bigint;
  /** That no daemon sent it, and whether its time is known or the latest that it can have. */
  readonly synthesized?: 'known' | 'estimated';
  /** Time of what was told before it, where its own is estimated: that is the same at each attempt. */
  readonly after?: UnixNano;
}

export const actionOfEvent = ({ Type, Action: action }: DockerEvent): Action =>
  actionOf(Type, nameOfAction(Type, action));

/** The exec that an event is about. */
export const execOf = ({ Type, Action: action, Actor }: DockerEvent): string | undefined =>
  Type === 'container' && action.startsWith('exec') ? Actor.Attributes.execID : undefined;

/** The container that a network's or a volume's event is about. */
export const memberContainerOf = ({ Type, Actor }: DockerEvent): string | undefined =>
  Type === 'network' || Type === 'volume' ? Actor.Attributes.container : undefined;

const ONCE = new Set(['create', 'destroy']);

/**
 * What tells an event from all others, and the same whenever it is told.
 * @param run time of the event that began the run that it ends, where that was told
 */
export function uidOf(event: DockerEvent, run?: UnixNano): string {
  const { timeNano, after, Type, Action: given, Actor } = event;
  const action = nameOfAction(Type, given);
  const subject = (execOf(event) ?? `${memberContainerOf(event)?.slice(0, 12) ?? ''}${Actor.ID}`).slice(
    0,
    24,
  );
  // A container is created and destroyed once, whoever tells it.
  if (Type === 'container' && ONCE.has(action) && subject !== '') return `${Type}-${action}-${subject}`;
  // And ends once in each run, whether the daemon said so or it was concluded later.
  if (Type === 'container' && action === 'die' && run !== undefined)
    return `${run}-${Type}-${action}-${subject}`;
  return `${after === undefined ? timeNano : `after-${after}`}-${Type}-${action}-${subject}`;
}

const HAS_EXIT_CODE = /^(die|exec_die)$/;

/** The exit code that an event tells. */
export function exitCodeOf(event: DockerEvent): number | undefined {
  const { type, action } = actionOfEvent(event);
  const { exitCode = action === 'exec_die' ? event.Actor.Attributes.containerExitCode : undefined } =
    event.Actor.Attributes;
  return type === 'container' && HAS_EXIT_CODE.test(action) && /^\d+$/.test(exitCode ?? '')
    ? Number(exitCode)
    : undefined;
}

/** What an image's event says in semantic conventions: its id, or the reference that it was pulled by. */
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

/** `replicas.old` and `replicas.new` of a service: Swarm says before and after of whatever was changed. */
const CHANGE = /^[a-z]+\.(old|new)$/;

export interface EventDetails {
  /** Name of the container that the event is about, if it is about one. */
  readonly container?: string | undefined;
  /** As of `uidOf`. */
  readonly run?: UnixNano | undefined;
  /** Seconds since what it ends began. */
  readonly duration?: number | undefined;
  readonly severity?: SeverityNumber;
  /** How the sentence goes on. */
  readonly tail?: string;
  readonly attributes?: Attributes;
  readonly context?: SpanContext | undefined;
}

export function eventRecord(event: DockerEvent, telling: EventDetails = {}): EventRecord {
  const { ID, Attributes: actor } = event.Actor;
  const { type, action, severity, attributes: described } = actionOfEvent(event);
  const { container, duration, tail = '' } = telling;
  const exitCode = exitCodeOf(event);
  const attributes: Record<string, AttributeValue> = {
    'docker.event.type': type,
    'docker.event.action': action,
    'log.record.uid': uidOf(event, telling.run),
  };
  if (event.scope) attributes['docker.event.scope'] = event.scope;
  if (type !== 'container' || container === undefined) {
    if (ID !== '') attributes['docker.actor.id'] = ID;
    if (actor.name !== undefined) attributes['docker.actor.name'] = actor.name;
  }
  if (type === 'image') Object.assign(attributes, imageAttributes(event.Actor));
  for (const [key, name] of Object.entries(described)) if (actor[key]) attributes[name] = actor[key];
  if (event.scope === 'swarm') {
    for (const [key, value] of Object.entries(actor))
      if (CHANGE.test(key)) attributes[`docker.${type}.${key}`] = value;
  }
  if (exitCode !== undefined) attributes['process.exit.code'] = exitCode;
  if (duration !== undefined) attributes['docker.event.duration'] = duration;
  if (event.synthesized !== undefined) {
    attributes['portlight.event.synthesized'] = true;
    attributes['portlight.event.time'] = event.synthesized;
  }
  const subject = (type === 'container' ? container : undefined) ?? actor.name ?? ID;
  const code = exitCode === undefined ? '' : ` with exit code ${exitCode}`;
  return {
    eventName: `docker.${type}.${action}`,
    time: BigInt(event.timeNano),
    severity: telling.severity ?? severity,
    body: `${type} ${subject} ${action}${code}${tail}`,
    attributes: { ...attributes, ...telling.attributes },
    context: telling.context,
  };
}
