/**
 * A way to the socket of a daemon on another host, by the ssh command: with the user's own keys, agent, known hosts and
 * configuration. One connection carries any number of requests, as forwarded connections are no sessions, of which a
 * server allows only some. The far end is a command that reads our pipe: it ends with us, even where we are killed.
 * Source: ssh(1), -L; ssh_config(5), StreamLocalBindUnlink.
 */
import type { ChildProcess } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import type { Agent } from 'node:http';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { http } from '../shared/http.ts';

const FAR_SOCKET = '/var/run/docker.sock';
/** What ends when we do. */
const FAR_COMMAND = 'cat >/dev/null';
/** How long logging in may take. */
const OPEN_MS = 20_000;
const LOOK_MS = 20;
const OPTIONS = [
  // Nobody is there to be asked for a password.
  'BatchMode=yes',
  'ExitOnForwardFailure=yes',
  'StreamLocalBindUnlink=yes',
  'StreamLocalBindMask=0177',
  'ConnectTimeout=10',
  // A connection that is dead is noticed.
  'ServerAliveInterval=15',
  'ServerAliveCountMax=2',
];

/** Those that there are: whoever ends before ssh does leaves none behind. */
const directories = new Set<string>();
process.on('exit', () => {
  for (const directory of directories) remove(directory);
});

function remove(directory: string): void {
  directories.delete(directory);
  rmSync(directory, { recursive: true, force: true });
}

class SshTunnel {
  private readonly url: URL;
  private opening: Promise<string> | undefined;

  /** @param url `ssh://user@host:port`, and `/path` of a socket that is not Docker's own */
  constructor(url: URL) {
    this.url = url;
  }

  /**
   * The path of the near end.
   * @throws {Error} with what ssh says, where it cannot be had
   */
  open(): Promise<string> {
    this.opening ??= this.dig();
    return this.opening;
  }

  private dig(): Promise<string> {
    const opening: Promise<string> = this.begin(() => {
      // Another may have been begun since.
      if (this.opening === opening) this.opening = undefined;
    });
    return opening;
  }

  /** @param over called when it is of no use any more */
  private async begin(over: () => void): Promise<string> {
    // What starts processes is worth 4 MB of memory.
    const { spawn } = await import('node:child_process');
    const directory = mkdtempSync(join(tmpdir(), 'portlight-ssh-'));
    directories.add(directory);
    const near = join(directory, 'docker.sock');
    const { hostname, port, username, pathname } = this.url;
    const far = pathname.length > 1 ? decodeURIComponent(pathname) : FAR_SOCKET;
    const child = spawn(
      'ssh',
      [
        ...OPTIONS.flatMap((option) => ['-o', option]),
        ...(port === '' ? [] : ['-p', port]),
        ...(username === '' ? [] : ['-l', decodeURIComponent(username)]),
        ...['-T', '-L', `${near}:${far}`, '--', hostname.replace(/^\[|\]$/g, ''), FAR_COMMAND],
      ],
      { stdio: ['pipe', 'ignore', 'pipe'] },
    );
    let said = '';
    child.stderr!.setEncoding('utf8').on('data', (text: string) => {
      said = (said + text).slice(-1000);
    });
    const ended = new Promise<string>((resolve) => {
      child.on('error', ({ message }) => resolve(`ssh cannot be started: ${message}`));
      child.on('close', () => resolve(said.trim().split('\n').at(-1) || 'ssh ended'));
    });
    void ended.then(() => {
      over();
      remove(directory);
    });
    // The agent's end does not wait for it.
    unref(child);
    const failed = ended.then((reason) => Promise.reject(new Error(`ssh: ${reason}`)));
    failed.catch(() => {});
    await Promise.race([failed, appears(near)]).catch((error) => {
      child.kill();
      throw error;
    });
    return near;
  }
}

function unref(child: ChildProcess): void {
  child.unref();
  for (const stream of [child.stdin, child.stderr]) (stream as unknown as Socket).unref();
}

async function appears(path: string): Promise<void> {
  for (const begun = performance.now(); !existsSync(path); ) {
    if (performance.now() - begun > OPEN_MS) throw new Error(`ssh: not there after ${OPEN_MS / 1000} s`);
    await sleep(LOOK_MS);
  }
}

/** By the daemon's address: requests of one process share the way. */
const tunnels = new Map<string, SshTunnel>();

/** The way to a daemon of `ssh://`. */
function tunnelTo(host: string): SshTunnel {
  const tunnel = tunnels.get(host) ?? new SshTunnel(new URL(host));
  tunnels.set(host, tunnel);
  return tunnel;
}

/** Connects requests through the tunnel, which is dug when it is needed. */
export class SshTunnelAgent extends http.Agent {
  private readonly tunnel: SshTunnel;

  constructor(host: string) {
    super();
    this.tunnel = tunnelTo(host);
  }

  override createConnection(
    ...[, connected]: Parameters<Agent['createConnection']>
  ): ReturnType<Agent['createConnection']> {
    // Nobody reads the socket where there is an error.
    const failed = (error: Error) => (connected as ((error: Error) => void) | undefined)?.(error);
    this.tunnel.open().then((path) => {
      const socket = connect(path);
      socket.once('connect', () => connected?.(null, socket));
      socket.once('error', failed);
    }, failed);
    return undefined;
  }
}
