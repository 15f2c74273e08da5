/** Events of the daemon, and the one place that decides what kind of event each of them is. */
import type { UnixNano } from '../records/records.ts';
import { type Action, actionRow, commandOf, nameOfAction } from './actions.ts';
import { signalName, UNKNOWN_SIGNAL } from './exit-reason.ts';

/** A message of GET /events. */
export interface DockerEvent {
  readonly Type: string;
  readonly Action: string;
  readonly Actor: { readonly ID: string; readonly Attributes: Readonly<Record<string, string>> };
  readonly scope?: string;
  readonly timeNano: number | bigint;
  /** Set if the agent concluded the event: whether its time is known, or is the latest possible one. */
  readonly synthesized?: 'known' | 'estimated';
  /** Time of the event reported before one with an estimated time: it is the same at each attempt. */
  readonly after?: UnixNano;
}

/** An event with everything that follows from its text. */
export interface ClassifiedEvent {
  readonly source: DockerEvent;
  readonly time: UnixNano;
  /** `Type` of the Engine API. */
  readonly type: string;
  /** The action's canonical name, such as `health_status.healthy`. */
  readonly action: string;
  /** What the table knows about the action. */
  readonly row: Action;
  /** Id of the object that the event is about; empty for events such as `prune`. */
  readonly id: string;
  /** Whether the event is about one container. */
  readonly isOfContainer: boolean;
  /** Id of the container that an event of a network or a volume names. */
  readonly memberId: string | undefined;
  /** Id of the exec that the event is about. */
  readonly execId: string | undefined;
  /** The command line that `exec_create` and `exec_start` show. */
  readonly command: string | undefined;
  /** The exit code that `die` and `exec_die` show. */
  readonly exitCode: number | undefined;
  /** The signal that `kill` shows. */
  readonly signal: string | undefined;
  /** Whether the agent concluded the event. */
  readonly isSynthesized: boolean;
}

const SHOWS_EXIT_CODE: ReadonlySet<string> = new Set(['die', 'exec_die']);

/** Labels are among an actor's attributes: what is read depends on type and action. */
export function classifyEvent(source: DockerEvent): ClassifiedEvent {
  const { Type: type, Action, Actor } = source;
  const action = nameOfAction(type, Action);
  const isContainer = type === 'container';
  const { Attributes: actor, ID: id } = Actor;
  const isMember = type === 'network' || type === 'volume';
  // Podman names the exit code of an exec `containerExitCode`.
  const exitCode = actor.exitCode ?? (action === 'exec_die' ? actor.containerExitCode : undefined) ?? '';
  const showsExitCode = isContainer && SHOWS_EXIT_CODE.has(action) && /^\d+$/.test(exitCode);
  const signal = actor.signal === undefined ? UNKNOWN_SIGNAL : signalName(actor.signal);
  return {
    source,
    time: BigInt(source.timeNano),
    type,
    action,
    row: actionRow(type, action),
    id,
    isOfContainer: isContainer && id !== '',
    memberId: isMember ? actor.container : undefined,
    execId: isContainer && Action.startsWith('exec') ? actor.execID : undefined,
    command: commandOf(Action),
    exitCode: showsExitCode ? Number(exitCode) : undefined,
    signal: isContainer && action === 'kill' ? signal : undefined,
    isSynthesized: source.synthesized !== undefined,
  };
}
