/** A Docker daemon of our own, beside whatever else the machine has: own socket, own data, gone when stopped. */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
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

/**
 * @param args further arguments of dockerd
 * @throws {Error} with the daemon's last words when it does not start
 */
export async function startDockerd(args: readonly string[] = []): Promise<PrivateDockerd> {
  const directory = mkdtempSync(join(tmpdir(), 'portlight-dockerd-'));
  const host = `unix://${join(directory, 'docker.sock')}`;
  const log = join(directory, 'dockerd.log');
  const output = openSync(log, 'a');
  const child = spawn(
    'dockerd',
    [
      ['--host', host],
      ['--data-root', join(directory, 'data')],
      ['--exec-root', join(directory, 'exec')],
      ['--pidfile', join(directory, 'dockerd.pid')],
      args,
    ].flat(),
    // Out of the terminal's process group: Ctrl-C is for the agent, which the daemon outlives.
    { stdio: ['ignore', output, output], detached: true },
  );
  const failed = new Promise<never>((_, reject) => child.once('error', reject));
  const docker = clientOf(host);
  if (!(await Promise.race([answers(docker, child), failed]))) {
    child.kill('SIGKILL');
    const words = readFileSync(log, 'utf8').trim().split('\n').at(-1);
    rmSync(directory, { recursive: true, force: true });
    throw new Error(`dockerd did not start: ${words}`);
  }
  return {
    host,
    pid: child.pid!,
    directory,
    async stop() {
      const containers = await docker.listContainers({ all: true }).catch(() => []);
      await Promise.all(
        containers.map(({ Id }) =>
          docker
            .getContainer(Id)
            .remove({ force: true, v: true })
            .catch(() => {}),
        ),
      );
      child.kill('SIGTERM');
      await exited(child);
      rmSync(directory, { recursive: true, force: true, maxRetries: 5 });
    },
  };
}
