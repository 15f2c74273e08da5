/**
 * What the agent has reported of a container so far. The data directory keeps it. After a gap (the agent or the
 * daemon was away) it is compared with what the daemon shows, and it knows when something began before the gap.
 */
import type { Attributes, Container, SpanContext, UnixNano } from '../records/records.ts';
import type { ExitReason, SentSignal } from './exit-reason.ts';

export interface ReportedState {
  name: string;
  /** The resource's attributes, for events after the container is gone. */
  resource: Attributes;
  status: 'created' | 'running' | 'paused' | 'exited';
  health: string | undefined;
  settings: number;
  /** `State.StartedAt` of the last reported run, or a moment after it. */
  startedAt: UnixNano;
  /** Time of the last event that the daemon sent. */
  lastDaemonEventAt: UnixNano;
  /** Time of the last event, sent by the daemon or concluded. */
  lastEventAt: UnixNano;
  /** The last event if the agent concluded it and the daemon knew its time. */
  concluded: { readonly action: string; readonly time: UnixNano } | undefined;
  /** Why the last run ended. */
  exit: ExitReason | undefined;
  /** Whether the last run's end was concluded: the daemon may still report it. */
  isEndConcluded: boolean;
  /** When each action was last reported. */
  lastTimes: Record<string, UnixNano>;
  /** The running execs: when each started, and whether it is the health check. */
  execs: Record<string, { at: UnixNano; isCheck: boolean }>;
  /** Signals that the daemon sent in this run. */
  signals: SentSignal[];
  /** When the kernel last OOM-killed a process of this run. */
  oomAt: UnixNano | undefined;
  /** Exits within the window that nobody requested. */
  crashes: UnixNano[];
  /** Health changes within the window. */
  healthChanges: UnixNano[];
  /** When each recurrence was last reported. */
  recurrences: Record<string, UnixNano>;
  /** The root span of the current life, or of the last one. */
  life: SpanContext | undefined;
  lifeStart: UnixNano;
}

/** The state of a container of which nothing was reported yet. */
export function initialState(container: Container): ReportedState {
  return {
    name: container.name,
    resource: container.resource.attributes,
    status: 'created',
    health: undefined,
    settings: container.settings,
    startedAt: 0n,
    lastDaemonEventAt: 0n,
    lastEventAt: 0n,
    concluded: undefined,
    exit: undefined,
    isEndConcluded: false,
    lastTimes: {},
    execs: {},
    signals: [],
    oomAt: undefined,
    crashes: [],
    healthChanges: [],
    recurrences: {},
    life: undefined,
    lifeStart: 0n,
  };
}

/** The state as if everything that the container shows had been reported. */
export function reportedStateOf(container: Container): ReportedState {
  const { createdAt, startedAt, finishedAt, healthAt, health, status } = container;
  const state = initialState(container);
  state.startedAt = startedAt;
  state.health = health === 'starting' ? undefined : health;
  if (createdAt !== 0n) state.lastTimes.create = createdAt;
  if (startedAt !== 0n) {
    state.lastTimes.start = startedAt;
    state.status = container.pid === 0 ? 'exited' : status === 'paused' ? 'paused' : 'running';
  }
  if (finishedAt !== 0n) state.lastTimes.die = finishedAt;
  if (state.health !== undefined && healthAt !== 0n)
    state.lastTimes[`health_status.${state.health}`] = healthAt;
  return state;
}

/**
 * When the phase began that an event ends; undefined if unknown.
 * @param since actions that can begin the phase: the latest counts
 * @param exec id of the exec that the event is about
 */
export function phaseStart(
  state: ReportedState,
  since: readonly string[],
  exec: string | undefined,
): UnixNano | undefined {
  if (exec !== undefined) return state.execs[exec]?.at;
  const moments = since.map((action) => state.lastTimes[action]).filter((moment) => moment !== undefined);
  return moments.length === 0
    ? undefined
    : moments.reduce((latest, moment) => (moment > latest ? moment : latest));
}

/** When the current run was reported to have started. */
export const runStart = ({ lastTimes: { start, restore } }: ReportedState): UnixNano | undefined =>
  restore !== undefined && restore > (start ?? 0n) ? restore : start;

/** The names that fields have on disk, where these differ. They stay, so that every version reads every store. */
const NAMES_ON_DISK: Partial<Record<keyof ReportedState, string>> = {
  lastDaemonEventAt: 'last',
  lastEventAt: 'lastOfAny',
  concluded: 'madeUp',
  lastTimes: 'at',
  recurrences: 'patterns',
  lifeStart: 'lifeSince',
};
const FIELDS_BY_NAME: Readonly<Record<string, string>> = Object.fromEntries(
  Object.entries(NAMES_ON_DISK).map(([field, name]) => [name, field]),
);

/** JSON has no bigint: a time is written as text with this prefix. */
const TIME = '\u0000';

/** The text that the data directory keeps. */
export function formatReportedState(state: ReportedState): string {
  const named = Object.entries(state).map(([field, value]) => [
    NAMES_ON_DISK[field as keyof ReportedState] ?? field,
    value,
  ]);
  return JSON.stringify(Object.fromEntries(named), (_, value: unknown) =>
    typeof value === 'bigint' ? `${TIME}${value}` : value,
  );
}

/** Returns undefined if the text is not a stored state. */
export function parseReportedState(text: string): ReportedState | undefined {
  try {
    const named: Record<string, unknown> = JSON.parse(text, (_, value: unknown) =>
      typeof value === 'string' && value.startsWith(TIME) ? BigInt(value.slice(1)) : value,
    );
    return Object.fromEntries(
      Object.entries(named).map(([name, value]) => [FIELDS_BY_NAME[name] ?? name, value]),
    ) as unknown as ReportedState;
  } catch {
    return undefined;
  }
}
