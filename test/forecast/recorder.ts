/** Records the memory of the workloads from their cgroups, their starts and their OOM kills. */

import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import type Docker from 'dockerode';
import { createLogger } from '../../agent/process/logger.ts';
import { Round } from '../../agent/rounds/round.ts';
import { catalogue } from '../../collectors/catalogue/index.ts';
import { CgroupCollector } from '../../collectors/cgroup/index.ts';
import { fromInspect } from '../../collectors/lifecycle/identity.ts';
import type { MetricSet } from '../../collectors/records/points.ts';
import type { Container } from '../../collectors/records/records.ts';
import { descriptorLimit, KernelFiles } from '../../collectors/shared/kernel-file.ts';
import { Telemetry } from '../../exporters/shared/telemetry.ts';
import { MEBIBYTE } from '../support/units.ts';
import type { MemoryWorkload } from './memory-workloads.ts';
import type { Series } from './series.ts';

const INTERVAL_S = 10;
/** 128 and the number of SIGKILL. Only the kernel sends it here. */
const KILLED = '137';
/** Maximum time between the OOM event and the exit of the same kill. */
const SAME_KILL_S = 2;

const metrics = [catalogue.memoryWorkingSet, catalogue.memoryLimit];

/** @throws {Error} when the kernel's limit is not the workload's */
function valueIn(set: MetricSet | undefined, { name, limit }: Series): number | null {
  const points = [...(set?.points ?? [])];
  const latest = (metric: unknown) => points.find((point) => point.metric === metric)?.value;
  const actual = latest(catalogue.memoryLimit);
  if (actual !== undefined && actual !== limit)
    throw new Error(`${name}: the kernel's limit is ${actual} bytes, not ${limit}`);
  return latest(catalogue.memoryWorkingSet) ?? null;
}

export class Recorder {
  private readonly docker: Docker;
  private readonly telemetry = new Telemetry(createLogger('info'));
  private readonly collector = new CgroupCollector(
    '/proc',
    metrics,
    new KernelFiles(descriptorLimit(), () => {}),
  );
  private readonly round = new Round([this.collector], new Set(metrics), this.telemetry);
  /** By the container's name. */
  private readonly series: ReadonlyMap<string, Series & { values: (number | null)[] }>;
  private readonly running = new Map<string, Container>();
  /** Milliseconds since the epoch. */
  private readonly startedMs = Date.now();

  constructor(docker: Docker, workloads: readonly MemoryWorkload[]) {
    this.docker = docker;
    this.series = new Map(
      workloads.map(({ name, description, limit }) => [
        name,
        {
          name,
          description,
          limit: limit * MEBIBYTE,
          interval: INTERVAL_S,
          startedAt: [],
          oomAt: [],
          values: [],
        },
      ]),
    );
  }

  /**
   * Follows starts and exits.
   * @param events the daemon's response, one event per line
   * @throws {Error} when the response ends
   */
  async follow(events: NodeJS.ReadableStream): Promise<never> {
    for await (const line of createInterface({ input: events })) {
      const { Action, Actor, timeNano } = JSON.parse(line);
      const series = this.series.get(Actor.Attributes.name);
      if (series === undefined) continue;
      const seconds = Number(((timeNano / 1e6 - this.startedMs) / 1000).toFixed(1));
      if (Action === 'start') await this.started(series, Actor.ID, seconds);
      if (Action === 'die') this.ended(series.name);
      if (Action === 'oom' || Actor.Attributes.exitCode === KILLED) this.killed(series, seconds);
    }
    throw new Error('the daemon closed its event stream');
  }

  private async started({ name, startedAt }: Series, id: string, seconds: number): Promise<void> {
    startedAt.push(seconds);
    const container = fromInspect(await this.docker.getContainer(id).inspect(), undefined, {});
    try {
      this.collector.attachContainer(container);
      this.running.set(name, container);
    } catch (error) {
      this.telemetry.reportError(this.collector.name, error, name);
    }
  }

  private ended(name: string): void {
    const container = this.running.get(name);
    if (container === undefined) return;
    this.running.delete(name);
    this.collector.detachContainer(container);
  }

  private killed({ name, oomAt }: Series, seconds: number): void {
    if (seconds - (oomAt.at(-1) ?? Number.NEGATIVE_INFINITY) < SAME_KILL_S) return;
    oomAt.push(seconds);
    console.log(`${(seconds / 60).toFixed(1)} min: the kernel killed ${name}`);
  }

  /** Samples every series at the same moments. */
  async sample(minutes: number, signal: AbortSignal): Promise<void> {
    for (let second = 0; second < minutes * 60; second += INTERVAL_S) {
      await sleep(Math.max(0, this.startedMs + second * 1000 - Date.now()), undefined, { signal });
      const sets = await this.round.collect([...this.running.values()]);
      for (const [name, series] of this.series) {
        const set = sets.find(({ container }) => container?.name === name);
        series.values.push(valueIn(set, series));
      }
    }
    this.collector.close();
  }

  write(directory: string): void {
    mkdirSync(directory, { recursive: true });
    for (const [name, series] of this.series) {
      writeFileSync(join(directory, `${name}.json`), `${JSON.stringify(series)}\n`);
    }
  }
}
