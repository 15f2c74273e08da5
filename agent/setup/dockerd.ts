/** A Docker daemon of our own, beside whatever else the machine has: own socket, own data, gone when stopped. */
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
  /** Everything that it keeps on disk; deleted with it. */
  readonly directory: string;
  /** Ends it as a fault would; `stop` still deletes its data. */
  kill(signal: NodeJS.Signals): void;
  /** As `kill`, and waits until it has ended. */
  end(signal: NodeJS.Signals): Promise<void>;
  /** Removes its containers, ends it, and deletes its data. */
  stop(): Promise<void>;
}

/** A client that may write: for daemons of our own only. */
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

/** Ends what a daemon that was killed could not end: its shims and their containers. */
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

/** Deletes the daemon's directory, and before it the mounts that a daemon that was killed has left there. */
function clear(directory: string): void {
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
   * Whether it gets a network namespace of its own. It then shares no bridge and no packet filter with
   * another daemon, and leaves none behind; its containers reach each other, and nothing outside.
   */
  readonly ownNetwork: boolean;
  /**
   * Whether it gets mounts of its own, with / shared as an init such as systemd has it: containers can then follow what is
   * mounted on the host (rslave).
   */
  readonly ownMounts?: boolean;
  /** Where it keeps everything; a new directory by default. */
  readonly directory?: string;
  /** The command that it is started by, instead of that for a network of its own. */
  readonly by?: readonly string[];
  /** What it calls its host; as we do by default. */
  readonly hostname?: string;
  /** What else it is told. */
  readonly args?: readonly string[];
}

const IN_OWN_MOUNTS = ['unshare', '--mount', '--propagation', 'shared'];
/** Enters a new network namespace, brings up its loopback, and becomes the command. */
export const IN_OWN_NETWORK = [
  'unshare',
  '--net',
  'sh',
  '-c',
  'busybox ip link set lo up && exec "$@"',
  'sh',
];
/** Takes a name of its own, and becomes the command. */
const underName = (name: string) => [
  ...['unshare', '--uts', 'sh', '-c', 'busybox hostname "$1" && shift && exec "$@"', 'sh', name],
];

/**
 * @throws {Error} with the daemon's last words when it does not start
 */
export async function startDockerd(options: DockerdOptions): Promise<PrivateDockerd> {
  const directory = options.directory ?? mkdtempSync(join(tmpdir(), 'portlight-dockerd-'));
  const host = `unix://${join(directory, 'docker.sock')}`;
  const log = join(directory, 'dockerd.log');
  // Of a killed predecessor: where nobody reaps its containerd, that pid seems to be alive.
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
  // Out of the terminal's process group: Ctrl-C is for the agent, which the daemon outlives.
  const child = spawn(command, args, { stdio: ['ignore', output, output], detached: true });
  const failed = new Promise<never>((_, reject) => child.once('error', reject));
  const docker = clientOf(host);
  if (!(await Promise.race([answers(docker, child), failed]))) {
    child.kill('SIGKILL');
    const words = readFileSync(log, 'utf8').trim().split('\n').at(-1);
    clear(directory);
    throw new Error(`dockerd did not start: ${words}`);
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
      // A daemon can hang on one of them: what is left of it ends with the daemon.
      await Promise.race([removed, sleep(STOP_MS, undefined, { ref: false })]);
      child.kill('SIGTERM');
      await exited(child);
      killShims(directory);
      clear(directory);
    },
  };
}
