/** Batches between collectors and exporters. */

import { setTimeout as sleep } from 'node:timers/promises';
import test, { type ExecutionContext } from 'ava';
import { pino } from 'pino';
import { compileLogProcessing } from '../../agent/logs/log-processing.ts';
import { loadConfig } from '../../agent/process/load-config.ts';
import { startPosition } from '../../collectors/logs/shared/position.ts';
import { type LogPosition, Severity, type Span } from '../../collectors/records/records.ts';
import type { Batch } from '../../exporters/shared/batch.ts';
import type { Exporter } from '../../exporters/shared/exporter.ts';
import { Telemetry } from '../../exporters/shared/telemetry.ts';
import { fakeContainer } from '../support/container.ts';
import { logLine } from '../support/log-line.ts';
import { plainPipeline } from '../support/pipeline.ts';

const EVENT = {
  eventName: 'docker.container.start',
  time: 1n,
  severity: Severity.INFO,
  body: '',
  attributes: {},
};

const SPAN: Span = {
  context: { traceId: '1'.repeat(32), spanId: '1'.repeat(16) },
  parentSpanId: undefined,
  name: 'run',
  start: 1n,
  end: 2n,
  attributes: {},
  error: undefined,
  links: [],
};

/** A pipeline with an exporter that fails in the given way and one that works. */
async function observe(t: ExecutionContext, fail: () => Promise<void>) {
  const { config } = await loadConfig({}, undefined, {});
  const warnings: string[] = [];
  const stream = { write: (line: string) => void warnings.push(JSON.parse(line).msg) };
  const telemetry = new Telemetry(pino({ level: 'warn' }, stream));
  const received: Batch[] = [];
  const broken: Exporter = { name: 'broken', export: fail, shutdown: async () => {} };
  const working: Exporter = {
    name: 'working',
    export: async (batch) => void received.push(batch),
    shutdown: async () => {},
  };
  const pipeline = plainPipeline({
    exporters: [broken, working],
    telemetry,
    traces: true,
    logProcessing: () => compileLogProcessing(config.logs, {}, (mistake) => t.fail(mistake)),
  });
  const dropped = () =>
    Object.fromEntries(
      [...telemetry.counterSeries('portlight.records.dropped')].map(({ attributes, value }) => [
        `${attributes.destination} ${attributes.signal} ${attributes.reason}`,
        value,
      ]),
    );
  return { pipeline, received, warnings, dropped };
}

const FAILURES: { readonly [how: string]: () => Promise<void> } = {
  throws() {
    throw new Error('no such field');
  },
  rejects: () => Promise.reject(new Error('no such field')),
};

for (const [how, fail] of Object.entries(FAILURES)) {
  test(`an exporter that ${how} loses only its own batches, which are counted, and is reported once`, async (t) => {
    const { pipeline, received, warnings, dropped } = await observe(t, fail);
    const resource = { attributes: {} };
    await pipeline.emitMetrics([]);
    pipeline.emitOwnMetrics(resource, Buffer.alloc(0), 3);
    await pipeline.emitEvent(resource, EVENT);
    await pipeline.emitSpan(resource, SPAN);
    pipeline.emitAlertStates([]);
    await sleep(1);
    t.deepEqual(
      received.map(({ signal }) => signal),
      ['metrics', 'metrics', 'logs', 'traces', 'alerts'],
    );
    t.deepEqual(dropped(), {
      'broken metrics exporter_error': 3,
      'broken events exporter_error': 1,
      'broken traces exporter_error': 1,
      'broken alerts exporter_error': 0,
    });
    t.deepEqual(warnings, ['exporter broken failed and dropped metrics: no such field']);
  });

  test(`an exporter that ${how} stops no log: positions advance, and reading continues`, async (t) => {
    const { pipeline, received, dropped } = await observe(t, fail);
    const saved: LogPosition[] = [];
    const position = startPosition();
    const store = { save: (_container: unknown, position: LogPosition) => void saved.push(position) };
    const log = pipeline.openLog(fakeContainer(), position, store)!;
    const big = 'x'.repeat(512 * 1024);
    const LINES = 80;
    for (let line = 1; line <= LINES; line++) {
      log.addLine(logLine(big, { seconds: line, utf8: true }));
      position.seconds = line;
      log.checkpoint();
      // More than the pipeline holds at a time: it would wait forever if failed batches stayed in flight.
      await log.waitForCapacity(AbortSignal.timeout(5000));
    }
    log.flush();
    await sleep(1);
    t.is(saved.at(-1)?.seconds, LINES);
    t.is(
      received.reduce((sum, { count }) => sum + count, 0),
      LINES,
    );
    t.is(dropped()['broken logs exporter_error'], LINES);
    t.is(log.waitForCapacity(AbortSignal.abort()), undefined);
  });
}
