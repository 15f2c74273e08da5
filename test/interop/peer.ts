/** Starts a peer for one test. */
import { spawn } from 'node:child_process';
import type { ExecutionContext } from 'ava';
import { freePort } from '../support/port.ts';
import { waitFor } from '../support/wait.ts';

export interface Running {
  /** Output so far. */
  log(): string;
  /** Kills it with SIGKILL. */
  kill(): Promise<unknown>;
}

interface PeerOptions {
  /** Time limit until it is ready, ms. */
  readonly within?: number;
  readonly cwd?: string;
  /** Environment variables, added to the test's. */
  readonly variables?: Readonly<Record<string, string>>;
}

/**
 * Starts a peer and waits until it is ready; killed when the test ends.
 * @param ready URL that responds with 200 once the peer is ready
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

/** A shipped file with some texts replaced for a test. */
export function replaced(text: string, replacements: Readonly<Record<string, string>>): string {
  let result = text;
  for (const [from, to] of Object.entries(replacements)) {
    if (!result.includes(from)) throw new Error(`there is no ${from} to replace`);
    result = result.replaceAll(from, to);
  }
  return result;
}

/**
 * A shipped file that listens on free ports of loopback instead of on every address.
 * @returns `own` maps a port of the file to its replacement
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

/** Removes the metrics port from a configuration of the Collector or of Jaeger. */
export const withoutOwnMetrics = (text: string): string =>
  replaced(text, { 'service:': 'service:\n  telemetry: {metrics: {level: none}}' });
