/** Work that is measured in a process of its own, as nothing else has warmed it up or slows it down. */
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';

export interface WorkerOptions {
  readonly env?: Readonly<Record<string, string>>;
  /** Of Node. */
  readonly flags?: readonly string[];
  /** It is killed then; by default never. */
  readonly timeoutMs?: number;
}

/**
 * Gives a task to one of workers/, and gives back what it prints.
 * @throws {Error} when it has ended without a result
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
