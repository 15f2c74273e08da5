/**
 * Kills for want of memory that the daemon has told of, and whose turn has not come: it learns of an end and of why
 * by different ways, and a busy one tells the end well before, and sometimes the next start.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { UnixNano } from '../records/records.ts';

interface Kill {
  readonly time: UnixNano;
  /** When the newest run began that had been told of by then. */
  readonly run: UnixNano;
  /** Whether an end waited for it. */
  readonly isAwaited: boolean;
}

interface Heard {
  started: UnixNano;
  kills: Kill[];
}

export class KillSignals {
  private readonly heard = new Map<string, Heard>();
  private readonly waiting = new Map<string, (time: UnixNano) => void>();

  recordStart(id: string, time: UnixNano): void {
    this.of(id).started = time;
  }

  recordKill(id: string, time: UnixNano): void {
    const heard = this.of(id);
    const end = this.waiting.get(id);
    heard.kills.push({ time, run: heard.started, isAwaited: end !== undefined });
    end?.(time);
    this.waiting.delete(id);
  }

  /**
   * The kill at that time has its turn.
   * @returns whether an end that waited for it has told of it, though another run may have begun since
   */
  consumeKill(id: string, time: UnixNano): boolean {
    const heard = this.heard.get(id);
    const kill = heard?.kills.find((each) => each.time === time);
    if (heard !== undefined && kill !== undefined) heard.kills = heard.kills.filter((each) => each !== kill);
    return kill?.isAwaited === true;
  }

  forgetContainer(id: string): void {
    this.heard.delete(id);
  }

  /** When the last one was in the run from `begin` to `end`, and in no later one; `end` where it is told to be later. */
  lastKillIn(id: string, begin: UnixNano, end: UnixNano): UnixNano | undefined {
    const kill = this.heard.get(id)?.kills.findLast(({ time, run }) => time > begin && run <= end);
    return kill === undefined || kill.time < end ? kill?.time : end;
  }

  /** The next one of the container, as long as it is heard within `ms`. */
  async waitForKill(id: string, ms: number): Promise<UnixNano | undefined> {
    const heard = new Promise<UnixNano>((resolve) => this.waiting.set(id, resolve));
    const time = await Promise.race([heard, sleep(ms, undefined, { ref: false })]);
    this.waiting.delete(id);
    return time;
  }

  private of(id: string): Heard {
    let heard = this.heard.get(id);
    if (heard === undefined) {
      heard = { started: 0n, kills: [] };
      this.heard.set(id, heard);
    }
    return heard;
  }
}
