/**
 * `npm run bench:logs`: lines per second of CPU from log files on disk to an OTLP receiver, positions and
 * acknowledgement included, beside what the OpenTelemetry SDK's own parts take for the same lines; what
 * silent containers cost; and how old lines are on arrival, with the built agent on a real daemon.
 */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { clientOf, startDockerd } from '../../agent/setup/dockerd.ts';
import { importBusybox } from '../../agent/setup/images.ts';
import { table } from '../../exporters/console/table.ts';
import type { Measured } from './measured.ts';
import { HEAD, logsPage, machineOf, quantile, rowsOf } from './report.ts';

const FILES = 8;
const LINES = 200_000;
const SILENT = 500;
/** Runs with the spool and without, in turns; the best of each counts. */
const SPOOL_RUNS = 3;
const IDLE_MS = 15_000;
const LATENCY_MS = 30_000;

export interface LogsTask {
  readonly way: 'plain' | 'auto' | 'sdk';
  readonly files: readonly string[];
  readonly lines: number;
  readonly data: string;
  /** Keeps what waits in memory, not in a spool. */
  readonly inMemory?: boolean;
  /** Measures this long after everything was read, instead of the reading. */
  readonly idleMs?: number;
}

export interface LogsResult {
  readonly cpuMicros: number;
  readonly wallMs: number;
  readonly peakMegabytes: number;
}

const entry = (log: string, index: number): string =>
  `{"log":${JSON.stringify(`${log}\n`)},"stream":"stdout","time":"2026-11-24T05:43:${String(Math.floor(index / 10_000) % 60).padStart(2, '0')}.${String((index % 10_000) * 100_000 + 1).padStart(9, '0')}Z"}\n`;

/** 186 bytes in the file each. */
const plainText = (index: number): string =>
  `10.0.0.${index % 256} - - "GET /api/items/${String(index).padStart(8, '0')} HTTP/1.1" 200 ${'x'.repeat(48)}`
    .replaceAll('"', "'")
    .padEnd(107, '.');

const jsonText = (index: number): string =>
  JSON.stringify({
    level: 'info',
    time: Date.UTC(2026, 10, 24, 5, 43, Math.floor(index / 10_000) % 60) + Math.floor((index % 10_000) / 10),
    msg: 'request completed',
    method: 'GET',
    path: `/api/items/${index}`,
    status: 200,
    ms: 12.5,
  });

function write(directory: string, kind: string, text: (index: number) => string): string[] {
  return Array.from({ length: FILES }, (_, file) => {
    const path = join(directory, `${kind}-${file}.log`);
    const lines = Array.from({ length: LINES }, (_, index) => entry(text(index), index));
    writeFileSync(path, lines.join(''));
    return path;
  });
}

async function startReceiver(mode = 'count'): Promise<{ child: ChildProcess; endpoint: string }> {
  const child = spawn(process.execPath, [join(import.meta.dirname, 'logs-receiver.ts'), mode], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const port = await new Promise((resolve) =>
    child.stdout.once('data', (text) => resolve(String(text).trim())),
  );
  return { child, endpoint: `http://127.0.0.1:${port}` };
}

async function run(task: LogsTask): Promise<LogsResult> {
  const { child, endpoint } = await startReceiver();
  try {
    const worker = spawn(
      process.execPath,
      ['--max-semi-space-size=1', join(import.meta.dirname, 'logs-worker.ts')],
      {
        env: { PATH: process.env.PATH, OTEL_EXPORTER_OTLP_ENDPOINT: endpoint },
        stdio: ['pipe', 'pipe', 'inherit'],
      },
    );
    worker.stdin.end(JSON.stringify(task));
    let output = '';
    worker.stdout.setEncoding('utf8').on('data', (text) => {
      output += text;
    });
    await new Promise((resolve) => worker.on('close', resolve));
    return JSON.parse(output) as LogsResult;
  } finally {
    child.kill();
  }
}

/** Age of lines on arrival, ms, sorted: a container that writes 1,000 lines a second. */
async function latency(data: string): Promise<number[]> {
  execFileSync(process.execPath, [join(import.meta.dirname, '../../agent/setup/build.ts')], {
    stdio: 'inherit',
  });
  const dockerd = await startDockerd({ ownNetwork: true });
  const { child, endpoint } = await startReceiver('latency');
  try {
    const client = clientOf(dockerd.host);
    docker = (await client.version()).Version;
    await importBusybox(client, 'portlight-bench', 'busybox');
    const agent = spawn(
      join(import.meta.dirname, '../../dist/agent/cli.js'),
      ['run', '--listen', '127.0.0.1:0', '--data-dir', data],
      {
        env: { PATH: process.env.PATH, DOCKER_HOST: dockerd.host, OTEL_EXPORTER_OTLP_ENDPOINT: endpoint },
        stdio: 'ignore',
      },
    );
    const container = await client.createContainer({
      Image: 'portlight-bench:busybox',
      Cmd: [
        'sh',
        '-c',
        'while :; do for i in 0 1 2 3 4 5 6 7 8 9; do echo "line $i of some text"; done; sleep 0.01; done',
      ],
    });
    await container.start();
    await sleep(LATENCY_MS);
    const ages = (await (await fetch(`${endpoint}/latency`)).json()) as number[];
    agent.kill();
    await new Promise((resolve) => agent.once('exit', resolve));
    // The first second is the start's.
    return ages.slice(1000).sort((one, other) => one - other);
  } finally {
    child.kill();
    await dockerd.stop();
  }
}

async function bench(directory: string): Promise<Measured[]> {
  const lines = FILES * LINES;
  const perSecond = ({ cpuMicros }: LogsResult) => lines / cpuMicros;
  const data = (name: string) => join(directory, name);
  const plain = write(directory, 'plain', plainText);
  const json = write(directory, 'json', jsonText);
  const baseline = perSecond(await run({ way: 'sdk', files: plain, lines, data: data('sdk') }));
  const results: Measured[] = [];
  for (const [what, way, files, target] of [
    ['plain text, not parsed', 'plain', plain, '≥ 1'],
    ['plain text, levels found', 'auto', plain, ''],
    ['JSON, parsed', 'auto', json, '≥ 0.5'],
  ] as const) {
    const result = await run({ way, files, lines, data: data(`${way}-${what}`) });
    results.push(
      {
        what: `${what}: lines per CPU-second`,
        value: perSecond(result),
        unit: 'million',
        baseline,
        moreIsBetter: true,
        target,
      },
      { what: `${what}: peak memory`, value: result.peakMegabytes, unit: 'MB', target: '≤ 200 MB' },
    );
  }
  const lineCost = ({ cpuMicros }: LogsResult) => cpuMicros / lines;
  const best = (all: readonly LogsResult[]) => Math.min(...all.map(lineCost));
  const spooled: LogsResult[] = [];
  const inMemory: LogsResult[] = [];
  for (let attempt = 0; attempt < SPOOL_RUNS; attempt++) {
    spooled.push(await run({ way: 'plain', files: plain, lines, data: data(`spool-${attempt}`) }));
    inMemory.push(
      await run({ way: 'plain', files: plain, lines, data: data(`memory-${attempt}`), inMemory: true }),
    );
  }
  results.push({
    what: 'CPU of a line with the spool on disk, beside in memory',
    value: best(spooled),
    unit: 'µs',
    baseline: best(inMemory),
    target: '≤ 1.25 times',
  });
  const silent = Array.from({ length: SILENT }, (_, index) => {
    mkdirSync(join(directory, 'silent'), { recursive: true });
    const path = join(directory, 'silent', `${index}.log`);
    writeFileSync(path, entry('hello', index));
    return path;
  });
  const idle = await run({
    way: 'auto',
    files: silent,
    lines: SILENT,
    data: data('silent-data'),
    idleMs: IDLE_MS,
  });
  results.push({
    what: `${SILENT} silent containers: share of a core`,
    value: (100 * idle.cpuMicros) / 1000 / IDLE_MS,
    unit: '%',
    target: '≤ 1 %',
  });
  const ages = await latency(data('latency'));
  results.push(
    {
      what: 'age on arrival at 1,000 lines/s, median',
      value: quantile(ages, 0.5),
      unit: 'ms',
      target: '≤ 200 ms',
    },
    {
      what: 'age on arrival at 1,000 lines/s, 99 %',
      value: quantile(ages, 0.99),
      unit: 'ms',
      target: '≤ 500 ms',
    },
  );
  return results;
}

/** Version of the daemon, once there was one. */
let docker = 'unknown';
const directory = mkdtempSync(join(tmpdir(), 'portlight-bench-logs-'));
try {
  const results = await bench(directory);
  writeFileSync(
    join(import.meta.dirname, '../../docs/performance-logs.md'),
    logsPage(results, machineOf(docker)),
  );
  console.log(table(HEAD, rowsOf(results), ['Portlight', 'baseline', 'ratio']).join('\n'));
} finally {
  rmSync(directory, { recursive: true, force: true });
}
