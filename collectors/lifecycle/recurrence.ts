/** Recurrences: restart loops and flapping health, detected in the events of one container. */
import { type AgentEvent, agentEvents } from '../records/agent-events.ts';
import type { Attributes, Container, UnixNano } from '../records/records.ts';
import { RECURRENCE_WINDOW } from './apply-event.ts';
import type { ReportedState } from './reported-state.ts';

/** Exits within the window that make a restart loop. */
const LOOP_EXITS = 3;
/** Health changes within the window that make flapping health. */
const FLAPPING_CHANGES = 4;

const WINDOW_SECONDS = Number(RECURRENCE_WINDOW / 1_000_000_000n);
const WINDOW_TEXT = `${WINDOW_SECONDS / 60} minutes`;

export interface Recurrence {
  readonly event: AgentEvent;
  /** One sentence for a person. */
  readonly body: string;
  readonly attributes: Attributes;
}

/** The recurrence that an event completes, reported before or not. */
function recurrenceIn(
  state: ReportedState,
  container: Container,
  action: string,
  time: UnixNano,
): Recurrence | undefined {
  const inWindow = (moments: readonly UnixNano[]) =>
    moments.filter((moment) => time - moment < RECURRENCE_WINDOW).length;
  const { name, restarts } = container;
  const ends = inWindow(state.crashes);
  if (action === 'start' && ends >= LOOP_EXITS)
    return {
      event: agentEvents.restartLoop,
      body: `container ${name} is in a restart loop: ${ends} exits in ${WINDOW_TEXT}`,
      attributes: {
        'portlight.restart_loop.ends': ends,
        'portlight.restart_loop.window': WINDOW_SECONDS,
        ...(restarts === undefined ? {} : { 'container.restarts': restarts }),
      },
    };
  const changes = inWindow(state.healthChanges);
  if (action.startsWith('health_status.') && changes >= FLAPPING_CHANGES)
    return {
      event: agentEvents.healthFlapping,
      body: `container ${name} has flapping health: ${changes} changes in ${WINDOW_TEXT}`,
      attributes: {
        'portlight.health_flapping.changes': changes,
        'portlight.health_flapping.window': WINDOW_SECONDS,
      },
    };
  return undefined;
}

/** The recurrence that an event completes, unless it was reported within the window. Marks it as reported. */
export function detectRecurrence(
  state: ReportedState,
  container: Container,
  action: string,
  time: UnixNano,
): Recurrence | undefined {
  const recurrence = recurrenceIn(state, container, action, time);
  if (recurrence === undefined) return undefined;
  const before = state.recurrences[recurrence.event.name];
  if (before !== undefined && time - before < RECURRENCE_WINDOW) return undefined;
  state.recurrences[recurrence.event.name] = time;
  return recurrence;
}
