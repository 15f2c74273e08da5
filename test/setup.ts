/** What the test runners share: Debian packages, a Docker daemon, the built agent, and AVA. */

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
    throw new Error(
      `Debian packages are missing: ${missing.join(', ')}. Install them, or run this as root on Debian.`,
    );
  say(`installing ${missing.join(', ')}`);
  install(missing);
}

/** The daemon to test on: the one that `docker` would use if it answers, else a new one. */
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

/** Runs `work` with a daemon; stops the daemon afterwards if it was started here. */
export async function withTestDaemon<T>(work: (host: string) => Promise<T>): Promise<T> {
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

/** Runs `main` with the command line's arguments; the process fails if it returns false or rejects. */
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

export interface TestCounts {
  readonly passed: number;
  readonly failed: number;
}

function runStep(name: string, command: string, args: readonly string[]): boolean {
  say(name);
  return spawnSync(command, args, { cwd: root, stdio: 'inherit' }).status === 0;
}

/** @returns whether types, lint and format are right; all three are checked */
export function checkSources(): boolean {
  return [
    runStep('types', bin('tsc'), ['--noEmit']),
    runStep('types of the page', bin('tsc'), ['--noEmit', '--project', 'exporters/dashboard/page']),
    runStep('lint and format', bin('biome'), ['check', '.']),
  ].every(Boolean);
}

/** The variables by which tests find the daemon and the built agent. */
export const onDaemon = (host: string, cli: string): Readonly<Record<string, string>> => ({
  DOCKER_HOST: host,
  PORTLIGHT_TEST_CLI: cli,
});

/**
 * Runs AVA and shows its output, in which it counts the results: several runs at a time end in one sum.
 * @param args AVA's arguments: files and options
 */
export async function runAva(
  args: readonly string[],
  variables: Readonly<Record<string, string>> = {},
): Promise<TestCounts> {
  const child = spawn(process.execPath, [bin('ava'), ...args], {
    cwd: root,
    env: { ...process.env, NODE_ENV: 'test', ...variables },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  // On an interrupt AVA ends first, so that what was started is still stopped.
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
 * Builds the agent for the tests, which start it hundreds of times: JavaScript starts in half the time of TypeScript.
 * The target is `.tested`, not `dist`: the test of the package builds `dist` itself.
 * @returns the path of the command
 */
export function build(): string {
  say('building the agent');
  const built = join(root, '.tested');
  rmSync(built, { recursive: true, force: true });
  const args = ['--project', 'tsconfig.build.json', '--outDir', built, '--declaration', 'false'];
  if (spawnSync(bin('tsc'), args, { cwd: root, stdio: 'inherit' }).status !== 0)
    throw new Error('the agent cannot be built');
  buildPage();
  cpSync(join(root, 'dist/page'), join(built, 'page'), { recursive: true });
  return join(built, 'agent/cli.js');
}
