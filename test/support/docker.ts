/** Creates the tests' containers on the daemon that DOCKER_HOST names. */
import { randomBytes } from 'node:crypto';
import type { ExecutionContext } from 'ava';
import Docker from 'dockerode';
import { importBusybox } from '../../agent/setup/images.ts';
import { waitFor } from './wait.ts';

export const LABEL = 'portlight.test';
/** Label of containers with large logs, which only their own test reads. */
export const FLOOD = 'portlight.test.flood';
const REPOSITORY = 'portlight-test';
export const IMAGE = `${REPOSITORY}:busybox`;

/** A client that may write, unlike the agent's. */
export const docker = new Docker({ socketPath: new URL(process.env.DOCKER_HOST!).pathname });

export async function ensureImage(): Promise<void> {
  const exists = await docker
    .getImage(IMAGE)
    .inspect()
    .then(
      () => true,
      () => false,
    );
  if (!exists) await importBusybox(docker, REPOSITORY, 'busybox');
}

export interface ContainerOptions {
  /** Shell script to run. */
  readonly script: string;
  readonly name?: string;
  readonly tty?: boolean;
  readonly labels?: Record<string, string>;
  readonly host?: Docker.HostConfig;
  /** Further fields of the create request. */
  readonly create?: Docker.ContainerCreateOptions;
}

/** A unique container name. */
export const uniqueName = (purpose: string): string =>
  `portlight-test-${purpose}-${randomBytes(4).toString('hex')}`;

/** Creates a container, which is removed when the test ends, passed or failed. */
export async function createContainer(
  t: ExecutionContext,
  options: ContainerOptions,
): Promise<Docker.Container> {
  const container = await docker.createContainer({
    name: options.name ?? uniqueName('container'),
    Image: IMAGE,
    Cmd: ['sh', '-c', options.script],
    Tty: options.tty ?? false,
    Labels: { [LABEL]: 'true', ...options.labels },
    HostConfig: { ...options.host },
    ...options.create,
  });
  t.teardown(() => container.remove({ force: true, v: true }).catch(() => {}));
  return container;
}

export async function runContainer(
  t: ExecutionContext,
  options: ContainerOptions,
): Promise<Docker.Container> {
  const container = await createContainer(t, options);
  await container.start();
  return container;
}

/** Pauses a container. Retries, because runc may fail to freeze a busy cgroup on cgroup v1. */
export async function pause(container: Docker.Container): Promise<void> {
  await waitFor('the container to be paused', () =>
    container.pause().then(
      () => true,
      (error: Error) => {
        if (!error.message.includes('unable to freeze')) throw error;
        return false;
      },
    ),
  );
}

/** Runs a shell script inside a container and waits for its end. */
export async function execute(container: Docker.Container, script: string): Promise<void> {
  const exec = await container.exec({ Cmd: ['sh', '-c', script], AttachStdout: true, AttachStderr: true });
  const stream = await exec.start({});
  stream.resume();
  await new Promise((resolve) => stream.on('end', resolve));
}
