/** How one event changes the reported state of its container. */
import type { Container, UnixNano } from '../records/records.ts';
import type { ClassifiedEvent } from './docker-event.ts';
import type { Exit } from './exit-classifier.ts';
import { isRequestedExit } from './exit-reason.ts';
import type { ReportedState } from './reported-state.ts';

/** How far back exits and health changes count towards one recurrence. */
export const RECURRENCE_WINDOW: UnixNano = 600_000_000_000n;
/** Limit of remembered execs: the daemon may never report the end of one. */
const MAX_EXECS = 64;
/** Limit of remembered signals and moments. */
const MAX_MOMENTS = 16;

/** Restart policies that restart a container also after exit code 0. */
const ALWAYS_RESTARTING: ReadonlySet<string> = new Set(['always', 'unless-stopped']);

/** @param exit how the event's exit was classified */
export function applyEvent(
  state: ReportedState,
  container: Container,
  event: ClassifiedEvent,
  exit: Exit | undefined,
): void {
  const { action, time } = event;
  state.lastTimes[action] = time;
  applyExec(state, container, event);
  applyStatus(state, event);
  applyIdentity(state, container, event);
  if (exit !== undefined) applyExit(state, container, exit, time);
  state.lastEventAt = time;
  state.concluded = event.source.synthesized === 'known' ? { action, time } : undefined;
  if (!event.isSynthesized) state.lastDaemonEventAt = time;
}

function applyExec(
  { execs }: ReportedState,
  container: Container,
  { action, time, execId, command }: ClassifiedEvent,
): void {
  if (execId === undefined) return;
  if (action === 'exec_die') delete execs[execId];
  else if (action !== 'exec_detach') {
    const isCheck =
      command === undefined ? execs[execId]?.isCheck === true : command.trimEnd() === container.healthCommand;
    execs[execId] = { at: time, isCheck };
  }
  const [oldest] = Object.keys(execs);
  if (Object.keys(execs).length > MAX_EXECS) delete execs[oldest!];
}

function applyStatus(state: ReportedState, { action, time, signal, isSynthesized }: ClassifiedEvent): void {
  switch (action) {
    case 'start':
    case 'restore':
      state.status = 'running';
      state.health = undefined;
      state.signals = [];
      state.execs = {};
      state.oomAt = undefined;
      break;
    case 'die':
      state.status = 'exited';
      state.health = undefined;
      state.isEndConcluded = isSynthesized;
      break;
    case 'pause':
      state.status = 'paused';
      break;
    case 'unpause':
      state.status = 'running';
      break;
    case 'oom':
      state.oomAt = time;
      break;
    case 'kill':
      if (signal !== undefined) state.signals = [...state.signals, { signal, at: time }].slice(-MAX_MOMENTS);
      break;
    case 'health_status.healthy':
    case 'health_status.unhealthy':
      // The first result of a run is no change.
      if (state.health !== undefined) state.healthChanges = addMoment(state.healthChanges, time);
      state.health = action.slice('health_status.'.length);
      break;
  }
}

function applyIdentity(state: ReportedState, container: Container, { action, time }: ClassifiedEvent): void {
  if (action === 'create' || action === 'rename') state.name = container.name;
  state.resource = container.resource.attributes;
  // A container that could not be described, or only in a later run, started a moment before the event.
  const { startedAt, settings } = container;
  if (action === 'start') state.startedAt = startedAt !== 0n && startedAt <= time ? startedAt : time;
  const showsSettings = action === 'create' || action === 'update' || action === 'start';
  if (showsSettings && settings !== 0) state.settings = settings;
}

function applyExit(
  state: ReportedState,
  { restartPolicy }: Container,
  { reason, exitCode }: Exit,
  time: UnixNano,
): void {
  state.exit = reason;
  // A finished job is no crash, unless its restart policy starts it again.
  const isFinishedJob = exitCode === 0 && !ALWAYS_RESTARTING.has(restartPolicy);
  if (!isRequestedExit(reason) && !isFinishedJob) state.crashes = addMoment(state.crashes, time);
}

/** Adds a moment and removes those that left the window. */
function addMoment(moments: readonly UnixNano[], now: UnixNano): UnixNano[] {
  return [...moments, now].filter((moment) => now - moment < RECURRENCE_WINDOW).slice(-MAX_MOMENTS);
}
