/**
 * Keeps a second agent away from a data directory: both would send, cut and remove the same files. The lock is the name
 * of a socket, which the kernel takes back with the process, however it ends; it holds in one network namespace.
 */
import { mkdirSync, statSync } from 'node:fs';
import { createServer } from 'node:net';

/**
 * @returns what gives it back
 * @throws {Error} when another process has it
 */
export async function lockDirectory(directory: string): Promise<() => Promise<void>> {
  let name: string;
  try {
    mkdirSync(directory, { recursive: true, mode: 0o700 });
    const { dev, ino } = statSync(directory);
    // The first byte makes it a name of the kernel's, and no file. See unix(7).
    name = `\0portlight/${dev}/${ino}`;
  } catch {
    // A directory that cannot be had is told of by whoever wants to write there.
    return async () => {};
  }
  const server = createServer((socket) => socket.destroy()).unref();
  await new Promise<void>((resolve, reject) => {
    server.once('error', () =>
      reject(new Error(`data_dir: ${directory} is in use by another agent; expected a directory of its own`)),
    );
    server.listen(name, resolve);
  });
  return () => new Promise((resolve) => server.close(() => resolve()));
}
