/**
 * Forwards the socket of a daemon on another host through the ssh command, with the user's own keys, agent,
 * known hosts and configuration. One ssh connection carries any number of requests: forwarded connections are
 * no sessions, which a server limits. The remote command reads a pipe from the agent, so it ends with the
 * agent, even when that is killed.
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

const REMOTE_SOCKET = '/var/run/docker.sock';
/** Ends when the agent does. */
const REMOTE_COMMAND = 'cat >/dev/null';
/** How long the login may take. */
const OPEN_TIMEOUT_MS = 20_000;
const POLL_MS = 20;
const OPTIONS = [
  // Never ask for a password: nobody could answer.
  'BatchMode=yes',
  'ExitOnForwardFailure=yes',
  'StreamLocalBindUnlink=yes',
  'StreamLocalBindMask=0177',
  'ConnectTimeout=10',
  // Detect a dead connection.
  'ServerAliveInterval=15',
  'ServerAliveCountMax=2',
];

/** Directories of open tunnels. They are removed when the agent ends before ssh does. */
const directories = new Set<string>();
process.on('exit', () => {
  for (const directory of directories) removeDirectory(directory);
});

function removeDirectory(directory: string): void {
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
   * Opens the tunnel, unless it is open.
   * @returns the path of the local socket
   * @throws {Error} with the last message of ssh
   */
  open(): Promise<string> {
    this.opening ??= this.startOnce();
    return this.opening;
  }

  private startOnce(): Promise<string> {
    const opening: Promise<string> = this.startSsh(() => {
      // A newer tunnel may have been opened since.
      if (this.opening === opening) this.opening = undefined;
    });
    return opening;
  }

  /** @param onEnd called when ssh has ended */
  private async startSsh(onEnd: () => void): Promise<string> {
    // Loaded only here: node:child_process costs 4 MB of memory.
    const { spawn } = await import('node:child_process');
    const directory = mkdtempSync(join(tmpdir(), 'portlight-ssh-'));
    directories.add(directory);
    const localSocket = join(directory, 'docker.sock');
    const { hostname, port, username, pathname } = this.url;
    const remoteSocket = pathname.length > 1 ? decodeURIComponent(pathname) : REMOTE_SOCKET;
    const child = spawn(
      'ssh',
      [
        ...OPTIONS.flatMap((option) => ['-o', option]),
        ...(port === '' ? [] : ['-p', port]),
        ...(username === '' ? [] : ['-l', decodeURIComponent(username)]),
        ...[
          '-T',
          '-L',
          `${localSocket}:${remoteSocket}`,
          '--',
          hostname.replace(/^\[|\]$/g, ''),
          REMOTE_COMMAND,
        ],
      ],
      { stdio: ['pipe', 'ignore', 'pipe'] },
    );
    let output = '';
    child.stderr!.setEncoding('utf8').on('data', (text: string) => {
      output = (output + text).slice(-1000);
    });
    const ended = new Promise<string>((resolve) => {
      child.on('error', ({ message }) => resolve(`ssh cannot be started: ${message}`));
      child.on('close', () => resolve(output.trim().split('\n').at(-1) || 'ssh ended'));
    });
    void ended.then(() => {
      onEnd();
      removeDirectory(directory);
    });
    // ssh does not keep the agent running.
    unref(child);
    const failed = ended.then((reason) => Promise.reject(new Error(`ssh: ${reason}`)));
    failed.catch(() => {});
    await Promise.race([failed, waitForFile(localSocket)]).catch((error) => {
      child.kill();
      throw error;
    });
    return localSocket;
  }
}

function unref(child: ChildProcess): void {
  child.unref();
  for (const stream of [child.stdin, child.stderr]) (stream as unknown as Socket).unref();
}

/** @throws {Error} when the file does not exist in time */
async function waitForFile(path: string): Promise<void> {
  for (const startedAt = performance.now(); !existsSync(path); ) {
    if (performance.now() - startedAt > OPEN_TIMEOUT_MS)
      throw new Error(`ssh: no connection after ${OPEN_TIMEOUT_MS / 1000} s`);
    await sleep(POLL_MS);
  }
}

/** By the daemon's address: all requests of the process share one tunnel per daemon. */
const tunnels = new Map<string, SshTunnel>();

/** @param host `ssh://…` */
function sharedTunnel(host: string): SshTunnel {
  const tunnel = tunnels.get(host) ?? new SshTunnel(new URL(host));
  tunnels.set(host, tunnel);
  return tunnel;
}

/** Connects requests through the tunnel. The first request opens it. */
export class SshTunnelAgent extends http.Agent {
  private readonly tunnel: SshTunnel;

  constructor(host: string) {
    super();
    this.tunnel = sharedTunnel(host);
  }

  override createConnection(
    ...[, connected]: Parameters<Agent['createConnection']>
  ): ReturnType<Agent['createConnection']> {
    // The type wants a socket beside the error; Node does not read it.
    const failed = (error: Error) => (connected as ((error: Error) => void) | undefined)?.(error);
    this.tunnel.open().then((path) => {
      const socket = connect(path);
      socket.once('connect', () => connected?.(null, socket));
      socket.once('error', failed);
    }, failed);
    return undefined;
  }
}
