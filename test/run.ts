/**
 * `npm test`: checks and tests everything, on a Docker daemon of its own where none can be reached. Further
 * arguments go to AVA (`npm test -- test/unit`).
 */
import { spawn, spawnSync } from 'node:child_process';
import { cpSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { type PrivateDockerd, startDockerd } from '../agent/setup/dockerd.ts';
import { imagePackages } from '../agent/setup/images.ts';
import { canInstall, install, isInstalled } from '../agent/setup/packages.ts';
import { buildPage } from '../agent/setup/page.ts';
import { messageOf } from '../agent/telemetry.ts';
import { connect } from '../collectors/docker/client.ts';
import { findEndpoint } from '../collectors/docker/endpoint.ts';
import { browserPackages } from './support/browser.ts';
import { imageBuildPackages } from './support/image.ts';

/** Debian packages of what users run beside the agent. */
const PEERS = [
  'prometheus',
  'prometheus-alertmanager',
  'docker-compose',
  'docker-registry',
  'podman',
  'systemd',
  'netavark',
  'haproxy',
  'rootlesskit',
  'uidmap',
  'openssl',
  'openssh-client',
  'openssh-server',
  'faketime',
  'tmux',
  'zsh',
  'fish',
];

const root = join(import.meta.dirname, '..');
const say = (text: string) => console.error(`portlight test: ${text}`);

function bin(name: string): string {
  return join(root, 'node_modules/.bin', name);
}

function step(name: string, command: string, args: readonly string[]): boolean {
  say(name);
  return spawnSync(command, args, { cwd: root, stdio: 'inherit' }).status === 0;
}

function installPackages(names: readonly string[]): void {
  const missing = names.filter((name) => !isInstalled(name));
  if (missing.length === 0) return;
  if (!canInstall())
    throw new Error(`missing, and only root on Debian can install it here: ${missing.join(', ')}`);
  say(`installing ${missing.join(', ')}`);
  install(missing);
}

/** The daemon to test on: the one that can be reached, or one of our own. */
async function findDaemon(): Promise<{ host: string; own?: PrivateDockerd }> {
  const endpoint = findEndpoint(undefined);
  try {
    await connect(endpoint).ping();
    return { host: endpoint.host };
  } catch {
    installPackages(['docker.io']);
    say('starting a Docker daemon');
    const own = await startDockerd({ ownNetwork: false });
    return { host: own.host, own };
  }
}

/** Of what a person sees: commands, and alerts, which mostly wait. */
const BESIDE_EACH_OTHER = ['access', 'alerts', 'completion', 'terminal'].map((name) => `${name}.test.ts`);

/** What a person sees is looked at when all else is done, which would have it wait; and where each frame counts, alone. */
function runs(): readonly (readonly string[])[] {
  const seen = readdirSync(join(root, 'test/e2e')).filter((name) => name.endsWith('.test.ts'));
  const isBeside = (name: string) => BESIDE_EACH_OTHER.includes(name);
  const paths = (names: readonly string[]) => names.map((name) => `test/e2e/${name}`);
  return [
    ['unit', 'integration', 'faults'].map((folder) => `test/${folder}/**/*.test.ts`),
    ['--concurrency=2', '--serial', ...paths(seen.filter(isBeside))],
    ['--concurrency=1', '--serial', ...paths(seen.filter((name) => !isBeside(name)))],
  ];
}

interface Outcome {
  readonly passed: number;
  readonly failed: number;
}

/** AVA's output goes through us, so that its closing lines can be told in one. */
async function runAva(host: string, cli: string, args: readonly string[]): Promise<Outcome> {
  const child = spawn(process.execPath, [bin('ava'), ...args], {
    cwd: root,
    env: { ...process.env, DOCKER_HOST: host, NODE_ENV: 'test', PORTLIGHT_TEST_CLI: cli },
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
function build(): string {
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

async function main(args: readonly string[]): Promise<boolean> {
  const checked = [
    step('types', bin('tsc'), ['--noEmit']),
    step('types of the page', bin('tsc'), ['--noEmit', '--project', 'exporters/dashboard/page']),
    step('lint and format', bin('biome'), ['check', '.']),
  ].every(Boolean);
  installPackages([...imagePackages, ...imageBuildPackages, ...PEERS, ...browserPackages]);
  const cli = build();
  const { host, own } = await findDaemon();
  // Debian 13 has the client in a package of its own.
  if (spawnSync('docker', ['--version']).error !== undefined) installPackages(['docker-cli']);
  try {
    const outcomes: Outcome[] = [];
    for (const run of args.length === 0 ? runs() : [args]) outcomes.push(await runAva(host, cli, run));
    const sum = (which: keyof Outcome) => outcomes.reduce((total, outcome) => total + outcome[which], 0);
    console.log(`${sum('passed')} passed, ${sum('failed')} failed`);
    return sum('failed') === 0 && checked;
  } finally {
    if (own !== undefined) {
      say('stopping the Docker daemon');
      await own.stop();
    }
  }
}

main(process.argv.slice(2)).then(
  (passed) => {
    process.exitCode = passed ? 0 : 1;
  },
  (error) => {
    say(messageOf(error));
    process.exitCode = 1;
  },
);
