/**
 * Events of a container that were missed: the difference between what was reported and what the daemon shows now, as
 * the events that the daemon would have sent.
 */
import type { Container, UnixNano } from '../records/records.ts';
import type { DockerEvent } from './docker-event.ts';
import type { ReportedState } from './reported-state.ts';

interface Missed {
  readonly action: string;
  /** Undefined or 0n if unknown. */
  readonly time: UnixNano | undefined;
  readonly attributes?: Readonly<Record<string, string>>;
}

const isRunning = (state: ReportedState | undefined): boolean =>
  state?.status === 'running' || state?.status === 'paused';

/** As the daemon's event has it: text. */
const exitCodeAttribute = ({ exitCode }: Container): Missed['attributes'] =>
  exitCode === undefined ? undefined : { exitCode: String(exitCode) };

/** What happened between the reported state and what the container shows now. */
function between(state: ReportedState | undefined, found: Container): Missed[] {
  const missed: Missed[] = [];
  const add = (action: string, time: UnixNano | undefined, attributes?: Missed['attributes']) =>
    missed.push({ action, time, ...(attributes === undefined ? {} : { attributes }) });
  if (state === undefined) add('create', found.createdAt);
  else if (state.name !== found.name) add('rename', undefined, { oldName: `/${state.name}` });
  const runs = found.pid !== 0;
  const isOtherRun = found.startedAt > (state?.startedAt ?? 0n);
  // The reported run ended. The daemon keeps only the time of the last end.
  if (isOtherRun && isRunning(state))
    add('die', runs && found.finishedAt > state!.startedAt ? found.finishedAt : undefined);
  if (isOtherRun) add('start', found.startedAt);
  if (found.startedAt !== 0n && !runs && (isOtherRun || isRunning(state)))
    add('die', found.finishedAt, exitCodeAttribute(found));
  if (!runs) return missed;
  const wasPaused = state?.status === 'paused' && !isOtherRun;
  if (found.status === 'paused' && !wasPaused) add('pause', undefined);
  if (found.status !== 'paused' && wasPaused) add('unpause', undefined);
  const { health } = found;
  const known = isOtherRun ? undefined : state?.health;
  if ((health === 'healthy' || health === 'unhealthy') && health !== known)
    add(`health_status: ${health}`, found.healthAt === 0n ? undefined : found.healthAt);
  // 0 means that the settings were unknown.
  const isUpdated = state !== undefined && state.settings !== found.settings;
  if (isUpdated && state.settings !== 0 && found.settings !== 0) add('update', undefined);
  return missed;
}

/** Actions outside of runs: they imply no run that is under way. */
const OUTSIDE_RUNS = new Set(['create', 'init', 'start', 'restore', 'destroy']);

/**
 * Events that must have happened before an event: a container that exits was started.
 * @param state undefined for a container that was not reported
 * @param container as it is now, which can be later than the event
 * @returns the missed events, oldest first
 */
export function impliedEvents(
  state: ReportedState | undefined,
  container: Container,
  action: string,
  time: UnixNano,
): DockerEvent[] {
  const missed: Missed[] = [];
  const ifBefore = (moment: UnixNano) => (moment <= time ? moment : 0n);
  if (state === undefined && action !== 'create')
    missed.push({ action: 'create', time: ifBefore(container.createdAt) });
  const { startedAt, finishedAt } = container;
  const last = state?.startedAt ?? 0n;
  const end = {
    action: 'die',
    time: finishedAt > last && finishedAt <= startedAt ? ifBefore(finishedAt) : 0n,
  };
  // Another run than the reported one.
  const isLaterRun = startedAt > last && startedAt <= time && !OUTSIDE_RUNS.has(action);
  if (isLaterRun || action === 'start' || action === 'destroy') if (isRunning(state)) missed.push(end);
  if (isLaterRun) missed.push({ action: 'start', time: startedAt });
  else if (action === 'destroy' && startedAt > last && startedAt <= time) {
    // A whole run that only the inventory shows.
    const ended = { action: 'die', time: finishedAt >= startedAt ? ifBefore(finishedAt) : 0n };
    missed.push({ action: 'start', time: startedAt });
    missed.push(finishedAt >= startedAt ? { ...ended, attributes: exitCodeAttribute(container) } : ended);
  }
  if (!isLaterRun && (action === 'die' || action === 'pause') && !isRunning(state))
    missed.push({ action: 'start', time: startedAt > last ? ifBefore(startedAt) : 0n });
  const attributes = { name: container.name, image: container.image };
  return eventsOf(container.id, attributes, missed, time, state);
}

/**
 * Events that turn the reported state into what was found.
 * @param state undefined for a container that was not reported
 * @param found undefined for a container that no longer exists
 * @param now the time of events whose time is unknown
 * @returns the missed events, oldest first
 */
export function missedEvents(
  id: string,
  state: ReportedState | undefined,
  found: Container | undefined,
  now: UnixNano,
): DockerEvent[] {
  if (found === undefined && state === undefined) return [];
  if (found !== undefined)
    return eventsOf(id, { name: found.name, image: found.image }, between(state, found), now, state);
  const end: Missed[] = isRunning(state) ? [{ action: 'die', time: undefined }] : [];
  return eventsOf(id, { name: state!.name }, [...end, { action: 'destroy', time: undefined }], now, state);
}

function eventsOf(
  id: string,
  attributes: Readonly<Record<string, string>>,
  missed: readonly Missed[],
  latest: UnixNano,
  state: ReportedState | undefined,
): DockerEvent[] {
  // An event of unknown time happened before the next one.
  let next = latest;
  const times = missed.toReversed().map(({ time }) => {
    next = time || next;
    return next;
  });
  return missed.map(({ action, time, attributes: own }, index) => ({
    Type: 'container',
    Action: action,
    Actor: { ID: id, Attributes: { ...attributes, ...own } },
    scope: 'local',
    timeNano: times[missed.length - 1 - index]!,
    ...(time
      ? { synthesized: 'known' as const }
      : { synthesized: 'estimated' as const, after: state?.lastEventAt ?? 0n }),
  }));
}
