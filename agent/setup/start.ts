/**
 * `npm start`: runs the agent on the machine's Docker daemon. Without a daemon, starts a private one with three demo
 * containers and observes those.
 */

import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline/promises';
import { fileURLToPath } from 'node:url';
import { connectToDaemon } from '../../collectors/engine/client.ts';
import { findDaemonEndpoint } from '../../collectors/engine/daemon-endpoint.ts';
import { errorMessage } from '../../collectors/shared/error-message.ts';
import { loadConfig } from '../process/load-config.ts';
import { runToEnd } from './child.mjs';
import { startDemo } from './demo.ts';
import { clientOf, type PrivateDockerd, startDockerd } from './dockerd.ts';
import { imagePackages } from './images.ts';
import { canInstall, install, isInstalled } from './packages.ts';
import { buildPage } from './page.ts';

const PACKAGES = ['docker.io', ...imagePackages];
const CLI = join(dirname(fileURLToPath(import.meta.url)), '../cli.ts');

const say = (text: string) => console.error(`portlight: ${text}`);

/** Why the daemon cannot be reached; undefined if it answers. */
async function unreachable(dockerHost: string | undefined): Promise<string | undefined> {
  const endpoint = findDaemonEndpoint(dockerHost);
  try {
    await connectToDaemon(endpoint).ping();
    return undefined;
  } catch (error) {
    return `no Docker daemon answers at ${endpoint.host} (${endpoint.origin}): ${errorMessage(error)}`;
  }
}

/** `docker_host` from the file and the variables. The agent itself reports errors in them. */
async function readConfiguredHost(): Promise<string | undefined> {
  const loaded = await loadConfig().catch(() => undefined);
  return loaded?.config.docker_host;
}

const INSTALL_HINT = `To get one, install Docker Engine (on Debian or Ubuntu: sudo apt-get install docker.io) and start it \
(sudo systemctl start docker). If a daemon is already running, set its address (DOCKER_HOST=unix:///path/to/docker.sock \
npm start) and make sure that you have access to it: as root, or as a member of the group docker.`;

async function confirm(): Promise<boolean> {
  if (!process.stdin.isTTY) return true;
  const prompt = createInterface({ input: process.stdin, output: process.stderr });
  const answer = await prompt.question('Continue? [Y/n] ');
  prompt.close();
  return /^(y|yes|)$/i.test(answer.trim());
}

async function startPrivate(): Promise<PrivateDockerd> {
  const missing = PACKAGES.filter((name) => !isInstalled(name));
  if (missing.length > 0) {
    say(`installing ${missing.join(', ')}`);
    install(PACKAGES);
  }
  say('starting a private Docker daemon');
  const dockerd = await startDockerd({ ownNetwork: true });
  try {
    say('starting three demo containers');
    await startDemo(clientOf(dockerd.host));
    return dockerd;
  } catch (error) {
    await dockerd.stop();
    throw error;
  }
}

/** Builds the dashboard. The agent also works without it, so a failure is only reported. */
function prepareDashboard(): void {
  try {
    buildPage();
  } catch (error) {
    say(errorMessage(error));
  }
}

async function main(args: readonly string[]): Promise<number> {
  const noDocker = args.includes('--no-docker');
  const runArgs = args.filter((arg) => arg !== '--no-docker');
  prepareDashboard();
  // With --docker-host or --help, the agent itself reports what is wrong.
  const isHandledByAgent = runArgs.some((arg) => /^(--docker-host|--help|-h)\b/.test(arg));
  const reason = isHandledByAgent ? undefined : await unreachable(await readConfiguredHost());
  if (reason === undefined) return runToEnd(process.execPath, [CLI, 'run', ...runArgs]);

  if (noDocker || !canInstall()) {
    say(`${reason}. ${INSTALL_HINT}`);
    return 1;
  }
  say(`${reason}.`);
  say(
    'This installs the Debian packages docker.io and busybox-static if they are missing, starts a private Docker daemon with ' +
      'three demo containers, and observes those. The daemon has its own data, socket and network; nothing else on this ' +
      'machine changes. Ctrl-C stops and deletes all of it except the packages. To prevent this, run npm start -- --no-docker.',
  );
  if (!(await confirm())) return 1;

  // A signal that arrives before the agent runs must not leave a daemon behind.
  let interrupted = false;
  const interrupt = () => {
    interrupted = true;
  };
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, interrupt);
  const dockerd = await startPrivate();
  try {
    if (interrupted) return 130;
    say(`to use another terminal: DOCKER_HOST=${dockerd.host} npm run -s portlight -- top`);
    return await runToEnd(process.execPath, [
      CLI,
      'run',
      '--docker-host',
      dockerd.host,
      '--data-dir',
      `${dockerd.directory}/agent`,
      ...runArgs,
    ]);
  } finally {
    say('stopping the private Docker daemon');
    await dockerd.stop();
  }
}

main(process.argv.slice(2)).then(
  (code) => {
    process.exitCode = code;
  },
  (error) => {
    say(errorMessage(error));
    process.exitCode = 1;
  },
);
