/** Reads and ships the log files that standard input names: see cases/logs.ts. */

import { createReadStream, readFileSync } from 'node:fs';
import { get } from 'node:http';
import { createInterface } from 'node:readline';
import { text } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import { pino } from 'pino';
import { compileLogProcessing } from '../../../agent/logs/log-processing.ts';
import { EvidenceStore } from '../../../agent/pipeline/evidence-store.ts';
import { loadConfig } from '../../../agent/process/load-config.ts';
import { Positions } from '../../../agent/process/positions.ts';
import { LogCollector } from '../../../collectors/logs/index.ts';
import { LogPositionStore } from '../../../collectors/logs/position-store.ts';
import { createExporters } from '../../../exporters/index.ts';
import { Telemetry } from '../../../exporters/shared/telemetry.ts';
import { fakeContainer } from '../../support/container.ts';
import { plainPipeline } from '../../support/pipeline.ts';
import type { LogsResult, LogsTask } from '../cases/logs.ts';

const task = JSON.parse(await text(process.stdin)) as LogsTask;

/** Starts the work and returns what stops it. */
type Start = () => Promise<() => Promise<void>>;

/** Collector, pipeline, exporter and positions, wired as in the agent. */
async function agent(): Promise<Start> {
  const { config } = await loadConfig(
    { 'logs.parser': task.parser, 'logs.multiline': task.multiline },
    undefined,
    process.env,
  );
  const telemetry = new Telemetry(pino({ level: 'error' }, pino.destination(2)));
  const positions = new Positions(task.data, (error) => telemetry.reportError('positions', error));
  const evidence = new EvidenceStore('/proc');
  const exporters = await createExporters(
    { ...config, exporter: ['otlp'], data_dir: task.inMemory ? '/dev/null' : task.data },
    telemetry,
  );
  const pipeline = plainPipeline({
    exporters,
    telemetry,
    onLines: (container, records) => evidence.addLines(container, records),
    logProcessing: ({ labels }) => compileLogProcessing(config.logs, labels, () => {}),
  });
  const collector = new LogCollector({
    docker: undefined as never,
    sink: pipeline,
    positions: new LogPositionStore(positions),
    onRemoved() {},
    firstSight: { sinceSeconds: 0 },
    rootfs: '/',
    ownId: undefined,
  });
  return async () => {
    for (const exporter of exporters) exporter.start?.();
    for (const [index, logPath] of task.files.entries()) {
      const id = `${index}`.padStart(64, 'f');
      collector.attachContainer(fakeContainer({ id, name: `bench-${index}`, logPath, startedAt: 1n }));
    }
    return async () => {
      await collector.close();
      positions.close();
    };
  };
}

/** An agent made of the SDK's parts: it reads lines, parses them and emits records. */
async function sdk(): Promise<Start> {
  const { LoggerProvider, BatchLogRecordProcessor } = await import('@opentelemetry/sdk-logs');
  const { OTLPLogExporter } = await import('@opentelemetry/exporter-logs-otlp-proto');
  const processor = new BatchLogRecordProcessor({
    exporter: new OTLPLogExporter(),
    maxQueueSize: 1e9,
    maxExportBatchSize: 4096,
    scheduledDelayMillis: 50,
  });
  const provider = new LoggerProvider({ processors: [processor] });
  return async () => {
    for (const file of task.files) {
      const logger = provider.getLogger('bench');
      let count = 0;
      for await (const line of createInterface({ input: createReadStream(file) })) {
        const { log, stream, time } = JSON.parse(line) as { log: string; stream: string; time: string };
        const body = log.slice(0, -1);
        logger.emit({ timestamp: new Date(time), body, attributes: { 'log.iostream': stream } });
        if (++count % 4096 === 0) await provider.forceFlush();
      }
    }
    await provider.forceFlush();
    return () => provider.shutdown();
  };
}

/** Resolves when the receiver has `count` records. One request, because polling costs CPU time too. */
const received = (records: number): Promise<unknown> =>
  new Promise((resolve, reject) =>
    get(`${process.env.OTEL_EXPORTER_OTLP_ENDPOINT}/records/${records}`, resolve).once('error', reject),
  );

const start = await (task.way === 'sdk' ? sdk() : agent());
// Imports and compilation are not part of the cost of a line.
const before = process.cpuUsage();
const stop = await start();
if (task.idleMs === undefined) await received(task.records);
else await sleep(5000);
const idle = process.cpuUsage();
if (task.idleMs !== undefined) await sleep(task.idleMs);
const end = process.cpuUsage(task.idleMs === undefined ? before : idle);
const rss = /^VmHWM:\s+(\d+) kB$/m.exec(readFileSync('/proc/self/status', 'utf8'))![1];
const result: LogsResult = {
  cpuMicros: end.user + end.system,
  peakMegabytes: (Number(rss) * 1024) / 1e6,
};
console.log(JSON.stringify(result));
await stop();
process.exit(0);
