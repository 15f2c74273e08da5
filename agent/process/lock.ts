/**
 * Locks a data directory against a second agent: both would send, truncate and delete the same files. The lock is an
 * abstract socket name, which the kernel releases when the process ends. It works within one network namespace.
 */
import { mkdirSync, statSync } from 'node:fs';
import { createServer } from 'node:net';

/**
 * @returns a function that releases the lock
 * @throws {Error} when another process holds it
 */
export async function lockDirectory(directory: string): Promise<() => Promise<void>> {
  let name: string;
  try {
    mkdirSync(directory, { recursive: true, mode: 0o700 });
    const { dev, ino } = statSync(directory);
    // A leading zero byte makes the name abstract: it is not a file. See unix(7).
    name = `\0portlight/${dev}/${ino}`;
  } catch {
    // Those who write to the directory report that it is not available.
    return async () => {};
  }
  const server = createServer((socket) => socket.destroy()).unref();
  await new Promise<void>((resolve, reject) => {
    server.once('error', () =>
      reject(
        new Error(
          `data_dir: ${directory} is in use by another agent; expected a directory that no other agent uses`,
        ),
      ),
    );
    server.listen(name, resolve);
  });
  return () => new Promise((resolve) => server.close(() => resolve()));
}
