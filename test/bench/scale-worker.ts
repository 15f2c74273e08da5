/** Measures rounds over the containers that standard input names: see scale.ts. */
import { readdirSync } from 'node:fs';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { text } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import { pino } from 'pino';
import { Pipeline } from '../../agent/pipeline.ts';
import type { Batch, Metric } from '../../agent/records.ts';
import { Round } from '../../agent/round.ts';
import { selectMetrics } from '../../agent/selection.ts';
import { Telemetry } from '../../agent/telemetry.ts';
import { CgroupCollector } from '../../collectors/cgroup/index.ts';
import { descriptorLimit, KernelFiles } from '../../collectors/kernel-file.ts';
import { NetworkCollector } from '../../collectors/network.ts';
import { ProcessCollector } from '../../collectors/processes.ts';
import { StateCollector } from '../../collectors/state.ts';
import { fakeContainer } from '../support/container.ts';
import type { ScaleResult } from './scale.ts';

/** Containers times rounds before code is as fast as it gets. */
const WARM_UP = 10_000;
const ROUNDS = 20;

const given = JSON.parse(await text(process.stdin)) as { pid: number; id: string }[];
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
const files = new KernelFiles(descriptorLimit(), () => {});
const telemetry = new Telemetry(pino({ level: 'silent' }));
const before = process.memoryUsage.rss();
const collectors = [
  new CgroupCollector('/proc', rows, files),
  // The processes share one network, which is counted as if it were each one's own.
  new NetworkCollector('/proc', enabled, files),
  new ProcessCollector('/proc', enabled),
  new StateCollector(),
];
for (const container of containers)
  for (const collector of collectors) if ('attach' in collector) collector.attach(container);
const rounds = new Round(collectors, enabled, telemetry);
let points = 0;
const nowhere = {
  name: 'nowhere',
  export: async (batch: Batch) => {
    points += batch.count;
  },
  stop: async () => {},
};
const pipeline = new Pipeline({
  exporters: [nowhere],
  telemetry,
  positions: { save() {} },
  dialect: 'semconv',
  temporality: 'cumulative',
  wantsEvent: () => true,
  traces: false,
  onLines() {},
  onEvent() {},
  onDropped() {},
  treatment: () => undefined,
});
const round = async () => pipeline.metrics(await rounds.collect(containers));

for (let count = 0; count < WARM_UP / containers.length; count++) await round();
points = 0;
const delay = monitorEventLoopDelay({ resolution: 1 });
let cpu = 0;
let wall = 0;
for (let count = 0; count < ROUNDS; count++) {
  delay.enable();
  const usage = process.cpuUsage();
  const begun = performance.now();
  await round();
  wall += performance.now() - begun;
  const { user, system } = process.cpuUsage(usage);
  cpu += user + system;
  await sleep(20);
  delay.disable();
}
const result: ScaleResult = {
  cpuMicros: cpu / ROUNDS / containers.length,
  wallMs: wall / ROUNDS,
  longestBlockMs: delay.max / 1e6,
  rssKilobytes: (process.memoryUsage.rss() - before) / 1000 / containers.length,
  descriptors: readdirSync('/proc/self/fd').length,
  points: points / ROUNDS / containers.length,
};
console.log(JSON.stringify(result));
