/**
 * Cost of metrics per container and round (CPU of agent, dockerd and containerd, less what the daemon takes
 * when idle; the baseline is a one-shot poll of the stats API), time to the first export, and memory.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type Docker from 'dockerode';
import { clientOf, type PrivateDockerd } from '../../agent/setup/dockerd.ts';
import { importBusybox } from '../../agent/setup/images.ts';
import { Receiver } from '../support/receiver.ts';
import { waitFor } from '../support/wait.ts';
import { cpuMicros, daemonPids, rssMegabytes } from './cost.ts';
import type { Measured } from './measured.ts';

/** How many containers the cost is measured with; memory and start-up with the first. */
const CONTAINERS = [20, 100];
const INTERVAL_MS = 1000;
const WINDOW_MS = 30_000;
/** Until code that runs once a second is compiled, and memory has settled. */
const SETTLE_MS = 20_000;

/** CPU time that the processes take in a window, in µs. */
async function costOf(observers: readonly ChildProcess[], daemon: readonly number[]): Promise<number> {
  const pids = [...observers.map(({ pid }) => pid!), ...daemon];
  await sleep(SETTLE_MS);
  const total = () => pids.reduce((sum, pid) => sum + cpuMicros(pid), 0);
  const before = total();
  await sleep(WINDOW_MS);
  return total() - before;
}

async function end(child: ChildProcess): Promise<void> {
  const gone = new Promise((resolve) => child.once('exit', resolve));
  child.kill('SIGTERM');
  await gone;
}

async function startContainers(docker: Docker, from: number, to: number): Promise<void> {
  for (let index = from; index < to; index++) {
    const container = await docker.createContainer({
      name: `bench-${index}`,
      Image: 'portlight-bench:busybox',
      Cmd: ['sh', '-c', 'while :; do sleep 3600; done'],
      HostConfig: { Memory: 64 * 1024 * 1024 },
    });
    await container.start();
  }
}

export async function metrics(dockerd: PrivateDockerd, cli: string): Promise<Measured[]> {
  const docker = clientOf(dockerd.host);
  await importBusybox(docker, 'portlight-bench', 'busybox');
  const daemon = daemonPids(dockerd.pid);
  const receiver = await Receiver.start();
  const data = mkdtempSync(join(tmpdir(), 'portlight-bench-'));
  const startAgent = () =>
    spawn(cli, ['run', '--listen', '127.0.0.1:0', '--data-dir', data, '--interval', `${INTERVAL_MS}ms`], {
      env: {
        PATH: process.env.PATH,
        DOCKER_HOST: dockerd.host,
        OTEL_EXPORTER_OTLP_ENDPOINT: receiver.endpoint('http'),
      },
      stdio: 'ignore',
    });
  const startPoller = () => {
    const socket = new URL(dockerd.host).pathname;
    return spawn(process.execPath, [join(import.meta.dirname, 'stats-api.ts'), socket, `${INTERVAL_MS}`], {
      stdio: 'inherit',
    });
  };

  const results: Measured[] = [];
  const startUp: Measured[] = [];
  try {
    let started = 0;
    for (const count of CONTAINERS) {
      await startContainers(docker, started, count);
      started = count;
      // What the daemon costs with nobody asking it anything is nobody's.
      const idle = await costOf([], daemon);

      const begun = performance.now();
      const requests = receiver.requests.metrics;
      const agent = startAgent();
      await waitFor('the first export', () => receiver.requests.metrics > requests);
      const firstExport = performance.now() - begun;
      const cost = (await costOf([agent], daemon)) - idle;
      const rss = rssMegabytes(agent.pid!);
      await end(agent);

      const poller = startPoller();
      const baseline = (await costOf([poller], daemon)) - idle;
      await end(poller);

      const rounds = (WINDOW_MS / INTERVAL_MS) * count;
      results.push({
        what: `CPU per container and round, ${count} containers`,
        value: cost / rounds,
        unit: 'µs',
        baseline: baseline / rounds,
        target: '≤ 1/20',
      });
      startUp.push(
        {
          what: `start to first export, ${count} containers`,
          value: firstExport,
          unit: 'ms',
          target: '≤ 1000 ms',
        },
        { what: `resident memory, ${count} containers`, value: rss, unit: 'MB', target: '≤ 90 MB with 20' },
      );
    }
    return [...results, ...startUp];
  } finally {
    await receiver.stop();
    rmSync(data, { recursive: true, force: true });
  }
}
