/**
 * What is known of a container's last moments, for whoever tells of its end: the last lines of its log, what
 * it used when it was last looked at, and whether it was throttled.
 */

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { catalogue } from '../../collectors/catalogue/index.ts';
import type { MetricSet } from '../../collectors/records/points.ts';
import type {
  Attributes,
  AttributeValue,
  Container,
  EventRecord,
  Metric,
  Resource,
  UnixNano,
} from '../../collectors/records/records.ts';
import { LastLines } from '../logs/last-lines.ts';
import { LastEvents } from './last-events.ts';

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

/** What a container used when it was last looked at. */
interface Vitals {
  /** Which run of it: when that was started. */
  run: UnixNano;
  time: UnixNano;
  /** As `figures` has them. */
  readonly values: (number | undefined)[];
  /** The last minute, oldest first; the last of all rounds at its end. */
  throttling: Throttling[];
}

const OF_MEMORY = 'portlight.exit.memory.';

/** The figures of the last round that a person looks for after a crash. */
const figures: readonly { readonly key: string; readonly metric: Metric }[] = [
  { key: 'portlight.exit.memory.usage', metric: catalogue.memoryUsage },
  { key: 'portlight.exit.memory.working_set', metric: catalogue.memoryWorkingSet },
  { key: 'portlight.exit.memory.anon', metric: catalogue.memoryRss },
  { key: 'portlight.exit.memory.file', metric: catalogue.memoryFile },
  { key: 'portlight.exit.memory.shmem', metric: catalogue.memoryShmem },
  { key: 'portlight.exit.memory.swap', metric: catalogue.memorySwap },
  { key: 'portlight.exit.pids', metric: catalogue.pidsCount },
];

export class EvidenceStore {
  private readonly vmstat: string;
  private readonly logs = new LastLines();
  private readonly events = new LastEvents();
  private vitals = new Map<string, Vitals>();
  /** The kernel's count of kills for want of memory, and when it was last seen to rise. */
  private oomKills: number | undefined;
  private roseAt = Number.NEGATIVE_INFINITY;
  private toldAt = Number.NEGATIVE_INFINITY;

  constructor(procfs: string) {
    this.vmstat = join(procfs, 'vmstat');
    this.oomKills = this.readOomKills();
  }

  /** @param records encoded `log_records` fields */
  addLines(container: Container, records: Buffer): void {
    this.logs.addRecords(container.id, records);
  }

  addEvent(resource: Resource, event: EventRecord): void {
    this.events.add(resource, event);
  }

  addRound(sets: readonly MetricSet[]): void {
    this.countKills();
    const now = performance.now();
    const vitals = new Map<string, Vitals>();
    for (const { container, startTime, time, points } of sets) {
      if (container === undefined) continue;
      const known = this.vitals.get(container.id) ?? { run: 0n, time, values: [], throttling: [] };
      vitals.set(container.id, known);
      // One that has just ended has no figures any more: those that it had are what is asked for.
      if (points.firstValue(catalogue.memoryUsage) === undefined) continue;
      if (known.run !== startTime) known.throttling = [];
      known.run = startTime;
      known.time = time;
      for (let index = 0; index < figures.length; index++)
        known.values[index] = points.firstValue(figures[index]!.metric);
      const periods = points.firstValue(catalogue.cpuPeriods);
      const throttled = points.firstValue(catalogue.cpuThrottledPeriods);
      if (periods === undefined || throttled === undefined) continue;
      const { throttling } = known;
      // The last one is replaced until it is far enough from the one before it.
      const [before, last] = [throttling.at(-2), throttling.at(-1)];
      if (before !== undefined && last !== undefined && last.at - before.at < STEP_MS) throttling.pop();
      throttling.push({ at: now, periods, throttled });
      while (now - throttling[0]!.at > WINDOW_MS) throttling.shift();
    }
    this.vitals = vitals;
  }

  /** The container exists no more. */
  forget(id: string): void {
    this.logs.forget(id);
  }

  /**
   * Of its last run; what is not known is absent.
   * @param since the end of the run before: what was written until then is none of this one's
   */
  lastMomentsOf({ id, memoryLimit, startedAt }: Container, since: UnixNano): Attributes {
    const attributes: Record<string, AttributeValue> = {};
    const lines = this.logs.linesSince(id, since);
    if (lines.length > 0) attributes['portlight.exit.log'] = lines;
    if (memoryLimit > 0) attributes['portlight.exit.memory.limit'] = memoryLimit;
    const vitals = this.vitals.get(id);
    if (vitals === undefined || vitals.run !== startedAt) return attributes;
    figures.forEach(({ key }, index) => {
      const value = vitals.values[index];
      if (value !== undefined) attributes[key] = value;
    });
    attributes['portlight.exit.sample.age'] = (Date.now() - Number(vitals.time / 1_000_000n)) / 1000;
    const [first, last] = [vitals.throttling[0], vitals.throttling.at(-1)];
    if (first !== undefined && last !== undefined && last.periods > first.periods)
      attributes['portlight.exit.cpu.throttled'] =
        (last.throttled - first.throttled) / (last.periods - first.periods);
    return attributes;
  }

  /** What bears on an alert of a container, whatever is known of it. */
  alertContext(id: string): { log: string[]; events: string[]; memory: Record<string, number> } {
    const values = this.vitals.get(id)?.values ?? [];
    const memory = figures.flatMap(({ key }, index): [string, number][] => {
      const value = values[index];
      return value === undefined || !key.startsWith(OF_MEMORY) ? [] : [[key.slice(OF_MEMORY.length), value]];
    });
    return {
      log: this.logs.linesSince(id, 0n),
      events: this.events.linesOf(id),
      memory: Object.fromEntries(memory),
    };
  }

  /** A container told that a process of it was killed for want of memory: that one is accounted for. */
  oomReported(): void {
    this.toldAt = performance.now();
  }

  /**
   * Whether the kernel has just killed something on this host for want of memory, in whatever cgroup.
   * Source: /proc/vmstat, `oom_kill` (Linux 4.13 and later).
   */
  hasKernelKilled(at = performance.now()): boolean {
    this.countKills();
    return at - this.roseAt < RECENT_MS;
  }

  /**
   * Whether it has killed something that no container told of.
   * @param at when, where that is not now
   */
  isHostOutOfMemory(at = performance.now()): boolean {
    return this.hasKernelKilled(at) && at - this.toldAt >= RECENT_MS;
  }

  private countKills(): void {
    const kills = this.readOomKills();
    if (kills !== undefined && this.oomKills !== undefined && kills > this.oomKills)
      this.roseAt = performance.now();
    this.oomKills = kills;
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
