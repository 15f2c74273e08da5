/** Runs rounds over the containers that standard input names: see cases/metrics.ts. */

import { readdirSync } from 'node:fs';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { text } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Observable } from '@opentelemetry/api';
import { pino } from 'pino';
import { CollectorSet } from '../../../agent/rounds/collector-set.ts';
import { Round } from '../../../agent/rounds/round.ts';
import { selectMetrics } from '../../../collectors/catalogue/selection.ts';
import type { MetricSet } from '../../../collectors/records/points.ts';
import type { Metric } from '../../../collectors/records/records.ts';
import { descriptorLimit, type KernelFile, KernelFiles } from '../../../collectors/shared/kernel-file.ts';
import type { Batch } from '../../../exporters/shared/batch.ts';
import { Telemetry } from '../../../exporters/shared/telemetry.ts';
import { fakeContainer } from '../../support/container.ts';
import { plainPipeline } from '../../support/pipeline.ts';
import type { RoundsResult, RoundsTask } from '../cases/metrics.ts';

/** Container rounds until the code is optimized. */
const WARM_UP = 10_000;
const ROUNDS = 20;

const { containers: given, way } = JSON.parse(await text(process.stdin)) as RoundsTask;
const containers = given.map(({ pid, id }) =>
  fakeContainer({
    pid,
    id,
    name: id.slice(0, 12),
    attributes: { 'container.id': id, 'container.name': id.slice(0, 12) },
  }),
);
const rows = selectMetrics([], []);
const enabled = new Set<Metric>(rows);
/** Records which files were opened. */
class ListedFiles extends KernelFiles {
  readonly opened: KernelFile[] = [];

  override open(path: string): KernelFile | undefined {
    const file = super.open(path);
    if (file !== undefined) this.opened.push(file);
    return file;
  }
}

const files = new ListedFiles(descriptorLimit(), () => {});
const telemetry = new Telemetry(pino({ level: 'silent' }));
const set = new CollectorSet('export', {
  ...{ procfs: '/proc', rootfs: '/', files, metrics: enabled },
  withHost: false,
});
for (const container of containers)
  set.attach(container, (_, error) => {
    throw error;
  });
const rounds = new Round(set.collectors, enabled, telemetry);
let points = 0;

/** The agent's way: the pipeline encodes, and an exporter receives the batch. */
function agent(): () => Promise<void> {
  const nowhere = {
    name: 'nowhere',
    export: async (batch: Batch) => {
      points += batch.count;
    },
    shutdown: async () => {},
  };
  const pipeline = plainPipeline({ exporters: [nowhere], telemetry, logProcessing: () => undefined });
  return async () => pipeline.emitMetrics(await rounds.collect(containers));
}

/** Makes each container use CPU time before the next round. */
function work(): void {
  for (const { pid } of containers) {
    process.kill(pid, 'SIGSTOP');
    process.kill(pid, 'SIGCONT');
  }
}

/** An agent made of the SDK's parts: each point is observed with its container's attributes. */
async function sdk(): Promise<() => Promise<void>> {
  const { MeterProvider, MetricReader } = await import('@opentelemetry/sdk-metrics');
  const { ProtobufMetricsSerializer } = await import('@opentelemetry/otlp-transformer');
  class Reader extends MetricReader {
    protected override async onShutdown(): Promise<void> {}
    protected override async onForceFlush(): Promise<void> {}
  }
  const reader = new Reader();
  const meter = new MeterProvider({ readers: [reader] }).getMeter('bench');
  let sets: readonly MetricSet[] = [];
  const instruments = new Map<Metric, Observable>(
    rows.map((metric) => {
      const { name, kind, unit, description } = metric;
      const instrument =
        kind === 'counter'
          ? meter.createObservableCounter(name, { unit, description })
          : meter.createObservableGauge(name, { unit, description });
      return [metric, instrument];
    }),
  );
  meter.addBatchObservableCallback(
    (result) => {
      for (const { container, points: found } of sets)
        for (const { metric, value, attributes } of found)
          result.observe(instruments.get(metric)!, value, {
            ...container!.resource.attributes,
            ...attributes,
          });
    },
    [...instruments.values()],
  );
  return async () => {
    sets = await rounds.collect(containers);
    const { resourceMetrics } = await reader.collect();
    ProtobufMetricsSerializer.serializeRequest(resourceMetrics);
  };
}

const ways = {
  agent,
  'at work': agent,
  sdk,
  read: () => async () => {
    for (const file of files.opened) file.read();
  },
};
const round = await ways[way]();

const between = way === 'at work' ? work : () => {};
for (let count = 0; count < WARM_UP / containers.length; count++) {
  await round();
  between();
}
points = 0;
const delay = monitorEventLoopDelay({ resolution: 1 });
let cpu = 0;
for (let count = 0; count < ROUNDS; count++) {
  delay.enable();
  const usage = process.cpuUsage();
  await round();
  const { user, system } = process.cpuUsage(usage);
  cpu += user + system;
  between();
  await sleep(20);
  delay.disable();
}
const result: RoundsResult = {
  cpuMicros: cpu / ROUNDS / containers.length,
  longestBlockMs: delay.max / 1e6,
  descriptors: readdirSync('/proc/self/fd').length,
  points: points / ROUNDS / containers.length,
};
console.log(JSON.stringify(result));
