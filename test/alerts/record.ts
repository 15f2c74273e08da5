/**
 * `node test/alerts/record.ts [minutes]`: runs all workloads on the daemon that DOCKER_HOST names, beside an
 * agent, for 9 minutes, and writes what the agent sends of the metrics and events that built-in alert rules
 * read to test/fixtures/alerts/workloads.json.
 */
import { writeFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import type { ExecutionContext } from 'ava';
import { AlertEngine } from '../../agent/alerts/engine.ts';
import { parseRules } from '../../agent/alerts/parse-rules.ts';
import type { Attributes } from '../../collectors/records/records.ts';
import { spawnAgent } from '../support/agent.ts';
import { alertConfig } from '../support/alerts.ts';
import { docker, ensureImage, runContainer, uniqueName } from '../support/docker.ts';
import { type ReceivedPoint, Receiver } from '../support/receiver.ts';
import { storeOn } from '../support/store.ts';
import { failingWorkloads, healthyWorkloads } from './alert-workloads.ts';
import { type AlertRecording, RECORDING, type RecordedContainer, type RecordedSeries } from './recording.ts';

const INTERVAL_S = 10;
const STOP_AFTER_MS = 60_000;

const config = alertConfig({ enable: ['no_memory_limit'] });
const { metrics } = new AlertEngine({
  config,
  interval: INTERVAL_S * 1000,
  sink: { emitAlert: async () => {}, emitAlertStates() {} },
  store: storeOn(new Map()),
  evidenceOf: () => ({ log: [], events: [], memory: {} }),
  hasContainer: () => true,
  isDaemonUnreachable: () => false,
  warn() {},
});
const metricNames = new Set([...metrics].map(({ name }) => name));
const eventRules = parseRules(config).rules.filter((rule) => rule.kind === 'event');
/** The attributes of events that built-in rules and their texts use. */
const EVENT_ATTRIBUTES = ['portlight.exit.reason', 'process.exit.code'];

const selectAttributes = (attributes: Readonly<Record<string, unknown>>): Attributes =>
  Object.fromEntries(
    EVENT_ATTRIBUTES.flatMap((key) => (key in attributes ? [[key, attributes[key]]] : [])),
  ) as Attributes;

function seriesOf(
  points: readonly ReceivedPoint[],
  rounds: number,
  roundOf: (time: bigint) => number,
): RecordedSeries[] {
  const series = Map.groupBy(points, ({ name, attributes }) => `${name} ${JSON.stringify(attributes)}`);
  return [...series.values()].map((all) => {
    const values: (number | null)[] = Array.from({ length: rounds }, () => null);
    for (const { time, value } of all) values[roundOf(time)] = Number(value.toPrecision(7));
    const [{ name, attributes }] = all as [ReceivedPoint];
    return { metric: name, attributes: attributes as Attributes, values };
  });
}

async function record(t: ExecutionContext, minutes: number): Promise<AlertRecording> {
  await ensureImage();
  const receiver = await Receiver.start();
  t.teardown(() => receiver.stop());
  const group = uniqueName('record');
  await spawnAgent(t, {
    args: ['--interval', `${INTERVAL_S}s`],
    variables: {
      OTEL_EXPORTER_OTLP_ENDPOINT: receiver.endpoint('http'),
      PORTLIGHT_CONTAINERS_INCLUDE: `label=${group}`,
      PORTLIGHT_CONTAINERS_EXCLUDE: undefined,
      PORTLIGHT_METRICS_ENABLE: [...metricNames].join(','),
      PORTLIGHT_METRICS_STORAGE_INTERVAL: '1m',
      PORTLIGHT_ALERTS_ENABLED: 'false',
    },
  });
  const workloads = Object.entries({ ...healthyWorkloads, ...failingWorkloads });
  const start = Date.now();
  for (const [name, options] of workloads)
    await runContainer(t, {
      ...options,
      name: `${group}-${name}`,
      labels: { [group]: 'true', ...options.labels },
    });
  await sleep(STOP_AFTER_MS);
  for (const [name, { isStopped }] of workloads)
    if (isStopped) await docker.getContainer(`${group}-${name}`).stop({ t: 5 });
  await sleep(Math.max(0, start + minutes * 60_000 - Date.now()));

  const points = receiver.points.filter(({ name }) => metricNames.has(name));
  const first = points.reduce((least, { time }) => (time < least ? time : least), points[0]!.time);
  const roundOf = (time: bigint) => Math.round(Number(time - first) / 1e9 / INTERVAL_S);
  const rounds = 1 + Math.max(...points.map(({ time }) => roundOf(time)));
  const containers = workloads.map(([name, { labels = {} }]): RecordedContainer => {
    const own = points.filter(({ resource }) => resource['container.name'] === `${group}-${name}`);
    const starts = [
      ...new Set(own.filter(({ kind }) => kind === 'sum').map(({ startTime }) => startTime)),
    ].sort();
    const runs = Array.from({ length: rounds }, () => 0);
    for (const { name: metric, time } of own) {
      if (metric !== 'container.memory.working_set') continue;
      const round = roundOf(time);
      const counter = own.find((point) => point.kind === 'sum' && roundOf(point.time) === round);
      runs[round] = counter === undefined ? 1 : 1 + starts.indexOf(counter.startTime);
    }
    const events = receiver
      .logsOf(`${group}-${name}`)
      .filter(({ eventName, attributes }) =>
        eventRules.some(
          (rule) =>
            rule.matchesEvent(eventName, attributes as Attributes) || eventName === 'docker.container.die',
        ),
      )
      .map(({ time, eventName, attributes }) => ({
        round: Math.max(0, Math.ceil(Number(time - first) / 1e9 / INTERVAL_S)),
        name: eventName,
        attributes: selectAttributes(attributes),
      }));
    return { name, labels, runs, series: seriesOf(own, rounds, roundOf), events };
  });
  const ofHost = points.filter(({ resource }) => resource['container.name'] === undefined);
  return { interval: INTERVAL_S, rounds, host: seriesOf(ofHost, rounds, roundOf), containers };
}

const cleanups: (() => unknown)[] = [];
const context = {
  teardown: (cleanup: () => unknown) => cleanups.unshift(cleanup),
  passed: true,
} as unknown as ExecutionContext;
try {
  const recording = await record(context, Number(process.argv[2] ?? 9));
  writeFileSync(RECORDING, `${JSON.stringify(recording)}\n`);
} finally {
  for (const cleanup of cleanups) await cleanup();
}
