/**
 * `node test/forecast/record.ts`: runs all workloads at the same time on the daemon that the docker command uses, samples
 * their cgroups for an hour, and writes one series per workload to test/fixtures/forecast/. To try a workload:
 * `--only <part of its name> --minutes 5 --to <directory>`.
 */

import { parseArgs } from 'node:util';
import type Docker from 'dockerode';
import { clientOf } from '../../agent/setup/dockerd.ts';
import { findDaemonEndpoint, isLocal } from '../../collectors/engine/daemon-endpoint.ts';
import { errorMessage } from '../../collectors/shared/error-message.ts';
import { LABEL } from '../support/docker.ts';
import { MEBIBYTE } from '../support/units.ts';
import { importImages, removeImages } from './images.ts';
import { ENVIRONMENT, type MemoryWorkload, workloads } from './memory-workloads.ts';
import { Recorder } from './recorder.ts';
import { DIRECTORY } from './series.ts';

/** Label value of these containers; tests use others. */
const PURPOSE = 'forecast';
const LABELLED = { label: [`${LABEL}=${PURPOSE}`] };

function create(
  docker: Docker,
  { name, limit, image, command, host }: MemoryWorkload,
): Promise<Docker.Container> {
  return docker.createContainer({
    name,
    Image: image,
    Cmd: [...command],
    Env: [...ENVIRONMENT],
    Labels: { [LABEL]: PURPOSE },
    // Without swap, so that the kernel kills at the limit.
    HostConfig: { Memory: limit * MEBIBYTE, MemorySwap: limit * MEBIBYTE, NetworkMode: 'none', ...host },
  });
}

/** Includes those that a killed recording left. */
async function removeContainers(docker: Docker): Promise<void> {
  const ours = await docker.listContainers({ all: true, filters: LABELLED });
  await Promise.all(ours.map(({ Id }) => docker.getContainer(Id).remove({ force: true, v: true })));
}

async function record(
  docker: Docker,
  chosen: readonly MemoryWorkload[],
  minutes: number,
  stopping: AbortSignal,
): Promise<Recorder> {
  const ending = new AbortController();
  try {
    await removeContainers(docker);
    await importImages(docker);
    const events = await docker.getEvents({
      filters: { type: ['container'], ...LABELLED, event: ['start', 'oom', 'die'] },
      abortSignal: ending.signal,
    });
    const containers = await Promise.all(chosen.map((workload) => create(docker, workload)));
    const recorder = new Recorder(docker, chosen);
    const starting = Promise.all(containers.map((container) => container.start()));
    await Promise.race([
      recorder.follow(events),
      Promise.all([starting, recorder.sample(minutes, stopping)]),
    ]);
    return recorder;
  } finally {
    ending.abort();
    await removeContainers(docker);
    await removeImages(docker);
  }
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      minutes: { type: 'string', default: '60' },
      only: { type: 'string', default: '' },
      to: { type: 'string', default: DIRECTORY },
    },
  });
  const minutes = Number(values.minutes);
  if (!(minutes > 0)) throw new Error(`--minutes: "${values.minutes}" is not a number above 0`);
  const chosen = workloads.filter(({ name }) => name.includes(values.only));
  if (chosen.length === 0) throw new Error(`--only: no workload name contains "${values.only}"`);
  const endpoint = findDaemonEndpoint(undefined);
  if (!isLocal(endpoint))
    throw new Error(
      `${endpoint.origin}: ${endpoint.host} is not on this host; recording reads the host's cgroups`,
    );

  const stopping = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => stopping.abort());
  const recorder = await record(clientOf(endpoint.host), chosen, minutes, stopping.signal);
  recorder.write(values.to);
}

main().catch((error) => {
  console.error(`portlight forecast: ${errorMessage(error)}; nothing was written`);
  process.exitCode = 1;
});
