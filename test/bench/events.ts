/**
 * `npm run bench:events`: how long an event takes from the daemon to a receiver that has taken it, at 50 events a
 * second on a host with 100 containers, beside a bare reader of the daemon's event stream. On a daemon of its
 * own, with the built agent. Prints a table, and writes docs/performance-events.md.
 */
import { execFileSync, spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type Docker from 'dockerode';
import { clientOf, startDockerd } from '../../agent/setup/dockerd.ts';
import { importBusybox } from '../../agent/setup/images.ts';
import { readEvents } from '../../collectors/docker/event-stream.ts';
import { table } from '../../exporters/console/table.ts';
import { Receiver } from '../support/receiver.ts';
import { waitFor } from '../support/wait.ts';
import type { Measured } from './measured.ts';
import { eventsPerformancePage, HEAD, machineOf, quantile, rowsOf } from './report.ts';

const root = join(import.meta.dirname, '../..');
const CONTAINERS = 100;
const SECONDS = 30;
/** Until the agent has compiled what it runs often. */
const WARM_UP_SECONDS = 10;
/** A restart is seven events, a pause and its end two. */
const PAUSES_PER_SECOND = 18;
const RESTARTS_PER_SECOND = 2;
const BURST = 2000;

const nowMs = (): number => performance.timeOrigin + performance.now();
const ms = (nanos: bigint): number => Number(nanos / 1000n) / 1000;

async function startContainers(docker: Docker): Promise<Docker.Container[]> {
  const containers: Docker.Container[] = [];
  for (let index = 0; index < CONTAINERS; index++) {
    const container = await docker.createContainer({
      name: `bench-${index}`,
      Image: 'portlight-bench:busybox',
      Cmd: ['sh', '-c', 'trap exit TERM; while :; do sleep 3600 & wait; done'],
    });
    await container.start();
    containers.push(container);
  }
  return containers;
}

/** Some 50 events a second. */
async function stir(containers: readonly Docker.Container[], seconds: number): Promise<void> {
  const under: Promise<unknown>[] = [];
  const some = (index: number) => containers[index % containers.length]!;
  const end = Date.now() + seconds * 1000;
  for (let tick = 0; Date.now() < end; tick++) {
    const container = some(tick * 7);
    under.push(
      container
        .pause()
        .then(() => container.unpause())
        .catch(() => {}),
    );
    if (tick % (PAUSES_PER_SECOND / RESTARTS_PER_SECOND) === 0)
      under.push(
        some(tick * 7 + 3)
          .restart({ t: 1 })
          .catch(() => {}),
      );
    await sleep(1000 / PAUSES_PER_SECOND);
  }
  await Promise.all(under);
}

const dockerd = await startDockerd({ ownNetwork: true });
for (const signal of ['SIGINT', 'SIGTERM'] as const)
  process.once(signal, () => void dockerd.stop().finally(() => process.exit(1)));
const data = mkdtempSync(join(tmpdir(), 'portlight-bench-'));
const receiver = await Receiver.start();
execFileSync(process.execPath, [join(root, 'agent/setup/build.ts')], { stdio: 'inherit' });
const agent = spawn(join(root, 'dist/agent/cli.js'), ['run', '--listen', '127.0.0.1:0', '--data-dir', data], {
  env: {
    PATH: process.env.PATH,
    DOCKER_HOST: dockerd.host,
    OTEL_EXPORTER_OTLP_ENDPOINT: receiver.endpoint('http'),
  },
  stdio: ['ignore', 'ignore', 'inherit'],
});
const reading = new AbortController();
try {
  const docker = clientOf(dockerd.host);
  await importBusybox(docker, 'portlight-bench', 'busybox');
  const containers = await startContainers(docker);
  const isEvent = ({ eventName }: { eventName: string }) => eventName.startsWith('docker.');
  await stir(containers, WARM_UP_SECONDS);
  const bare: number[] = [];
  const since = BigInt(Date.now()) * 1_000_000n;
  const reader = (async () => {
    for await (const { timeNano } of readEvents(docker, since, reading.signal, () => {}))
      bare.push(nowMs() - ms(BigInt(timeNano)));
  })().catch(() => {});
  const before = receiver.logs.length;
  const begun = Date.now();
  await stir(containers, SECONDS);
  const took = (Date.now() - begun) / 1000;
  await sleep(500);
  reading.abort();
  await reader;
  const events = receiver.logs.slice(before).filter(isEvent);
  const ages = events.map(({ at, time }) => at - ms(time));

  const beforeBurst = receiver.logs.length;
  const image = docker.getImage('portlight-bench:busybox');
  const tags = Array.from({ length: BURST / 2 }, (_, index) => `t${index}`);
  const inParallel = async (act: (tag: string) => Promise<unknown>) => {
    const queue = [...tags];
    const next = async () => {
      for (let tag = queue.pop(); tag !== undefined; tag = queue.pop()) await act(tag);
    };
    await Promise.all(Array.from({ length: 8 }, next));
  };
  const burstBegun = Date.now();
  await inParallel((tag) => image.tag({ repo: 'burst', tag }));
  await inParallel((tag) => docker.getImage(`burst:${tag}`).remove());
  const burstTook = (Date.now() - burstBegun) / 1000;
  const burst = () =>
    receiver.logs.slice(beforeBurst).filter(({ eventName }) => /^docker\.image\.(un)?tag$/.test(eventName));
  // What does not come is told as what it is.
  await waitFor('the burst', () => burst().length >= BURST).catch(() => {});

  const results: Measured[] = [];
  const add = (what: string, value: number, unit: string, target: string, baseline?: number) =>
    results.push({ what, value, unit, target, ...(baseline === undefined ? {} : { baseline }) });
  add('events a second', events.length / took, '', '50');
  add('age on arrival, median', quantile(ages, 0.5), 'ms', '≤ 10 ms', quantile(bare, 0.5));
  add('age on arrival, 99 %', quantile(ages, 0.99), 'ms', '≤ 50 ms', quantile(bare, 0.99));
  add(`a burst of ${BURST}: arrived`, burst().length, '', String(BURST));
  add(`a burst of ${BURST}: events a second`, BURST / burstTook, '', '');
  const { Version } = await docker.version();
  writeFileSync(join(root, 'docs/performance-events.md'), eventsPerformancePage(results, machineOf(Version)));
  console.log(table(HEAD, rowsOf(results), ['Portlight', 'baseline', 'ratio']).join('\n'));
} finally {
  agent.kill();
  await receiver.stop();
  await dockerd.stop();
  rmSync(data, { recursive: true, force: true });
}
