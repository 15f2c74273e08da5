/** Data source of the terminal views: a running agent or, without one, the daemon and the kernel. */
import { isExecEvent } from '../../../collectors/records/event-kinds.ts';
import type {
  ContainerMetric,
  ContainerSummary,
  EventEntry,
  HostFigures,
} from '../../../exporters/dashboard/api.ts';
import type { DisplayLine } from './log-line.ts';

/** What the views show. Its source keeps it up to date. */
export interface ViewState {
  /** By id. */
  readonly containers: ReadonlyMap<string, ContainerSummary>;
  readonly host: HostFigures | null;
  /** The latest events, oldest first; bounded. */
  readonly events: readonly EventEntry[];
  /** Why the data is outdated or incomplete; undefined if it is not. */
  readonly problem: string | undefined;
}

/** Creates an empty state. */
export const createViewState = () => ({
  containers: new Map<string, ContainerSummary>(),
  host: null as HostFigures | null,
  events: [] as EventEntry[],
  problem: undefined as string | undefined,
});

/** The usage history of a container in steps of equal length, oldest first. */
export interface ContainerSeries {
  /** ms */
  readonly step: number;
  readonly values: Readonly<Record<ContainerMetric, readonly (number | null)[]>>;
}

export interface ViewSource {
  /** For the title: `agent at http://127.0.0.1:9797`. */
  readonly origin: string;
  readonly state: ViewState;
  /**
   * Resolves once the state is complete.
   * @param changed called after each change of the state
   * @throws {Error} if the source is not available
   */
  start(changed: () => void): Promise<void>;
  /** The usage of a container since a time (ms since the epoch). */
  series(id: string, since: number): Promise<ContainerSeries>;
  /** The last lines of a container's log, followed by new ones. */
  readLog(id: string, tail: number, signal: AbortSignal): AsyncGenerator<DisplayLine>;
  close(): Promise<void>;
}

/** Limit of events in the state. */
export const MAX_VIEW_EVENTS = 2000;

/**
 * Inserts an event by time: events of different containers can arrive out of order. At the limit, events of docker exec
 * are dropped first.
 */
export function insertEvent(events: EventEntry[], event: EventEntry): void {
  let at = events.length;
  while (at > 0 && events[at - 1]!.time > event.time) at--;
  events.splice(at, 0, event);
  if (events.length <= MAX_VIEW_EVENTS) return;
  const firstExec = events.findIndex(({ name }) => isExecEvent(name));
  events.splice(Math.max(0, firstExec), 1);
}
