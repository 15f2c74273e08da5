/** Starts HAProxy in front of a daemon's socket, with the shipped configuration. */

import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ExecutionContext } from 'ava';
import { SOMEBODY } from './identity.ts';
import { temporaryDirectory } from './temporary.ts';
import { waitFor } from './wait.ts';

const SHIPPED = join(import.meta.dirname, '../../config/socket-proxy/haproxy.cfg');

export interface SocketProxy {
  /** `unix:///…`, accessible to SOMEBODY. */
  readonly host: string;
  /** Requests so far, such as `GET /info 200`. */
  readonly requests: () => string[];
}

/** @param change edits the shipped configuration */
export async function socketProxy(
  t: ExecutionContext,
  daemon: string,
  change: (configuration: string) => string = (shipped) => shipped,
): Promise<SocketProxy> {
  const directory = temporaryDirectory(t, { uid: SOMEBODY, gid: SOMEBODY });
  const configuration = join(directory, 'haproxy.cfg');
  writeFileSync(configuration, change(readFileSync(SHIPPED, 'utf8')));
  const socket = join(directory, 'docker.sock');
  const proxy: ChildProcess = spawn('haproxy', ['-db', '-f', configuration], {
    env: {
      ...process.env,
      DOCKER_SOCKET: new URL(daemon).pathname,
      PORTLIGHT_SOCKET: socket,
      PORTLIGHT_GID: String(SOMEBODY),
    },
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  t.teardown(() => proxy.kill('SIGKILL'));
  let log = '';
  proxy.stderr!.setEncoding('utf8').on('data', (text: string) => {
    log += text;
  });
  await waitFor(`HAProxy; so far: ${log}`, () => existsSync(socket));
  return {
    host: `unix://${socket}`,
    requests: () => log.split('\n').filter((line) => /^[A-Z]+ \/\S* \d+$/.test(line)),
  };
}
