/** External commands: docker and a registry. */
import { execFile, spawn, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { ExecutionContext } from 'ava';
import { freePort } from './port.ts';
import { temporaryDirectory } from './temporary.ts';
import { waitFor } from './wait.ts';

const run = promisify(execFile);

/** Runs `docker …` on the daemon in DOCKER_HOST, or another one. @returns its output */
export async function dockerCommand(
  args: readonly string[],
  host = process.env.DOCKER_HOST,
): Promise<string> {
  const { stdout } = await run('docker', args, {
    env: { ...process.env, DOCKER_HOST: host, DOCKER_BUILDKIT: '0' },
  });
  return stdout.trim();
}

/** Media types of manifests: which one depends on how the image was pushed. */
const MANIFESTS = ['oci.image.manifest.v1', 'oci.image.index.v1', 'docker.distribution.manifest.v2'].map(
  (format) => `application/vnd.${format}+json`,
);

export interface Registry {
  /** `127.0.0.1:port` */
  readonly address: string;
  /** The digest of an image's manifest. */
  digestOf(repository: string, tag: string): string;
}

/** Starts a registry on loopback; it ends with the test. */
export async function startRegistry(
  t: ExecutionContext,
  /** The process whose network namespace it listens in; this one by default. */
  within = process.pid,
): Promise<Registry> {
  const directory = temporaryDirectory(t);
  const address = `127.0.0.1:${await freePort()}`;
  mkdirSync(join(directory, 'data'));
  const config = join(directory, 'config.yml');
  writeFileSync(
    config,
    `version: 0.1\nstorage:\n  filesystem:\n    rootdirectory: ${directory}/data\nhttp:\n  addr: ${address}\n`,
  );
  const network = within === process.pid ? [] : ['nsenter', `--net=/proc/${within}/ns/net`];
  const [program = '', ...args] = [...network, 'docker-registry', 'serve', config];
  const registry = spawn(program, args, { stdio: 'ignore' });
  t.teardown(() => registry.kill('SIGKILL'));
  const ask = (path: string, accept: string) => {
    const header = ['--header', `Accept: ${accept}`];
    const request = ['busybox', 'wget', '-q', '-O', '-', ...header, `http://${address}${path}`];
    const [asker = '', ...words] = [...network, ...request];
    return spawnSync(asker, words);
  };
  await waitFor('the registry', () => ask('/v2/', '*/*').status === 0);
  return {
    address,
    digestOf(repository, tag) {
      const { stdout } = ask(`/v2/${repository}/manifests/${tag}`, MANIFESTS.join());
      return `sha256:${createHash('sha256').update(stdout).digest('hex')}`;
    },
  };
}
