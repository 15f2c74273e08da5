/** What is recognised in several events of a container. */
import { type AgentEvent, agentEvents } from '../records/agent-events.ts';
import type { Attributes, Container, UnixNano } from '../records/records.ts';
import { RECURRENCE_WINDOW, type ReportedState } from './reported-state.ts';

/** Ends within the window that make a restart loop. */
const LOOP = 3;
/** Changes of health within the window that make it flap. */
const FLAPPING = 4;

const WINDOW_SECONDS = Number(RECURRENCE_WINDOW / 1_000_000_000n);
const WINDOW_TEXT = `${WINDOW_SECONDS / 60} minutes`;

export interface Recurrence {
  readonly event: AgentEvent;
  /** One sentence for a person. */
  readonly body: string;
  readonly attributes: Attributes;
}

/** What shows in an event and those before it, whether it was told before or not. */
function recurrenceIn(
  told: ReportedState,
  container: Container,
  action: string,
  time: UnixNano,
): Recurrence | undefined {
  const inWindow = (moments: readonly UnixNano[]) =>
    moments.filter((moment) => time - moment < RECURRENCE_WINDOW).length;
  const { name, restarts } = container;
  const ends = inWindow(told.crashes);
  if (action === 'start' && ends >= LOOP)
    return {
      event: agentEvents.restartLoop,
      body: `container ${name} restarts over and over: ${ends} ends in ${WINDOW_TEXT}`,
      attributes: {
        'portlight.restart_loop.ends': ends,
        'portlight.restart_loop.window': WINDOW_SECONDS,
        ...(restarts === undefined ? {} : { 'container.restarts': restarts }),
      },
    };
  const changes = inWindow(told.healthChanges);
  if (action.startsWith('health_status.') && changes >= FLAPPING)
    return {
      event: agentEvents.healthFlapping,
      body: `container ${name} is healthy and unhealthy by turns: ${changes} changes in ${WINDOW_TEXT}`,
      attributes: {
        'portlight.health_flapping.changes': changes,
        'portlight.health_flapping.window': WINDOW_SECONDS,
      },
    };
  return undefined;
}

/** A pattern that shows, and was not told of within the window; it counts as told then. */
export function detectRecurrence(
  told: ReportedState,
  container: Container,
  action: string,
  time: UnixNano,
): Recurrence | undefined {
  const pattern = recurrenceIn(told, container, action, time);
  if (pattern === undefined) return undefined;
  const before = told.recurrences[pattern.event.name];
  if (before !== undefined && time - before < RECURRENCE_WINDOW) return undefined;
  told.recurrences[pattern.event.name] = time;
  return pattern;
}
