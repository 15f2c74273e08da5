/** Deploys the agent with the shipped recipes, as an operator would, on a daemon that the test starts. */
import { spawn } from 'node:child_process';
import { chownSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { join } from 'node:path';
import type { ExecutionContext } from 'ava';
import type { Receiver } from './receiver.ts';
import { temporaryDirectory } from './temporary.ts';
import { waitFor } from './wait.ts';

const root = join(import.meta.dirname, '../..');

/** Text of a shipped recipe in config/. */
export const recipe = (path: string): string => readFileSync(join(root, 'config', path), 'utf8');

/** The first shell command on a page of docs/ that starts with `start`, including its continuation lines. */
export function shownCommand(page: string, beginning: string): string {
  const text = readFileSync(join(root, 'docs', page), 'utf8').replace(/\\\n\s*/g, ' ');
  const command = text.split('\n').find((line) => line.replace(/^\$ /, '').startsWith(beginning));
  if (command === undefined) throw new Error(`docs/${page} shows no "${beginning}"`);
  return command.replace(/^\$ /, '');
}

/**
 * Makes receivers reachable from a daemon's own network namespace, at the address of its bridge.
 * @param pid process id of the daemon
 * @returns the URL of each
 */
export async function bridge(
  t: ExecutionContext,
  pid: number,
  receivers: readonly Receiver[],
): Promise<string[]> {
  const directory = temporaryDirectory(t);
  const ports = await Promise.all(
    receivers.map(async (receiver, index) => {
      const { port } = new URL(receiver.endpoint('http'));
      const server = createServer((near) => {
        const far = connect(Number(port), '127.0.0.1');
        for (const socket of [near, far]) socket.on('error', () => near.destroy() && far.destroy());
        near.pipe(far).pipe(near);
      });
      t.teardown(() => server.close());
      await new Promise<void>((resolve) => server.listen(join(directory, String(index)), resolve));
      return 4318 + index;
    }),
  );
  const program = `
    const { connect, createServer } = require('node:net');
    for (const [index, port] of ${JSON.stringify(ports)}.entries()) createServer((near) => {
      const far = connect(${JSON.stringify(directory)} + '/' + index);
      for (const socket of [near, far]) socket.on('error', () => near.destroy() && far.destroy());
      near.pipe(far).pipe(near);
    }).listen(port, '0.0.0.0', () => console.log('listens'));
  `;
  const child = spawn('nsenter', [`--net=/proc/${pid}/ns/net`, process.execPath, '--eval', program]);
  t.teardown(() => child.kill('SIGKILL'));
  let said = '';
  child.stdout.setEncoding('utf8').on('data', (text) => {
    said += text;
  });
  await waitFor('the bridge', () => said.match(/listens/g)?.length === ports.length);
  return ports.map((port) => `http://172.17.0.1:${port}`);
}

/** The settings of a unit, by key; the last one if a key repeats. */
export const readUnit = (text: string): Map<string, string> =>
  new Map([...text.matchAll(/^(\w+)=(.*)$/gm)].map(([, key = '', value = '']) => [key, value]));

/** Below the range that systemd uses for DynamicUser=. */
const USER = 61_999;

/**
 * Sets up what systemd sets up for a unit, as far as possible without systemd: user, groups, capabilities, no new
 * privileges, and a root file system that is read-only except for the state directory.
 * @returns a command to put before the unit's command, and its environment variables
 */
export function prepareUnit(t: ExecutionContext, unit: ReadonlyMap<string, string>, dockerGroup: number) {
  const state = join(temporaryDirectory(t), 'state');
  mkdirSync(state, { mode: Number.parseInt(unit.get('StateDirectoryMode')!, 8) });
  chownSync(state, USER, USER);
  const capabilities = (key: string) =>
    unit
      .get(key)!
      .split(' ')
      .map((name) => `+${name.replace(/^CAP_/, '').toLowerCase()}`)
      .join(',');
  const ambient = capabilities('AmbientCapabilities');
  const command = [
    ['unshare', '--mount', 'sh', '-c'],
    ['mount --bind "$0" "$0" && mount -o remount,bind,ro / && exec "$@"', state],
    ['setpriv', `--reuid=${USER}`, `--regid=${USER}`, `--groups=${dockerGroup}`],
    [`--inh-caps=-all,${ambient}`, `--ambient-caps=-all,${ambient}`],
    [`--bounding-set=-all,${capabilities('CapabilityBoundingSet')}`, '--no-new-privs'],
  ].flat();
  return { command, variables: { HOME: '/', STATE_DIRECTORY: state } };
}

interface PodSpec {
  readonly containers: readonly [
    {
      readonly image: string;
      readonly env: readonly { readonly name: string; readonly value?: string }[];
      readonly volumeMounts: readonly {
        readonly name: string;
        readonly mountPath: string;
        readonly readOnly?: boolean;
        readonly mountPropagation?: string;
      }[];
      readonly securityContext: {
        readonly runAsUser: number;
        readonly runAsGroup: number;
        readonly allowPrivilegeEscalation: boolean;
        readonly readOnlyRootFilesystem: boolean;
        readonly capabilities: { readonly drop: readonly string[]; readonly add: readonly string[] };
      };
    },
  ];
  readonly volumes: readonly { readonly name: string; readonly hostPath?: { readonly path: string } }[];
}

/**
 * `docker run …` for the container of a pod, as cri-dockerd would run it.
 * @param values of environment variables, which replace the pod's
 * @param sources of volumes, which replace the pod's
 */
export function podCommand(
  { containers: [container], volumes }: PodSpec,
  values: Readonly<Record<string, string>>,
  sources: Readonly<Record<string, string>>,
): string[] {
  const { capabilities, ...security } = container.securityContext;
  const source = (name: string) =>
    sources[name] ?? volumes.find((volume) => volume.name === name)!.hostPath!.path;
  return [
    ['run', '--detach', '--user', `${security.runAsUser}:${security.runAsGroup}`],
    security.readOnlyRootFilesystem ? ['--read-only'] : [],
    security.allowPrivilegeEscalation ? [] : ['--security-opt', 'no-new-privileges'],
    capabilities.drop.flatMap((name) => ['--cap-drop', name]),
    capabilities.add.flatMap((name) => ['--cap-add', name]),
    container.env.flatMap(({ name, value }) => ['--env', `${name}=${values[name] ?? value}`]),
    container.volumeMounts.flatMap(({ name, mountPath, readOnly, mountPropagation }) => {
      const options = [readOnly ? 'ro' : 'rw', ...(mountPropagation === 'HostToContainer' ? ['rslave'] : [])];
      return ['--volume', `${source(name)}:${mountPath}:${options}`];
    }),
    container.image,
  ].flat();
}

/** Writes files into a new directory. */
export function write(t: ExecutionContext, files: Readonly<Record<string, string>>): string {
  const directory = temporaryDirectory(t);
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(join(directory, path, '..'), { recursive: true });
    writeFileSync(join(directory, path), text);
  }
  return directory;
}
