/** Commands as a person runs them by hand. */
import { execFile, spawn } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { ExecutionContext } from 'ava';
import { temporaryDirectory } from './agent.ts';
import { waitFor } from './wait.ts';

const run = promisify(execFile);

/** `docker …` on the daemon that DOCKER_HOST names, or another; what it printed. */
export async function dockerCommand(
  args: readonly string[],
  host = process.env.DOCKER_HOST,
): Promise<string> {
  const { stdout } = await run('docker', args, {
    env: { ...process.env, DOCKER_HOST: host, DOCKER_BUILDKIT: '0' },
  });
  return stdout.trim();
}

export function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const { port } = server.address() as { port: number };
      server.close(() => resolve(port));
    });
  });
}

/** A registry on loopback, gone with the test; `127.0.0.1:port`. */
export async function startRegistry(t: ExecutionContext): Promise<string> {
  const directory = temporaryDirectory(t);
  const address = `127.0.0.1:${await freePort()}`;
  mkdirSync(join(directory, 'data'));
  const config = join(directory, 'config.yml');
  writeFileSync(
    config,
    `version: 0.1\nstorage:\n  filesystem:\n    rootdirectory: ${directory}/data\nhttp:\n  addr: ${address}\n`,
  );
  const registry = spawn('docker-registry', ['serve', config], { stdio: 'ignore' });
  t.teardown(() => registry.kill('SIGKILL'));
  await waitFor('the registry', () =>
    fetch(`http://${address}/v2/`).then(
      (answer) => answer.ok,
      () => false,
    ),
  );
  return address;
}
