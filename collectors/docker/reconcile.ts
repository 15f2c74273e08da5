/**
 * What must have happened to a container that nobody told of: the difference between what was told and what
 * the daemon says now, as the events that it would have sent.
 */
import type { Container, UnixNano } from '../../agent/records.ts';
import type { DockerEvent } from './event-record.ts';
import type { Told } from './told.ts';

interface Missed {
  readonly action: string;
  /** Undefined where nothing tells it. */
  readonly time: UnixNano | undefined;
  readonly attributes?: Readonly<Record<string, string>>;
}

const isUnder = (told: Told | undefined): boolean => told?.status === 'running' || told?.status === 'paused';

/** Between a container that was told of and the same one now. */
function between(told: Told | undefined, found: Container): Missed[] {
  const missed: Missed[] = [];
  const add = (action: string, time: UnixNano | undefined, attributes?: Missed['attributes']) =>
    missed.push({ action, time, ...(attributes === undefined ? {} : { attributes }) });
  if (told === undefined) add('create', found.createdAt);
  else if (told.name !== found.name) add('rename', undefined, { oldName: `/${told.name}` });
  const runs = found.pid !== 0;
  const isOtherRun = found.startedAt !== 0n && found.startedAt !== (told?.startedAt ?? 0n);
  // The end of a run in between; the daemon remembers only one.
  if (isOtherRun && isUnder(told))
    add('die', runs && found.finishedAt > told!.startedAt ? found.finishedAt : undefined);
  if (isOtherRun) add('start', found.startedAt);
  if (found.startedAt !== 0n && !runs && (isOtherRun || isUnder(told)))
    add('die', found.finishedAt, { exitCode: String(found.exitCode) });
  if (!runs) return missed;
  const wasPaused = told?.status === 'paused' && !isOtherRun;
  if (found.status === 'paused' && !wasPaused) add('pause', undefined);
  if (found.status !== 'paused' && wasPaused) add('unpause', undefined);
  const { health } = found;
  const known = isOtherRun ? undefined : told?.health;
  if ((health === 'healthy' || health === 'unhealthy') && health !== known)
    add(`health_status: ${health}`, found.healthAt === 0n ? undefined : found.healthAt);
  if (told !== undefined && told.settings !== found.settings) add('update', undefined);
  return missed;
}

/**
 * @param told what was told; undefined for a container that is new
 * @param found the container; undefined where it exists no more
 * @param now the time of what nothing tells the time of
 * @returns the events that were missed, oldest first
 */
export function missedEvents(
  id: string,
  told: Told | undefined,
  found: Container | undefined,
  now: UnixNano,
): DockerEvent[] {
  const missed: readonly Missed[] =
    found !== undefined
      ? between(told, found)
      : [
          ...(isUnder(told) ? [{ action: 'die', time: undefined }] : []),
          { action: 'destroy', time: undefined },
        ];
  const attributes: Readonly<Record<string, string>> =
    found === undefined ? { name: told!.name } : { name: found.name, image: found.image };
  // What nothing tells the time of happened before what comes next.
  let next = now;
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
    synthesized: time ? 'known' : 'estimated',
  }));
}
