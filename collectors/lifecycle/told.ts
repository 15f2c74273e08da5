/**
 * What was told of a container so far. It is kept in the data directory, so that after a gap (agent or daemon
 * away) it can be compared with what the daemon says, and so that what began before the gap has its duration.
 */
import type { Attributes, Container, SpanContext, UnixNano } from '../records/records.ts';
import type { ExitReason, SentSignal } from './exit.ts';

/** How far back ends and changes of health count as one pattern. */
export const PATTERN_WINDOW: UnixNano = 600_000_000_000n;
/** Execs that are remembered at a time: one whose end is never told must not stay for ever. */
const MAX_EXECS = 64;
/** Signals and moments that are remembered. */
const MAX_MOMENTS = 16;

export interface Told {
  name: string;
  /** Of the container's resource, for what is told of it when nothing else is left. */
  resource: Attributes;
  status: 'created' | 'running' | 'paused' | 'exited';
  health: string | undefined;
  settings: number;
  /** `State.StartedAt` of the last run that was told of, or a moment after it. */
  startedAt: UnixNano;
  /** Time of the last event that the daemon sent, and of the last one of all. */
  last: UnixNano;
  lastOfAny: UnixNano;
  /** The last event, where it was concluded from what the daemon says. */
  madeUp: { readonly action: string; readonly time: UnixNano } | undefined;
  /** Why the last run ended. */
  exit: ExitReason | undefined;
  /** Whether that end was concluded, so that the daemon may still tell of it. */
  isEndConcluded: boolean;
  /** When each action was last told of. */
  at: Record<string, UnixNano>;
  /** Each exec that runs: since when, and whether it is the health check. */
  execs: Record<string, { at: UnixNano; isCheck: boolean }>;
  /** What the daemon sent to it in this run. */
  signals: SentSignal[];
  /** When a process of it was last killed for want of memory, in this run. */
  oomAt: UnixNano | undefined;
  /** Ends that nobody asked for, within the window. */
  crashes: UnixNano[];
  /** Changes of health within the window. */
  healthChanges: UnixNano[];
  /** When each pattern was last told of. */
  patterns: Record<string, UnixNano>;
  /** The life that is going on, or the last one: the root span of its trace, and since when. */
  life: SpanContext | undefined;
  lifeSince: UnixNano;
}

export function newlyTold(container: Container): Told {
  return {
    name: container.name,
    resource: container.resource.attributes,
    status: 'created',
    health: undefined,
    settings: container.settings,
    startedAt: 0n,
    last: 0n,
    lastOfAny: 0n,
    madeUp: undefined,
    exit: undefined,
    isEndConcluded: false,
    at: {},
    execs: {},
    signals: [],
    oomAt: undefined,
    crashes: [],
    healthChanges: [],
    patterns: {},
    life: undefined,
    lifeSince: 0n,
  };
}

/** As if all that has become of a container had been told: for one that is seen for the first time. */
export function toldOf(container: Container): Told {
  const { createdAt, startedAt, finishedAt, healthAt, health, status } = container;
  const told = newlyTold(container);
  told.startedAt = startedAt;
  told.health = health === 'starting' ? undefined : health;
  if (createdAt !== 0n) told.at.create = createdAt;
  if (startedAt !== 0n) {
    told.at.start = startedAt;
    told.status = container.pid === 0 ? 'exited' : status === 'paused' ? 'paused' : 'running';
  }
  if (finishedAt !== 0n) told.at.die = finishedAt;
  if (told.health !== undefined && healthAt !== 0n) told.at[`health_status.${told.health}`] = healthAt;
  return told;
}

/** Adds a moment, and lets go of those that are out of the window. */
export function within(moments: readonly UnixNano[], now: UnixNano): UnixNano[] {
  return [...moments, now].filter((moment) => now - moment < PATTERN_WINDOW).slice(-MAX_MOMENTS);
}

/**
 * Since when what an event ends has lasted; undefined where it is not known.
 * @param since actions of which the latest counts
 */
export function sinceWhen(
  told: Told,
  since: readonly string[],
  exec: string | undefined,
): UnixNano | undefined {
  if (exec !== undefined) return told.execs[exec]?.at;
  const moments = since.map((action) => told.at[action]).filter((moment) => moment !== undefined);
  return moments.length === 0
    ? undefined
    : moments.reduce((latest, moment) => (moment > latest ? moment : latest));
}

interface Noted {
  readonly signal: string | undefined;
  /** Id of the exec that the event is about. */
  readonly exec: string | undefined;
  /** Whether that is the health check, where the event tells it. */
  readonly isCheck: boolean | undefined;
}

/** Takes an event into account. */
export function note(told: Told, action: string, time: UnixNano, { signal, exec, isCheck }: Noted): void {
  told.at[action] = time;
  if (exec !== undefined) {
    if (action === 'exec_die') delete told.execs[exec];
    else if (action !== 'exec_detach')
      told.execs[exec] = { at: time, isCheck: isCheck ?? told.execs[exec]?.isCheck ?? false };
    const [oldest] = Object.keys(told.execs);
    if (Object.keys(told.execs).length > MAX_EXECS) delete told.execs[oldest!];
  }
  switch (action) {
    case 'start':
    case 'restore':
      told.status = 'running';
      told.health = undefined;
      told.signals = [];
      told.execs = {};
      told.oomAt = undefined;
      break;
    case 'die':
      told.status = 'exited';
      told.health = undefined;
      break;
    case 'pause':
      told.status = 'paused';
      break;
    case 'unpause':
      told.status = 'running';
      break;
    case 'oom':
      told.oomAt = time;
      break;
    case 'kill':
      if (signal !== undefined) told.signals = [...told.signals, { signal, at: time }].slice(-MAX_MOMENTS);
      break;
    case 'health_status.healthy':
    case 'health_status.unhealthy':
      // What it is at first is no change.
      if (told.health !== undefined) told.healthChanges = within(told.healthChanges, time);
      told.health = action.slice('health_status.'.length);
      break;
  }
}

/** When the run that goes on was told to have begun. */
export const beginningOf = ({ at: { start, restore } }: Told): UnixNano | undefined =>
  restore !== undefined && restore > (start ?? 0n) ? restore : start;

/** Times are numbers too long for JSON; they are written as text that begins with this. */
const TIME = '\u0000';

export const formatTold = (told: Told): string =>
  JSON.stringify(told, (_, value: unknown) => (typeof value === 'bigint' ? `${TIME}${value}` : value));

/** Undefined where the text is none of ours. */
export function parseTold(text: string): Told | undefined {
  try {
    return JSON.parse(text, (_, value: unknown) =>
      typeof value === 'string' && value.startsWith(TIME) ? BigInt(value.slice(1)) : value,
    ) as Told;
  } catch {
    return undefined;
  }
}
