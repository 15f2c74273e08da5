/** Runs measured work in a separate process, where nothing else has warmed it up or slows it down. */
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';

export interface WorkerOptions {
  readonly env?: Readonly<Record<string, string>>;
  /** Node's flags. */
  readonly flags?: readonly string[];
  /** Kills the process after this time; never by default. */
  readonly timeoutMs?: number;
}

/**
 * Runs a task in one of workers/ and returns the result that it prints.
 * @throws {Error} when it ends without a result
 */
export async function runWorker<Result>(
  name: string,
  task: unknown,
  { env = {}, flags = [], timeoutMs }: WorkerOptions = {},
): Promise<Result> {
  const worker = spawn(
    process.execPath,
    ['--max-semi-space-size=1', ...flags, join(import.meta.dirname, `workers/${name}.ts`)],
    {
      env: { PATH: process.env.PATH, ...env },
      stdio: ['pipe', 'pipe', 'inherit'],
      ...(timeoutMs === undefined ? {} : { timeout: timeoutMs }),
    },
  );
  worker.stdin.end(JSON.stringify(task));
  const output = await text(worker.stdout);
  if (output === '') throw new Error(`workers/${name}.ts has ended without a result`);
  return JSON.parse(output) as Result;
}
