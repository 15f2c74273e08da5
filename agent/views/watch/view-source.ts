/** What views show, wherever it comes from: the running agent, or, without one, the daemon and the kernel. */
import type {
  ContainerMetric,
  ContainerSummary,
  EventEntry,
  HostFigures,
} from '../../../exporters/dashboard/api.ts';
import type { DisplayLine } from './log-line.ts';

/** Kept up to date by its source. */
export interface ViewState {
  /** By id. */
  readonly containers: ReadonlyMap<string, ContainerSummary>;
  readonly host: HostFigures | null;
  /** Oldest first; a bounded number of the last. */
  readonly events: readonly EventEntry[];
  /** What keeps it from being up to date, or incomplete; undefined while all is well. */
  readonly problem: string | undefined;
}

/** Before anything is known; its source fills it. */
export const createViewState = () => ({
  containers: new Map<string, ContainerSummary>(),
  host: null as HostFigures | null,
  events: [] as EventEntry[],
  problem: undefined as string | undefined,
});

/** Figures of the time that has passed, at even steps, oldest first. */
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
   * Resolves when there is a scene.
   * @param changed called whenever it is another
   * @throws {Error} when there is none to be had
   */
  start(changed: () => void): Promise<void>;
  /** What a container used, from `since` (ms since the epoch) on. */
  series(id: string, since: number): Promise<ContainerSeries>;
  /** The last lines of a container's log, and what is written from then on. */
  readLog(id: string, tail: number, signal: AbortSignal): AsyncGenerator<DisplayLine>;
  close(): Promise<void>;
}

/** Events that are kept. */
export const MAX_EVENTS = 2000;

/** Whether it is of docker exec, of which health checks cause thousands. */
export const isExecEvent = ({ name }: EventEntry): boolean => name.startsWith('docker.container.exec_');

/**
 * Adds an event where its time puts it: those of different containers do not wait for each other. Where there are too
 * many, those of docker exec go first.
 */
export function insertEvent(events: EventEntry[], event: EventEntry): void {
  let at = events.length;
  while (at > 0 && events[at - 1]!.time > event.time) at--;
  events.splice(at, 0, event);
  if (events.length > MAX_EVENTS) events.splice(Math.max(0, events.findIndex(isExecEvent)), 1);
}
