/** Starts the built agent, and the Docker daemon with containers that it observes. */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type Docker from 'dockerode';
import { clientOf, type PrivateDockerd, startDockerd } from '../../agent/setup/dockerd.ts';
import { importBusybox } from '../../agent/setup/images.ts';
import { makeTemporaryDirectory } from '../support/temporary.ts';
import type { BenchInput } from './bench.ts';
import { type CountingReceiver, startReceiver } from './receiver.ts';

export const BENCH_IMAGE = 'portlight-bench:busybox';

/** Node's flags to write CPU and heap profiles into a directory when the process ends. */
export function profiling(profiles: string | undefined, name: string): string[] {
  if (profiles === undefined) return [];
  const directory = join(profiles, name);
  mkdirSync(directory, { recursive: true });
  return ['--cpu-prof', '--heap-prof'].flatMap((flag) => [flag, `${flag}-dir=${directory}`]);
}

/** Builds the agent into dist/. */
export function buildAgent(): void {
  execFileSync(process.execPath, [join(import.meta.dirname, '../../agent/setup/build.ts')], {
    stdio: 'inherit',
  });
}

export interface Observer {
  /** URL of the OTLP receiver. */
  readonly endpoint: string;
  /** `none` for an agent without a daemon. */
  readonly dockerHost: string;
  readonly interval?: string;
  /** Directory for profiles. */
  readonly name: string;
  readonly args?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** Node's flags. */
  readonly flags?: readonly string[];
}

export function spawnObserver(
  { cli, profiles }: BenchInput,
  { endpoint, dockerHost, interval = '10s', name, args = [], env = {}, flags = [] }: Observer,
): ChildProcess {
  const directory = makeTemporaryDirectory();
  const child = spawn(
    cli,
    [
      'run',
      ...['--docker-host', dockerHost],
      ...['--listen', '127.0.0.1:0'],
      ...['--data-dir', directory.path],
      ...['--interval', interval],
      ...args,
    ],
    {
      env: {
        PATH: process.env.PATH,
        OTEL_EXPORTER_OTLP_ENDPOINT: endpoint,
        NODE_OPTIONS: [...profiling(profiles, name), ...flags].join(' '),
        ...env,
      },
      // Only errors are of interest.
      stdio: ['ignore', 'ignore', 'inherit'],
    },
  );
  child.once('exit', directory.remove);
  return child;
}

/** A Docker daemon that ends with the bench, however the bench ends. */
export async function withBenchDaemon<T>(
  work: (dockerd: PrivateDockerd, docker: Docker) => Promise<T>,
): Promise<T> {
  const dockerd = await startDockerd({ ownNetwork: true });
  const interrupted = () => void dockerd.stop().finally(() => process.exit(1));
  process.once('SIGINT', interrupted).once('SIGTERM', interrupted);
  try {
    const docker = clientOf(dockerd.host);
    await importBusybox(docker, 'portlight-bench', 'busybox');
    return await work(dockerd, docker);
  } finally {
    process.off('SIGINT', interrupted).off('SIGTERM', interrupted);
    await dockerd.stop();
  }
}

export interface BenchHost {
  readonly dockerd: PrivateDockerd;
  readonly docker: Docker;
  readonly receiver: CountingReceiver;
}

/** A Docker daemon for the bench, and a receiver that counts. */
export const withHost = <T>(work: (host: BenchHost) => Promise<T>, what?: 'counts' | 'ages'): Promise<T> =>
  withBenchDaemon(async (dockerd, docker) => {
    const receiver = await startReceiver(what);
    try {
      return await work({ dockerd, docker, receiver });
    } finally {
      receiver.stop();
    }
  });

/** Starts sleeping containers with a memory limit. */
export async function startContainers(docker: Docker, count: number, from = 0): Promise<Docker.Container[]> {
  const containers: Docker.Container[] = [];
  for (let index = from; index < count; index++) {
    const container = await docker.createContainer({
      name: `bench-${index}`,
      Image: BENCH_IMAGE,
      Cmd: ['sh', '-c', 'trap exit TERM; while :; do sleep 3600 & wait; done'],
      HostConfig: { Memory: 64 * 1024 * 1024 },
    });
    await container.start();
    containers.push(container);
  }
  return containers;
}
