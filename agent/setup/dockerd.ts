/** A private Docker daemon with its own socket and data, deleted when it stops. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, openSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import Docker from 'dockerode';

const START_MS = 60_000;
const STOP_MS = 30_000;

export interface PrivateDockerd {
  /** `unix:///…` */
  readonly host: string;
  readonly pid: number;
  /** Contains everything that the daemon keeps on disk. `stop` deletes it. */
  readonly directory: string;
  /** Sends the daemon a signal, as a fault would. `stop` still deletes its data. */
  kill(signal: NodeJS.Signals): void;
  /** As `kill`, and waits until the daemon has exited. */
  end(signal: NodeJS.Signals): Promise<void>;
  /** Removes the daemon's containers, stops the daemon, and deletes its data. */
  stop(): Promise<void>;
}

/** A client without the agent's restriction to GET requests: use it only with private daemons. */
export function clientOf(host: string): Docker {
  return new Docker({ socketPath: new URL(host).pathname });
}

async function answers(docker: Docker, child: ChildProcess): Promise<boolean> {
  for (const end = Date.now() + START_MS; Date.now() < end && child.exitCode === null; await sleep(100)) {
    if (
      await docker.ping().then(
        () => true,
        () => false,
      )
    )
      return true;
  }
  return false;
}

async function exited(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const gone = new Promise((resolve) => child.once('exit', resolve));
  await Promise.race([gone, sleep(STOP_MS, undefined, { ref: false })]);
  if (child.exitCode === null && child.signalCode === null) {
    child.kill('SIGKILL');
    await gone;
  }
}

/** Kills the shims and containers that a killed daemon left running. */
function killShims(directory: string): void {
  const processes = readdirSync('/proc').filter((name) => /^\d+$/.test(name));
  const read = (pid: string, file: string) => {
    try {
      return readFileSync(join('/proc', pid, file), 'utf8');
    } catch {
      return '';
    }
  };
  const shims = processes.filter(
    (pid) => read(pid, 'cmdline').includes(`${directory}/`) && pid !== String(process.pid),
  );
  const children = processes.filter((pid) =>
    shims.includes(/^PPid:\s+(\d+)$/m.exec(read(pid, 'status'))?.[1] ?? ''),
  );
  for (const pid of [...children, ...shims]) {
    try {
      process.kill(Number(pid), 'SIGKILL');
    } catch {}
  }
}

/** Unmounts what a killed daemon left mounted in its directory, and deletes the directory. */
function deleteDirectory(directory: string): void {
  const mounts = readFileSync('/proc/self/mounts', 'utf8')
    .split('\n')
    .map((line) => line.split(' ')[1] ?? '');
  for (const mount of mounts.filter((path) => path.startsWith(`${directory}/`)).reverse()) {
    spawnSync('umount', ['--lazy', mount]);
  }
  rmSync(directory, { recursive: true, force: true, maxRetries: 5 });
}

export interface DockerdOptions {
  /**
   * Whether the daemon gets its own network namespace. It then shares no bridge and no packet filter with another
   * daemon and leaves none behind. Its containers reach each other, and nothing outside.
   */
  readonly ownNetwork: boolean;
  /**
   * Whether the daemon gets its own mount namespace, with / shared as systemd sets it up. Containers can then see what
   * is mounted on the host later (rslave).
   */
  readonly ownMounts?: boolean;
  /** Where the daemon keeps its data; a new directory by default. */
  readonly directory?: string;
  /** The command that starts the daemon, instead of the one that `ownNetwork` selects. */
  readonly by?: readonly string[];
  /** The daemon's host name; this host's name by default. */
  readonly hostname?: string;
  /** Further arguments of dockerd. */
  readonly args?: readonly string[];
}

const IN_OWN_MOUNTS = ['unshare', '--mount', '--propagation', 'shared'];
/** Enters a new network namespace, brings up its loopback, and executes the command. */
export const IN_OWN_NETWORK = [
  'unshare',
  '--net',
  'sh',
  '-c',
  'busybox ip link set lo up && exec "$@"',
  'sh',
];
/** Sets its own host name, and executes the command. */
const underName = (name: string) => [
  ...['unshare', '--uts', 'sh', '-c', 'busybox hostname "$1" && shift && exec "$@"', 'sh', name],
];

/**
 * @throws {Error} with the last line of the daemon's log if it does not start
 */
export async function startDockerd(options: DockerdOptions): Promise<PrivateDockerd> {
  const directory = options.directory ?? mkdtempSync(join(tmpdir(), 'portlight-dockerd-'));
  const host = `unix://${join(directory, 'docker.sock')}`;
  const log = join(directory, 'dockerd.log');
  // A killed predecessor left this file. If nothing reaps its containerd, that pid seems to be alive.
  rmSync(join(directory, 'exec/containerd/containerd.pid'), { force: true });
  const output = openSync(log, 'a');
  const [command = '', ...args] = [
    options.ownMounts ? IN_OWN_MOUNTS : [],
    options.by ?? (options.ownNetwork ? IN_OWN_NETWORK : []),
    options.hostname === undefined ? [] : underName(options.hostname),
    'dockerd',
    ['--host', host],
    ['--data-root', join(directory, 'data')],
    ['--exec-root', join(directory, 'exec')],
    ['--pidfile', join(directory, 'dockerd.pid')],
    options.args ?? [],
  ].flat();
  // Detached from the terminal's process group: Ctrl-C must reach the agent only, and the daemon outlives the agent.
  const child = spawn(command, args, { stdio: ['ignore', output, output], detached: true });
  const failed = new Promise<never>((_, reject) => child.once('error', reject));
  const docker = clientOf(host);
  if (!(await Promise.race([answers(docker, child), failed]))) {
    child.kill('SIGKILL');
    const lastLine = readFileSync(log, 'utf8').trim().split('\n').at(-1);
    deleteDirectory(directory);
    throw new Error(`dockerd did not start: ${lastLine}`);
  }
  return {
    host,
    pid: child.pid!,
    directory,
    kill: (signal) => void child.kill(signal),
    end(signal) {
      child.kill(signal);
      return exited(child);
    },
    async stop() {
      const containers = await docker.listContainers({ all: true }).catch(() => []);
      const removed = Promise.all(
        containers.map(({ Id }) =>
          docker
            .getContainer(Id)
            .remove({ force: true, v: true })
            .catch(() => {}),
        ),
      );
      // The daemon can hang while it removes a container. The remaining ones end with the daemon.
      await Promise.race([removed, sleep(STOP_MS, undefined, { ref: false })]);
      child.kill('SIGTERM');
      await exited(child);
      killShims(directory);
      deleteDirectory(directory);
    },
  };
}
