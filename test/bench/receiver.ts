/** Starts the benches' receiver in a separate process, so that its cost is not measured. */
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import type { Counts } from './workers/receiver.ts';

export interface CountingReceiver {
  readonly endpoint: string;
  counts(): Promise<Counts>;
  /** Age of log records on arrival, ms, in order of arrival. */
  ages(): Promise<number[]>;
  stop(): void;
}

export async function startReceiver(what: 'counts' | 'ages' = 'counts'): Promise<CountingReceiver> {
  const child = spawn(process.execPath, [join(import.meta.dirname, 'workers/receiver.ts'), what], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const port = await new Promise((resolve) =>
    child.stdout.once('data', (text) => resolve(String(text).trim())),
  );
  const endpoint = `http://127.0.0.1:${port}`;
  const ask = async (path: string) => (await fetch(`${endpoint}${path}`)).json();
  return {
    endpoint,
    counts: async () => (await ask('/')) as Counts,
    ages: async () => (await ask('/ages')) as number[],
    stop: () => void child.kill(),
  };
}
