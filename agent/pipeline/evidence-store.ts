/**
 * Keeps what explains the exit of a container: the last lines of its log, its last measured usage, and whether its CPU was
 * throttled. The event of the exit and alerts include it.
 */

import { catalogue } from '../../collectors/catalogue/index.ts';
import type { ExitEvidence } from '../../collectors/lifecycle/exit-classifier.ts';
import type { MetricSet, Points } from '../../collectors/records/points.ts';
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
import { KernelOomKills } from './kernel-oom-kills.ts';
import { LastEvents } from './last-events.ts';

/** The time over which throttling is computed, ms. */
const THROTTLING_WINDOW_MS = 60_000;
/** Least time between two samples of it, ms. */
const THROTTLING_STEP_MS = 5000;

interface ThrottlingSample {
  readonly at: number;
  readonly periods: number;
  readonly throttled: number;
}

/** The last measured usage of a container. */
interface Usage {
  /** Start time of the run that was measured. */
  run: UnixNano;
  time: UnixNano;
  /** In the order of `usageAttributes`. */
  readonly values: (number | undefined)[];
  /** Samples of the last minute, oldest first; the newest is of the last round. */
  throttling: ThrottlingSample[];
}

const MEMORY_PREFIX = 'portlight.exit.memory.';

/** The metrics that help to understand an exit. */
const usageAttributes: readonly { readonly key: string; readonly metric: Metric }[] = [
  { key: 'portlight.exit.memory.usage', metric: catalogue.memoryUsage },
  { key: 'portlight.exit.memory.working_set', metric: catalogue.memoryWorkingSet },
  { key: 'portlight.exit.memory.anon', metric: catalogue.memoryRss },
  { key: 'portlight.exit.memory.file', metric: catalogue.memoryFile },
  { key: 'portlight.exit.memory.shmem', metric: catalogue.memoryShmem },
  { key: 'portlight.exit.memory.swap', metric: catalogue.memorySwap },
  { key: 'portlight.exit.pids', metric: catalogue.pidsCount },
];

function addThrottlingSample(samples: ThrottlingSample[], points: Points, now: number): void {
  const periods = points.firstValue(catalogue.cpuPeriods);
  const throttled = points.firstValue(catalogue.cpuThrottledPeriods);
  if (periods === undefined || throttled === undefined) return;
  // The newest sample is replaced until it is far enough from the one before it.
  const [before, newest] = [samples.at(-2), samples.at(-1)];
  if (before !== undefined && newest !== undefined && newest.at - before.at < THROTTLING_STEP_MS)
    samples.pop();
  samples.push({ at: now, periods, throttled });
  while (now - samples[0]!.at > THROTTLING_WINDOW_MS) samples.shift();
}

export class EvidenceStore implements ExitEvidence {
  private readonly logs = new LastLines();
  private readonly events = new LastEvents();
  private readonly oomKills: KernelOomKills;
  private usage = new Map<string, Usage>();

  constructor(procfs: string) {
    this.oomKills = new KernelOomKills(procfs);
  }

  /** @param records encoded `log_records` fields */
  addLines(container: Container, records: Buffer): void {
    this.logs.addRecords(container.id, records);
  }

  addEvent(resource: Resource, event: EventRecord): void {
    this.events.add(resource, event);
  }

  addRound(sets: readonly MetricSet[]): void {
    this.oomKills.update();
    const now = performance.now();
    const usage = new Map<string, Usage>();
    for (const { container, startTime, time, points } of sets) {
      if (container === undefined) continue;
      const kept = this.usage.get(container.id) ?? { run: 0n, time, values: [], throttling: [] };
      usage.set(container.id, kept);
      // A container that has just exited has no usage any longer: the last measured one explains its exit.
      if (points.firstValue(catalogue.memoryUsage) === undefined) continue;
      if (kept.run !== startTime) kept.throttling = [];
      kept.run = startTime;
      kept.time = time;
      for (let index = 0; index < usageAttributes.length; index++)
        kept.values[index] = points.firstValue(usageAttributes[index]!.metric);
      addThrottlingSample(kept.throttling, points, now);
    }
    this.usage = usage;
  }

  /** The container was removed. */
  forget(id: string): void {
    this.logs.forget(id);
  }

  /**
   * Attributes of the exit of the container's last run; what is unknown is absent.
   * @param since the exit of the run before: log lines up to then belong to that run
   */
  lastMomentsOf({ id, memoryLimit, startedAt }: Container, since: UnixNano): Attributes {
    const attributes: Record<string, AttributeValue> = {};
    const lines = this.logs.linesSince(id, since);
    if (lines.length > 0) attributes['portlight.exit.log'] = lines;
    if (memoryLimit > 0) attributes['portlight.exit.memory.limit'] = memoryLimit;
    const usage = this.usage.get(id);
    if (usage === undefined || usage.run !== startedAt) return attributes;
    usageAttributes.forEach(({ key }, index) => {
      const value = usage.values[index];
      if (value !== undefined) attributes[key] = value;
    });
    attributes['portlight.exit.sample.age'] = (Date.now() - Number(usage.time / 1_000_000n)) / 1000;
    const [first, last] = [usage.throttling[0], usage.throttling.at(-1)];
    if (first !== undefined && last !== undefined && last.periods > first.periods)
      attributes['portlight.exit.cpu.throttled'] =
        (last.throttled - first.throttled) / (last.periods - first.periods);
    return attributes;
  }

  /** What an alert of the container shows: its last lines and events, and its memory usage in bytes. */
  alertContext(id: string): { log: string[]; events: string[]; memory: Record<string, number> } {
    const values = this.usage.get(id)?.values ?? [];
    const memory = usageAttributes.flatMap(({ key }, index): [string, number][] => {
      const value = values[index];
      return value === undefined || !key.startsWith(MEMORY_PREFIX)
        ? []
        : [[key.slice(MEMORY_PREFIX.length), value]];
    });
    return {
      log: this.logs.linesSince(id, 0n),
      events: this.events.linesOf(id),
      memory: Object.fromEntries(memory),
    };
  }

  oomReported(): void {
    this.oomKills.markReported();
  }

  hasKernelKilled(at?: number): boolean {
    return this.oomKills.isRecent(at);
  }

  isHostOutOfMemory(at?: number): boolean {
    return this.oomKills.isUnexplained(at);
  }
}
