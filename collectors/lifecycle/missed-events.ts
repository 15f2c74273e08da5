/**
 * What must have happened to a container that nobody told of: the difference between what was told and what
 * the daemon says now, as the events that it would have sent.
 */
import type { Container, UnixNano } from '../records/records.ts';
import type { DockerEvent } from './event-record.ts';
import type { ReportedState } from './reported-state.ts';

interface Missed {
  readonly action: string;
  /** Undefined where nothing tells it. */
  readonly time: UnixNano | undefined;
  readonly attributes?: Readonly<Record<string, string>>;
}

const isUnder = (told: ReportedState | undefined): boolean =>
  told?.status === 'running' || told?.status === 'paused';

/** As the daemon's event has it. */
const exitCodeAttribute = ({ exitCode }: Container): Missed['attributes'] =>
  exitCode === undefined ? undefined : { exitCode: String(exitCode) };

/** Between a container that was told of and the same one now. */
function between(told: ReportedState | undefined, found: Container): Missed[] {
  const missed: Missed[] = [];
  const add = (action: string, time: UnixNano | undefined, attributes?: Missed['attributes']) =>
    missed.push({ action, time, ...(attributes === undefined ? {} : { attributes }) });
  if (told === undefined) add('create', found.createdAt);
  else if (told.name !== found.name) add('rename', undefined, { oldName: `/${told.name}` });
  const runs = found.pid !== 0;
  const isOtherRun = found.startedAt > (told?.startedAt ?? 0n);
  // The end of a run in between; the daemon remembers only one.
  if (isOtherRun && isUnder(told))
    add('die', runs && found.finishedAt > told!.startedAt ? found.finishedAt : undefined);
  if (isOtherRun) add('start', found.startedAt);
  if (found.startedAt !== 0n && !runs && (isOtherRun || isUnder(told)))
    add('die', found.finishedAt, exitCodeAttribute(found));
  if (!runs) return missed;
  const wasPaused = told?.status === 'paused' && !isOtherRun;
  if (found.status === 'paused' && !wasPaused) add('pause', undefined);
  if (found.status !== 'paused' && wasPaused) add('unpause', undefined);
  const { health } = found;
  const known = isOtherRun ? undefined : told?.health;
  if ((health === 'healthy' || health === 'unhealthy') && health !== known)
    add(`health_status: ${health}`, found.healthAt === 0n ? undefined : found.healthAt);
  // 0 stands for those that were not to be had.
  const isUpdated = told !== undefined && told.settings !== found.settings;
  if (isUpdated && told.settings !== 0 && found.settings !== 0) add('update', undefined);
  return missed;
}

/** Actions that are part of no run: what came before them is another matter. */
const OUTSIDE_RUNS = new Set(['create', 'init', 'start', 'restore', 'destroy']);

/**
 * What must have happened before an event can have: a container that ends has been started.
 * @param told what was told; undefined for a container that nobody has told of
 * @param container as it is by now, which may be later than the event
 * @returns the events that were missed, oldest first
 */
export function impliedEvents(
  told: ReportedState | undefined,
  container: Container,
  action: string,
  time: UnixNano,
): DockerEvent[] {
  const missed: Missed[] = [];
  const ifBefore = (moment: UnixNano) => (moment <= time ? moment : 0n);
  if (told === undefined && action !== 'create')
    missed.push({ action: 'create', time: ifBefore(container.createdAt) });
  const { startedAt, finishedAt } = container;
  const last = told?.startedAt ?? 0n;
  const end = {
    action: 'die',
    time: finishedAt > last && finishedAt <= startedAt ? ifBefore(finishedAt) : 0n,
  };
  // Another run than the one that was told of.
  const isLaterRun = startedAt > last && startedAt <= time && !OUTSIDE_RUNS.has(action);
  if (isLaterRun || action === 'start' || action === 'destroy') if (isUnder(told)) missed.push(end);
  if (isLaterRun) missed.push({ action: 'start', time: startedAt });
  else if (action === 'destroy' && startedAt > last && startedAt <= time) {
    // A whole run of which only the inventory knew.
    const ended = { action: 'die', time: finishedAt >= startedAt ? ifBefore(finishedAt) : 0n };
    missed.push({ action: 'start', time: startedAt });
    missed.push(finishedAt >= startedAt ? { ...ended, attributes: exitCodeAttribute(container) } : ended);
  }
  if (!isLaterRun && (action === 'die' || action === 'pause') && !isUnder(told))
    missed.push({ action: 'start', time: startedAt > last ? ifBefore(startedAt) : 0n });
  const attributes = { name: container.name, image: container.image };
  return eventsOf(container.id, attributes, missed, time, told);
}

/**
 * @param told what was told; undefined for a container that is new
 * @param found the container; undefined where it exists no more
 * @param now the time of what nothing tells the time of
 * @returns the events that were missed, oldest first
 */
export function missedEvents(
  id: string,
  told: ReportedState | undefined,
  found: Container | undefined,
  now: UnixNano,
): DockerEvent[] {
  if (found === undefined && told === undefined) return [];
  if (found !== undefined)
    return eventsOf(id, { name: found.name, image: found.image }, between(told, found), now, told);
  const end: Missed[] = isUnder(told) ? [{ action: 'die', time: undefined }] : [];
  return eventsOf(id, { name: told!.name }, [...end, { action: 'destroy', time: undefined }], now, told);
}

function eventsOf(
  id: string,
  attributes: Readonly<Record<string, string>>,
  missed: readonly Missed[],
  latest: UnixNano,
  told: ReportedState | undefined,
): DockerEvent[] {
  // What nothing tells the time of happened before what comes next.
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
      : { synthesized: 'estimated' as const, after: told?.lastEventAt ?? 0n }),
  }));
}
