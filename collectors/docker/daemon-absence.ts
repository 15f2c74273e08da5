/** When the daemon was last away: that explains exits that nobody requested. */

import { isStopReason } from '../lifecycle/exit-reason.ts';
import type { ReportedState } from '../lifecycle/reported-state.ts';
import { type Container, type UnixNano, unixNow } from '../records/records.ts';
import type { EventCursor } from './event-cursor.ts';
import type { RememberedEvents } from './event-stream.ts';

/** Error codes of connecting where there is no daemon. */
const REFUSED: ReadonlySet<string> = new Set(['ECONNREFUSED', 'ENOENT']);
/** Error codes of an answer that breaks off: the daemon may have ended meanwhile. */
const BROKEN: ReadonlySet<string> = new Set(['ECONNRESET', 'EPIPE']);

const codeOf = (error: unknown): string => (error as NodeJS.ErrnoException).code ?? '';

export const isConnectionRefused = (error: unknown): boolean => REFUSED.has(codeOf(error));

export const isConnectionBroken = (error: unknown): boolean => BROKEN.has(codeOf(error));

/** How long before the daemon is lost it can have stopped containers because it was stopped itself. */
const SHUTDOWN: UnixNano = 20_000_000_000n;

interface Absence {
  readonly from: UnixNano;
  to: UnixNano | undefined;
  /** Whether the daemon's process was away, and not only the connection. */
  isOfProcess: boolean;
  /** Containers that a daemon that was being stopped seems to have stopped. */
  readonly stopped: readonly Container[];
}

export class DaemonAbsence {
  private last: Absence | undefined;

  /** The connection is lost. A daemon that is stopped stops all containers before. */
  recordLoss(containers: Iterable<Container>, stateOf: (id: string) => ReportedState | undefined): void {
    const from = unixNow();
    const all = [...containers];
    const wasStopped = ({ id }: Container) => {
      const state = stateOf(id);
      const exitedAt = state?.lastTimes.die;
      return exitedAt !== undefined && from - exitedAt < SHUTDOWN && isStopReason(state?.exit);
    };
    const isNoneRunning = all.every(({ pid }) => pid === 0);
    this.last = {
      from,
      to: undefined,
      isOfProcess: false,
      stopped: isNoneRunning ? all.filter(wasStopped) : [],
    };
  }

  /** Connecting failed: a refused connection means that there is no daemon. */
  recordError(error: unknown): void {
    if (this.last !== undefined && isConnectionRefused(error)) this.last.isOfProcess = true;
  }

  /**
   * The daemon is back. One that does not remember the last event is another process.
   * @returns the containers that the daemon stopped because it was stopped itself
   */
  recordReturn({ events, isComplete }: RememberedEvents, cursor: EventCursor): readonly Container[] {
    const { last } = this;
    if (last === undefined || last.to !== undefined) return [];
    last.to = unixNow();
    const isSameProcess = isComplete ? cursor.isLandmarkAmong(events) : undefined;
    if (isSameProcess !== undefined) last.isOfProcess = !isSameProcess;
    return last.isOfProcess ? last.stopped : [];
  }

  /** Whether the daemon's process was away at that time. */
  includes(time: UnixNano): boolean {
    const { last } = this;
    return last?.isOfProcess === true && time >= last.from && (last.to === undefined || time <= last.to);
  }
}
