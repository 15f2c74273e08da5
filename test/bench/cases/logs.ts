/** Measures log lines per CPU-second from files to an OTLP receiver's acknowledgement, and their age on arrival. */
import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { makeTemporaryDirectory } from '../../support/temporary.ts';
import { BENCH_IMAGE, profiling, spawnObserver, withHost } from '../agent.ts';
import { type Bench, type BenchInput, type Figure, quantile } from '../bench.ts';
import { entry, type LogFormat, lineTexts, recordCounts } from '../log-files.ts';
import { benchPeers } from '../peers/index.ts';
import type { BenchPeer } from '../peers/peer.ts';
import { cpuOfAll, end, endTree, treeOf } from '../process.ts';
import { startReceiver } from '../receiver.ts';
import { runWorker } from '../worker.ts';

const LINES = 800_000;
const LONG_LINES = 160_000;
const FILES = 8;
const SILENT = 500;
const IDLE_MS = 15_000;
const LATENCY_S = 30;
/** A peer that has not shipped everything after this time has no figure. */
const LONGEST_MS = 180_000;

export interface LogsTask {
  readonly way: 'agent' | 'sdk';
  readonly parser: 'none' | 'auto';
  readonly multiline: 'none' | 'java';
  readonly files: readonly string[];
  /** Number of records to expect. */
  readonly records: number;
  readonly data: string;
  /** Whether the queue is in memory instead of on disk. */
  readonly inMemory: boolean;
  /** Measures for this long after everything was read, instead of the reading. */
  readonly idleMs?: number;
}

export interface LogsResult {
  readonly cpuMicros: number;
  readonly peakMegabytes: number;
}

interface Variant {
  readonly what: string;
  readonly format: LogFormat;
  readonly size: number;
  readonly files: number;
  readonly inMemory: boolean;
  readonly parser: LogsTask['parser'];
  readonly least?: Readonly<Record<string, number>>;
}

const base = { format: 'plain', size: 186, files: FILES, inMemory: false, parser: 'none' } as const;
const least = { 'Fluent Bit': 3, 'OpenTelemetry Collector': 5 };

const variants: readonly Variant[] = [
  { ...base, what: 'plain text', least },
  { ...base, what: 'plain text, levels found', parser: 'auto' },
  { ...base, what: 'plain text, without a spool on disk', inMemory: true, least },
  { ...base, what: 'JSON, parsed', format: 'json', parser: 'auto', least },
  { ...base, what: 'stack traces, joined', format: 'multiline', least },
  { ...base, what: 'lines of 2 KB', size: 2048, least },
  { ...base, what: 'one file', files: 1, least },
  { ...base, what: '100 files', files: 100, least },
];

/** Writes json-file logs with `lines` lines in all. */
function write(directory: string, { format, size, files }: Variant, lines: number): string[] {
  const place = join(directory, `${format}-${size}-${files}`);
  const each = lines / files;
  return Array.from({ length: files }, (_, file) => {
    // Named as by the daemon: some peers put the name on each record.
    const id = file.toString(16).padStart(64, 'f');
    const path = join(place, id, `${id}-json.log`);
    const text = lineTexts[format](file, size);
    if (existsSync(path)) return path;
    mkdirSync(join(place, id), { recursive: true });
    writeFileSync(path, Array.from({ length: each }, (_, index) => entry(text(index), index)).join(''));
    return path;
  });
}

async function ours(task: LogsTask, profiles?: string, name = ''): Promise<LogsResult> {
  const receiver = await startReceiver();
  try {
    return await runWorker('logs', task, {
      env: { OTEL_EXPORTER_OTLP_ENDPOINT: receiver.endpoint },
      flags: task.way === 'agent' ? profiling(profiles, name) : [],
      timeoutMs: LONGEST_MS,
    });
  } finally {
    receiver.stop();
  }
}

/** CPU time of a peer from its start until everything has arrived, µs; undefined if it never does. */
async function theirs(
  peer: BenchPeer,
  binary: string,
  { format, inMemory }: Variant,
  { files, records, data }: LogsTask,
): Promise<number | undefined> {
  const receiver = await startReceiver();
  mkdirSync(data);
  const { argv, env } = await peer.logs!({
    binary,
    files,
    endpoint: receiver.endpoint,
    data,
    format,
    gzip: false,
    spool: !inMemory,
  });
  const [program, ...args] = argv;
  const child = spawn(program, args, { env: { PATH: process.env.PATH, ...env }, stdio: 'ignore' });
  try {
    const deadline = Date.now() + LONGEST_MS;
    while ((await receiver.counts()).records < records) {
      if (Date.now() > deadline || child.exitCode !== null) return undefined;
      await sleep(20);
    }
    return cpuOfAll(treeOf(child.pid!));
  } finally {
    await endTree(child);
    receiver.stop();
  }
}

/** Age on arrival, ms, of the lines of a container that writes 1,000 a second. */
const latency = (setting: BenchInput): Promise<number[]> =>
  withHost(async ({ dockerd, docker, receiver }) => {
    const agent = spawnObserver(setting, {
      endpoint: receiver.endpoint,
      dockerHost: dockerd.host,
      name: 'logs-latency',
    });
    try {
      const container = await docker.createContainer({
        Image: BENCH_IMAGE,
        Cmd: [
          'sh',
          '-c',
          'while :; do for i in 0 1 2 3 4 5 6 7 8 9; do echo "line $i of some text"; done; sleep 0.01; done',
        ],
      });
      await container.start();
      await sleep(LATENCY_S * 1000);
      // The first second belongs to the start.
      return (await receiver.ages()).slice(1000);
    } finally {
      await end(agent);
    }
  }, 'ages');

/** Million lines per CPU-second of the agent and of the SDK's parts; bench:guard uses it too. */
export async function throughput(lines: number): Promise<{ agent: number; sdk: number }> {
  const { path: directory, remove } = makeTemporaryDirectory();
  try {
    const files = write(directory, { ...base, what: '' }, lines);
    const task = { parser: 'none', multiline: 'none', files, records: lines, inMemory: false } as const;
    const throughputOf = async (way: LogsTask['way']) =>
      lines / (await ours({ ...task, way, data: join(directory, way) })).cpuMicros;
    return { agent: await throughputOf('agent'), sdk: await throughputOf('sdk') };
  } finally {
    remove();
  }
}

async function measure(setting: BenchInput, directory: string): Promise<Figure[]> {
  const rows: Figure[] = [];
  let run = 0;
  for (const variant of variants) {
    setting.say(variant.what);
    const lines = variant.size > base.size ? LONG_LINES : LINES;
    const files = write(directory, variant, lines);
    const records = recordCounts(variant.format, lines);
    const task = (way: LogsTask['way'], expected = records.ours): LogsTask => ({
      way,
      parser: variant.parser,
      multiline: variant.format === 'multiline' ? 'java' : 'none',
      files,
      records: expected,
      data: join(directory, `data-${run++}`),
      inMemory: variant.inMemory,
    });
    const perSecond = (cpuMicros: number) => lines / cpuMicros;
    const result = await ours(task('agent'), setting.profiles, `logs-${variant.what.replaceAll(' ', '-')}`);
    const beside: Record<string, number> = {};
    if (variant === variants[0]) beside.SDK = perSecond((await ours(task('sdk'))).cpuMicros);
    for (const peer of variant.least === undefined ? [] : benchPeers) {
      const found = setting.peers[peer.name]!;
      if (peer.logs === undefined || 'absent' in found) continue;
      const cpu = await theirs(peer, found.binary, variant, task('agent', records.theirs));
      if (cpu === undefined) setting.say(`${variant.what}: ${peer.name} has not shipped all`);
      else beside[peer.name] = perSecond(cpu);
    }
    rows.push(
      {
        what: `${variant.what}: lines per CPU-second`,
        value: perSecond(result.cpuMicros),
        unit: 'million',
        beside,
        moreIsBetter: true,
        ...(variant.least === undefined ? {} : { target: { times: variant.least } }),
      },
      {
        what: `${variant.what}: peak memory`,
        value: result.peakMegabytes,
        unit: 'MB',
        target: { most: 200 },
      },
    );
  }
  setting.say(`${SILENT} silent containers`);
  const silent = { ...base, what: 'silent', files: SILENT };
  const idle = await ours(
    {
      way: 'agent',
      parser: 'auto',
      multiline: 'none',
      files: write(directory, silent, SILENT),
      records: SILENT,
      data: join(directory, 'silent'),
      inMemory: false,
      idleMs: IDLE_MS,
    },
    setting.profiles,
    'logs-silent',
  );
  rows.push({
    what: `${SILENT} silent containers: share of a core`,
    value: (100 * idle.cpuMicros) / 1000 / IDLE_MS,
    unit: '%',
    target: { most: 1 },
  });
  setting.say('age on arrival');
  const ages = await latency(setting);
  for (const [part, most] of [
    [0.5, 200],
    [0.99, 500],
  ] as const)
    rows.push({
      what: `age on arrival at 1,000 lines/s, ${part * 100} %`,
      value: quantile(ages, part),
      unit: 'ms',
      target: { most },
    });
  return rows;
}

export const bench: Bench = {
  title: 'Logs',
  runsPeers: true,
  about: `
Logs of the json-file driver on disk, in ${FILES} files with 186 bytes an entry unless noted, read from the start and sent to
an OTLP/HTTP receiver that acknowledges all of it. The figure is CPU time of the process and its children. Positions are kept and the
queue is on disk, for the agent and its peers alike, unless noted. "SDK" reads the same files by line, parses the driver's
JSON and emits through the OpenTelemetry SDK's batch processor and exporter. Age on arrival is the time from the daemon's
time stamp to the receiver, with the whole agent.`,
  async run(setting) {
    const { path: directory, remove } = makeTemporaryDirectory();
    try {
      return { rows: await measure(setting, directory) };
    } finally {
      remove();
    }
  },
};
