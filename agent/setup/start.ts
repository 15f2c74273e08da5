/**
 * `npm start`: the agent with its embedded default, on the machine's Docker daemon, or else on a private
 * one with three demo containers.
 */

import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline/promises';
import { fileURLToPath } from 'node:url';
import { connect } from '../../collectors/engine/client.ts';
import { findEndpoint } from '../../collectors/engine/endpoint.ts';
import { messageOf } from '../../collectors/shared/error-message.ts';
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

/** Why the daemon cannot be reached; undefined when it can. */
async function unreachable(dockerHost: string | undefined): Promise<string | undefined> {
  const endpoint = findEndpoint(dockerHost);
  try {
    await connect(endpoint).ping();
    return undefined;
  } catch (error) {
    return `no Docker daemon answers at ${endpoint.host} (${endpoint.origin}): ${messageOf(error)}`;
  }
}

/** What file and variables say; what is wrong with them is the agent's to tell. */
async function configuredHost(): Promise<string | undefined> {
  const loaded = await loadConfig().catch(() => undefined);
  return loaded?.config.docker_host;
}

const HOW_TO_GET_ONE = `To get one, install Docker Engine (on Debian or Ubuntu: sudo apt-get install docker.io) and start it \
(sudo systemctl start docker). If one runs already, name it (DOCKER_HOST=unix:///path/to/docker.sock npm start) and \
make sure that you may use it: as root, or as a member of the group docker.`;

async function agreed(): Promise<boolean> {
  if (!process.stdin.isTTY) return true;
  const prompt = createInterface({ input: process.stdin, output: process.stderr });
  const answer = await prompt.question('Go ahead? [Y/n] ');
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

/** Without it the agent works all the same. */
function preparePage(): void {
  try {
    buildPage();
  } catch (error) {
    say(messageOf(error));
  }
}

async function main(args: readonly string[]): Promise<number> {
  const noDocker = args.includes('--no-docker');
  const runArgs = args.filter((arg) => arg !== '--no-docker');
  preparePage();
  // With a host named on the command line, or asked for help, the agent itself has the word.
  const isAgents = runArgs.some((arg) => /^(--docker-host|--help|-h)\b/.test(arg));
  const reason = isAgents ? undefined : await unreachable(await configuredHost());
  if (reason === undefined) return runToEnd(process.execPath, [CLI, 'run', ...runArgs]);

  if (noDocker || !canInstall()) {
    say(`${reason}. ${HOW_TO_GET_ONE}`);
    return 1;
  }
  say(`${reason}.`);
  say(
    "This will install what is missing of Debian's packages docker.io and busybox-static, start a Docker daemon of its own " +
      '(own data, own socket, own network; nothing else on this machine is touched) and three demo containers in it, and observe those. ' +
      'Ctrl-C ends and deletes all of it but the packages. (npm start -- --no-docker does none of this.)',
  );
  if (!(await agreed())) return 1;

  // Until the agent runs, a signal must not leave a daemon behind.
  let interrupted = false;
  const interrupt = () => {
    interrupted = true;
  };
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, interrupt);
  const dockerd = await startPrivate();
  try {
    if (interrupted) return 130;
    say(`from another terminal: DOCKER_HOST=${dockerd.host} npm run -s portlight -- top`);
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
    say(messageOf(error));
    process.exitCode = 1;
  },
);
