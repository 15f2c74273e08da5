/**
 * The built-in rules on recordings of real containers, in virtual time: 9 minutes of everything that rules read
 * (test/alerts), and one hour of memory (test/forecast). `PORTLIGHT_TEST_MINUTES=20 npm test -- test/e2e/healthy.test.ts`
 * runs the healthy containers under a real agent.
 */
import test from 'ava';
import { catalogue } from '../../collectors/catalogue/index.ts';
import { builtinRules } from '../../config/builtin-rules.ts';
import { failingWorkloads, healthyWorkloads } from '../alerts/alert-workloads.ts';
import { readRecording, replayAlerts } from '../alerts/recording.ts';
import { readSeries, type Series } from '../forecast/series.ts';
import { AlertSimulation, alertContainer } from '../support/alerts.ts';

const recording = readRecording();
const emitted = replayAlerts(recording);
const firedRules = (name: string): string[] => [
  ...new Set(
    emitted.get(name)!.flatMap((line) => (line.startsWith('firing ') ? [line.slice('firing '.length)] : [])),
  ),
];

test('the recording has every workload, and every metric that built-in rules read', (t) => {
  const workloads = { ...healthyWorkloads, ...failingWorkloads };
  t.deepEqual([...emitted.keys()].sort(), Object.keys(workloads).sort());
  const recorded = new Set(
    [recording.host, ...recording.containers.map(({ series }) => series)].flat().map(({ metric }) => metric),
  );
  for (const { rule } of builtinRules)
    for (const metric of [rule.metric, rule.over, rule.room])
      if (metric !== undefined) t.true(recorded.has(metric), `${rule.name}: ${metric}`);
  t.true(recording.rounds * recording.interval > 9 * 60);
});

for (const name of Object.keys(healthyWorkloads))
  test(`healthy: ${name} fires nothing`, (t) => {
    t.deepEqual(emitted.get(name), []);
  });

for (const [name, { fires }] of Object.entries(failingWorkloads))
  test(`failing: ${name} fires ${fires.join(' and ') || 'nothing'}`, (t) => {
    t.deepEqual(firedRules(name).sort(), [...fires].sort());
  });

test('every built-in rule has a workload that fires it, except those that need another host', (t) => {
  const covered = new Set(Object.values(failingWorkloads).flatMap(({ fires }) => fires));
  const names = builtinRules.map(({ rule }) => rule.name);
  t.deepEqual(
    names.filter((name) => !covered.has(name)),
    // Host load (CPU, memory, thrashing) would disturb the other workloads; disk needs 45 minutes. test/unit/alerts.test.ts
    // and test/e2e/alerts.test.ts fire these.
    ['cpu_pressure', 'memory_pressure', 'disk', 'no_memory_limit'],
  );
});

interface Emission {
  /** Seconds since the start of the recording. */
  readonly at: number;
  readonly status: string;
  readonly rule: string;
}

/** Plays an hour of memory, with an event for each recorded OOM kill. */
function replayMemory({ name, interval, values, limit, startedAt, oomAt }: Series): Emission[] {
  const scene = new AlertSimulation({}, undefined, interval * 1000);
  const container = alertContainer(name);
  scene.existingIds.add(container.id);
  const emissions: Emission[] = [];
  values.forEach((value, index) => {
    const at = index * interval;
    const run = startedAt.filter((start) => start <= at).length;
    container.startedAt = BigInt(run);
    container.pid = value === null ? 0 : run;
    for (const kill of oomAt)
      if (kill > at - interval && kill <= at) scene.playEvent(container, 'docker.container.oom');
    const points = [
      { metric: catalogue.memoryWorkingSet, value: value ?? 0 },
      { metric: catalogue.memoryLimit, value: limit },
    ];
    scene.playRound([[container, value === null ? [] : points]]);
    for (const { status, rule } of scene.emitted.splice(0)) emissions.push({ at, status, rule });
  });
  return emissions;
}

for (const series of readSeries()) {
  const { name, interval, values, limit, oomAt } = series;
  const emissions = replayMemory(series);
  const firings = (rule: string) =>
    emissions.filter((one) => one.rule === rule && one.status === 'firing').map(({ at }) => at);

  test(`memory: ${name} fires only what its memory justifies`, (t) => {
    const rules = new Set(emissions.map(({ rule }) => rule));
    for (const rule of rules) t.true(['memory', 'memory_forecast', 'oom_kill'].includes(rule), rule);
    // `memory`: 90 % for 30 s.
    const isFull = (at: number) => (values[at / interval] ?? 0) >= 0.9 * limit;
    for (const at of firings('memory'))
      t.true(
        [0, 10, 20, 30].every((before) => isFull(at - before)),
        `memory at ${at} s`,
      );
    if (values.every((value) => value === null || value < 0.9 * limit)) t.deepEqual(firings('memory'), []);
    // `oom_kill`: at each kill, unless the alert still fires (10 minutes after the last one).
    const kills = oomAt.filter((at, index) => index === 0 || at - oomAt[index - 1]! > 600 + interval);
    t.deepEqual(
      firings('oom_kill').length,
      kills.length,
      `kills at ${oomAt}, alerts at ${firings('oom_kill')}`,
    );
  });
}

test('memory: a container that was not killed resolves its alerts, or is still full at the end', (t) => {
  for (const series of readSeries()) {
    if (series.oomAt.length > 0) continue;
    const last = Map.groupBy(replayMemory(series), ({ rule }) => rule);
    for (const [rule, all] of last)
      t.true(
        all.at(-1)!.status === 'resolved' || (series.values.at(-1) ?? 0) >= 0.85 * series.limit,
        `${series.name}: ${rule}`,
      );
  }
});
