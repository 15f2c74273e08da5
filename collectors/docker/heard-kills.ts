/**
 * Kills for want of memory that the daemon has told of, and whose turn has not come: it learns of an end and of why
 * by different ways, and a busy one tells the end well before.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { UnixNano } from '../../agent/records.ts';

interface Heard {
  /** When the newest run began that was told of. */
  started: UnixNano;
  /** When the kernel killed last, in the run that had begun then; undefined where that was told in its turn. */
  kill: { readonly time: UnixNano; readonly run: UnixNano } | undefined;
}

export class HeardKills {
  private readonly heard = new Map<string, Heard>();
  private readonly waiting = new Map<string, () => void>();

  started(id: string, time: UnixNano): void {
    this.of(id).started = time;
  }

  killed(id: string, time: UnixNano): void {
    const heard = this.of(id);
    heard.kill = { time, run: heard.started };
    this.waiting.get(id)?.();
  }

  /** The kill at that time was told in its turn. */
  told(id: string, time: UnixNano): void {
    const heard = this.heard.get(id);
    if (heard?.kill?.time === time) heard.kill = undefined;
  }

  forget(id: string): void {
    this.heard.delete(id);
  }

  /** Whether there is one that was in the run from `begin` to `end`, however late it was told, and in no other. */
  explains(id: string, begin: UnixNano, end: UnixNano): boolean {
    const kill = this.heard.get(id)?.kill;
    return kill !== undefined && kill.time > begin && kill.run <= end;
  }

  /** Resolves when one of the container is heard, after `ms` at the latest. */
  async next(id: string, ms: number): Promise<void> {
    const heard = new Promise<void>((resolve) => this.waiting.set(id, resolve));
    await Promise.race([heard, sleep(ms, undefined, { ref: false })]);
    this.waiting.delete(id);
  }

  private of(id: string): Heard {
    let heard = this.heard.get(id);
    if (heard === undefined) {
      heard = { started: 0n, kill: undefined };
      this.heard.set(id, heard);
    }
    return heard;
  }
}
