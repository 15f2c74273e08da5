/** What runs of tests share: packages, a Docker daemon, the built agent, and AVA. */

import { spawn, spawnSync } from 'node:child_process';
import { cpSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { type PrivateDockerd, startDockerd } from '../agent/setup/dockerd.ts';
import { canInstall, install, isInstalled } from '../agent/setup/packages.ts';
import { buildPage } from '../agent/setup/page.ts';
import { connectToDaemon } from '../collectors/engine/client.ts';
import { findDaemonEndpoint } from '../collectors/engine/daemon-endpoint.ts';
import { errorMessage } from '../collectors/shared/error-message.ts';

export const root = join(import.meta.dirname, '..');
export const say = (text: string) => console.error(`portlight test: ${text}`);

export function bin(name: string): string {
  return join(root, 'node_modules/.bin', name);
}

export function installPackages(names: readonly string[]): void {
  const missing = names.filter((name) => !isInstalled(name));
  if (missing.length === 0) return;
  if (!canInstall())
    throw new Error(`missing, and only root on Debian can install it here: ${missing.join(', ')}`);
  say(`installing ${missing.join(', ')}`);
  install(missing);
}

/** The daemon to test on: the one that can be reached, or one of our own. */
async function findDaemon(): Promise<{ host: string; own?: PrivateDockerd }> {
  const endpoint = findDaemonEndpoint(undefined);
  try {
    await connectToDaemon(endpoint).ping();
    return { host: endpoint.host };
  } catch {
    installPackages(['docker.io']);
    say('starting a Docker daemon');
    const own = await startDockerd({ ownNetwork: false });
    return { host: own.host, own };
  }
}

/** Has the work done on a daemon, which is stopped after it where it is our own. */
export async function withDaemon<T>(work: (host: string) => Promise<T>): Promise<T> {
  const { host, own } = await findDaemon();
  try {
    return await work(host);
  } finally {
    if (own !== undefined) {
      say('stopping the Docker daemon');
      await own.stop();
    }
  }
}

/** Runs a program with the arguments that were given: it fails where `main` says so, or cannot go on. */
export function conclude(main: (args: readonly string[]) => Promise<boolean>): void {
  main(process.argv.slice(2)).then(
    (passed) => {
      process.exitCode = passed ? 0 : 1;
    },
    (error) => {
      say(errorMessage(error));
      process.exitCode = 1;
    },
  );
}

export interface Outcome {
  readonly passed: number;
  readonly failed: number;
}

/** AVA's output goes through us, so that its closing lines can be told in one. */
export async function runAva(
  host: string,
  cli: string,
  args: readonly string[],
  variables: Readonly<Record<string, string>> = {},
): Promise<Outcome> {
  const child = spawn(process.execPath, [bin('ava'), ...args], {
    cwd: root,
    env: { ...process.env, DOCKER_HOST: host, NODE_ENV: 'test', PORTLIGHT_TEST_CLI: cli, ...variables },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  // Interrupted, the tests end, and what was started is still stopped.
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => child.kill('SIGTERM'));
  let output = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    output += text;
    process.stdout.write(text);
  });
  const code = await new Promise((resolve) => child.on('close', resolve));
  const count = (pattern: RegExp) => output.match(pattern)?.length ?? 0;
  return {
    passed: count(/^\s*✔ /gm),
    failed: Math.max(count(/^\s*✘ /gm), code === 0 ? 0 : 1),
  };
}

/**
 * Agents are started hundreds of times, and JavaScript takes half the time to start. It is built in a place of its own: a
 * test of the package builds anew what is published.
 * @returns the path of the command
 */
export function build(): string {
  say('building what is tested');
  const built = join(root, '.tested');
  rmSync(built, { recursive: true, force: true });
  const args = ['--project', 'tsconfig.build.json', '--outDir', built, '--declaration', 'false'];
  if (spawnSync(bin('tsc'), args, { cwd: root, stdio: 'inherit' }).status !== 0)
    throw new Error('what is tested cannot be built');
  buildPage();
  cpSync(join(root, 'dist/page'), join(built, 'page'), { recursive: true });
  return join(built, 'agent/cli.js');
}
