/** A peer's process, for one test. */
import { spawn } from 'node:child_process';
import type { ExecutionContext } from 'ava';
import { freePort } from '../support/port.ts';
import { waitFor } from '../support/wait.ts';

export interface Running {
  /** What it said of itself so far. */
  log(): string;
  /** Ends it as kill -9 does. */
  kill(): Promise<unknown>;
}

interface PeerOptions {
  /** How long it may take to be ready, ms. */
  readonly within?: number;
  readonly cwd?: string;
  /** Of its environment, beside ours. */
  readonly variables?: Readonly<Record<string, string>>;
}

/**
 * Starts a peer and waits until it answers; killed when the test ends.
 * @param ready a URL that answers with 200 once the peer can be used
 */
export async function startPeer(
  t: ExecutionContext,
  command: readonly string[],
  ready: string,
  { within, cwd, variables }: PeerOptions = {},
): Promise<Running> {
  const [program = '', ...args] = command;
  const child = spawn(program, args, { cwd, env: { ...process.env, ...variables } });
  let log = '';
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding('utf8').on('data', (text) => {
      log += text;
    });
  const ended = new Promise((resolve) => child.on('close', resolve));
  const kill = () => {
    child.kill('SIGKILL');
    return ended;
  };
  t.teardown(kill);
  const isReady = async () => {
    if (child.exitCode !== null) throw new Error(`${program} ended: ${log}`);
    return fetch(ready).then(
      (answer) => answer.ok,
      () => false,
    );
  };
  await waitFor(`${program} to be ready`, isReady, within);
  return { log: () => log, kill };
}

/** A file that is shipped, with what a test needs otherwise in the place of what it says. */
export function replaced(text: string, replacements: Readonly<Record<string, string>>): string {
  let result = text;
  for (const [from, to] of Object.entries(replacements)) {
    if (!result.includes(from)) throw new Error(`there is no ${from} to replace`);
    result = result.replaceAll(from, to);
  }
  return result;
}

/**
 * A file that is shipped, with free ports of loopback in the place of those that it listens on everywhere.
 * @returns `own` tells what a port of it has become
 */
export async function onLoopback(
  text: string,
  ports: readonly number[],
): Promise<{ text: string; own: (port: number) => number }> {
  const found = new Map<number, number>();
  for (const port of ports) found.set(port, await freePort());
  const places = [...found].map(([port, own]) => [`0.0.0.0:${port}`, `127.0.0.1:${own}`]);
  return { text: replaced(text, Object.fromEntries(places)), own: (port) => found.get(port)! };
}

/** A Collector's or Jaeger's configuration without the port on which it serves metrics of its own. */
export const withoutOwnMetrics = (text: string): string =>
  replaced(text, { 'service:': 'service:\n  telemetry: {metrics: {level: none}}' });
