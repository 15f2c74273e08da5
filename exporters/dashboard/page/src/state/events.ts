/**
 * The latest events. Routine events are kept separately, so that they do not evict the others: those of docker exec, of
 * which health checks cause thousands, and the inventory that the agent found at start.
 */
import { type Signal, signal } from '@preact/signals';
import { isExecEvent, isRoutineEvent } from '../../../../../collectors/records/event-kinds.ts';
import type { EventEntry } from '../../../api.ts';

export const MAX_EVENTS = 1000;
const MAX_ROUTINE = 500;

export const isExec = ({ name }: EventEntry): boolean => isExecEvent(name);

const isRoutine = ({ name, attributes }: EventEntry): boolean =>
  isRoutineEvent(name, attributes['portlight.inventory.change']);

/** Newest last. */
export const events = signal<readonly EventEntry[]>([]);
/** Newest last. */
export const routineEvents = signal<readonly EventEntry[]>([]);

/** Identifies an event across restarts of the agent, unlike its sequence number. */
const identityOf = ({ time, name, container, body }: EventEntry): string =>
  `${time} ${name} ${container?.id ?? ''} ${body}`;

/** The id of an event's element. */
export const anchorOf = ({ time, sequence }: EventEntry): string => `event-${time}-${sequence}`;

export const compareEvents = (a: EventEntry, b: EventEntry): number =>
  a.time - b.time || a.sequence - b.sequence;

function add(list: Signal<readonly EventEntry[]>, entries: readonly EventEntry[], limit: number): void {
  if (entries.length === 0) return;
  const known = new Map([...list.value, ...entries].map((entry) => [identityOf(entry), entry]));
  list.value = [...known.values()].sort(compareEvents).slice(-limit);
}

export function addEvents(entries: readonly EventEntry[]): void {
  add(
    events,
    entries.filter((entry) => !isRoutine(entry)),
    MAX_EVENTS,
  );
  add(routineEvents, entries.filter(isRoutine), MAX_ROUTINE);
}
