/**
 * What is known of a container's last moments, for whoever tells of its end: the last lines of its log, what
 * it used when it was last looked at, and whether it was throttled.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { catalogue } from './catalogue/index.ts';
import { LastLines } from './logs/last-lines.ts';
import type { Attributes, AttributeValue, Container, Metric, MetricSet } from './records.ts';

/** How far back throttling is looked at, ms, and how far apart its samples are at least. */
const WINDOW_MS = 60_000;
const STEP_MS = 5000;
/** How long after it one of the kernel's kills still is the cause of an end, ms. */
const RECENT_MS = 5000;

interface Throttling {
  readonly at: number;
  readonly periods: number;
  readonly throttled: number;
}

/** The figures of the last round that a person looks for after a crash. */
const figures: readonly [string, Metric][] = [
  ['portlight.exit.memory.usage', catalogue.memoryUsage],
  ['portlight.exit.memory.working_set', catalogue.memoryWorkingSet],
  ['portlight.exit.memory.anon', catalogue.memoryRss],
  ['portlight.exit.memory.file', catalogue.memoryFile],
  ['portlight.exit.pids', catalogue.pidsCount],
];

export class Evidence {
  private readonly vmstat: string;
  private readonly logs = new LastLines();
  private sets = new Map<string, MetricSet>();
  private throttling = new Map<string, Throttling[]>();
  /** The kernel's count of kills for want of memory, and when it was last seen to rise. */
  private oomKills: number | undefined;
  private roseAt = Number.NEGATIVE_INFINITY;
  private toldAt = Number.NEGATIVE_INFINITY;

  constructor(procfs: string) {
    this.vmstat = join(procfs, 'vmstat');
    this.oomKills = this.readOomKills();
  }

  /** @param records encoded `log_records` fields */
  lines(container: Container, records: Buffer): void {
    this.logs.take(container.id, records);
  }

  /** A round's metrics; they stay as they are until the round after the next. */
  round(sets: readonly MetricSet[]): void {
    this.isHostShort();
    const now = performance.now();
    const throttling = new Map<string, Throttling[]>();
    this.sets = new Map();
    for (const set of sets) {
      if (set.container === undefined) continue;
      const { id } = set.container;
      this.sets.set(id, set);
      const periods = set.points.firstOf(catalogue.cpuPeriods);
      const throttled = set.points.firstOf(catalogue.cpuThrottledPeriods);
      if (periods === undefined || throttled === undefined) continue;
      const samples = (this.throttling.get(id) ?? []).filter(({ at }) => now - at < WINDOW_MS);
      const last = samples.at(-1);
      // Counters that are less than they were count another run.
      if (last !== undefined && last.periods > periods) samples.length = 0;
      if (last === undefined || now - last.at >= STEP_MS || samples.length === 0)
        samples.push({ at: now, periods, throttled });
      throttling.set(id, samples);
    }
    this.throttling = throttling;
  }

  /** The container exists no more. */
  forget(id: string): void {
    this.logs.forget(id);
  }

  /** Of its last run; what is not known is absent. */
  of({ id, memoryLimit }: Container): Attributes {
    const attributes: Record<string, AttributeValue> = {};
    const lines = this.logs.of(id);
    if (lines.length > 0) attributes['portlight.exit.log'] = lines;
    if (memoryLimit > 0) attributes['portlight.exit.memory.limit'] = memoryLimit;
    const set = this.sets.get(id);
    if (set === undefined) return attributes;
    for (const [name, metric] of figures) {
      const value = set.points.firstOf(metric);
      if (value !== undefined) attributes[name] = value;
    }
    // How old these figures are.
    attributes['portlight.exit.sample.age'] = Date.now() / 1000 - Number(set.time / 1_000_000n) / 1000;
    const [first] = this.throttling.get(id) ?? [];
    const periods = set.points.firstOf(catalogue.cpuPeriods);
    const throttled = set.points.firstOf(catalogue.cpuThrottledPeriods);
    if (first !== undefined && periods !== undefined && throttled !== undefined && periods > first.periods)
      attributes['portlight.exit.cpu.throttled'] = (throttled - first.throttled) / (periods - first.periods);
    return attributes;
  }

  /** A container told that a process of it was killed for want of memory: that one is accounted for. */
  oomTold(): void {
    this.toldAt = performance.now();
  }

  /**
   * Whether the kernel has just killed something on this host for want of memory that no container told of.
   * Source: /proc/vmstat, `oom_kill` (Linux 4.13 and later).
   */
  isHostShort(): boolean {
    const now = performance.now();
    const kills = this.readOomKills();
    if (kills !== undefined && this.oomKills !== undefined && kills > this.oomKills) this.roseAt = now;
    this.oomKills = kills;
    return now - this.roseAt < RECENT_MS && now - this.toldAt >= RECENT_MS;
  }

  private readOomKills(): number | undefined {
    try {
      const [, count] = /^oom_kill (\d+)$/m.exec(readFileSync(this.vmstat, 'latin1')) ?? [];
      return count === undefined ? undefined : Number(count);
    } catch {
      return undefined;
    }
  }
}
