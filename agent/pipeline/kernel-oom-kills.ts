/** The kernel's OOM kills on this host, from its counter. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

/** How long after an OOM kill an exit can still be its consequence, ms. */
const RECENT_MS = 5000;

export class KernelOomKills {
  private readonly path: string;
  /** The counter when it was last read; undefined where the kernel has none. */
  private total: number | undefined;
  /** When the counter was last seen to rise, by performance.now(). */
  private lastKillAt = Number.NEGATIVE_INFINITY;
  /** When a container last reported an OOM kill. */
  private lastReportedAt = Number.NEGATIVE_INFINITY;

  constructor(procfs: string) {
    this.path = join(procfs, 'vmstat');
    this.total = this.readTotal();
  }

  /** A container has reported an OOM kill of one of its processes: that kill is explained. */
  markReported(): void {
    this.lastReportedAt = performance.now();
  }

  /** Whether there was an OOM kill in any cgroup within the last 5 s. @param at by performance.now() */
  isRecent(at = performance.now()): boolean {
    this.update();
    return at - this.lastKillAt < RECENT_MS;
  }

  /** Whether there was one within the last 5 s that no container reported. @param at by performance.now() */
  isUnexplained(at = performance.now()): boolean {
    return this.isRecent(at) && at - this.lastReportedAt >= RECENT_MS;
  }

  /** Reads the counter; the time of a kill is known as exactly as this is called often. */
  update(): void {
    const total = this.readTotal();
    if (total !== undefined && this.total !== undefined && total > this.total)
      this.lastKillAt = performance.now();
    this.total = total;
  }

  /** Source: /proc/vmstat, `oom_kill` (Linux 4.13 and later). */
  private readTotal(): number | undefined {
    try {
      const [, count] = /^oom_kill (\d+)$/m.exec(readFileSync(this.path, 'latin1')) ?? [];
      return count === undefined ? undefined : Number(count);
    } catch {
      return undefined;
    }
  }
}
