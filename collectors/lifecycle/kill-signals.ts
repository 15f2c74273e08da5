/**
 * OOM kills that the daemon reported and whose events are still queued. The daemon learns of an exit and of its OOM
 * kill in different ways: under load it reports the exit, and sometimes the next start, well before the kill.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { UnixNano } from '../records/records.ts';

interface Kill {
  readonly time: UnixNano;
  /** When the newest run started that was reported by then. */
  readonly run: UnixNano;
  /** Whether an exit waited for it. */
  readonly isAwaited: boolean;
}

interface ContainerKills {
  startedAt: UnixNano;
  kills: Kill[];
}

export class KillSignals {
  private readonly byContainer = new Map<string, ContainerKills>();
  private readonly waiting = new Map<string, (time: UnixNano) => void>();

  recordStart(id: string, time: UnixNano): void {
    this.killsOf(id).startedAt = time;
  }

  recordKill(id: string, time: UnixNano): void {
    const { startedAt, kills } = this.killsOf(id);
    const resolveWaiting = this.waiting.get(id);
    kills.push({ time, run: startedAt, isAwaited: resolveWaiting !== undefined });
    resolveWaiting?.(time);
    this.waiting.delete(id);
  }

  /**
   * Removes the kill at that time: its event is processed now.
   * @returns whether an exit waited for it and reported it, though another run may have started since
   */
  consumeKill(id: string, time: UnixNano): boolean {
    const known = this.byContainer.get(id);
    const kill = known?.kills.find((each) => each.time === time);
    if (known !== undefined && kill !== undefined) known.kills = known.kills.filter((each) => each !== kill);
    return kill?.isAwaited === true;
  }

  forgetContainer(id: string): void {
    this.byContainer.delete(id);
  }

  /**
   * The time of the last kill in the run from `begin` to `end` and in no later run; at most `end`, because a kill can
   * be reported later than the exit that it caused.
   */
  lastKillIn(id: string, begin: UnixNano, end: UnixNano): UnixNano | undefined {
    const kill = this.byContainer.get(id)?.kills.findLast(({ time, run }) => time > begin && run <= end);
    return kill === undefined || kill.time < end ? kill?.time : end;
  }

  /** The container's next kill; undefined if none is reported within `ms`. */
  async waitForKill(id: string, ms: number): Promise<UnixNano | undefined> {
    const kill = new Promise<UnixNano>((resolve) => this.waiting.set(id, resolve));
    const time = await Promise.race([kill, sleep(ms, undefined, { ref: false })]);
    this.waiting.delete(id);
    return time;
  }

  private killsOf(id: string): ContainerKills {
    let known = this.byContainer.get(id);
    if (known === undefined) {
      known = { startedAt: 0n, kills: [] };
      this.byContainer.set(id, known);
    }
    return known;
  }
}
