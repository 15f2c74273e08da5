/** Builds peers from Go modules and reads their versions. */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

const run = promisify(execFile);

export type Obtained = { readonly path: string; readonly version: string } | { readonly absent: string };

/**
 * Runs `go build` beside a go.mod, with low priority.
 * @throws {Error} if Go is missing or the build fails
 */
export async function goBuild(directory: string, args: readonly string[]): Promise<void> {
  await run('go', ['version']).catch(() => {
    throw new Error('go is not installed');
  });
  await run('nice', ['-n', '19', 'go', 'build', '-trimpath', ...args], {
    cwd: directory,
    maxBuffer: 64 * 1024 * 1024,
  });
}

/** Version of a package's module, from the go.mod: a program that is built this way may not know its own. */
export async function moduleVersionOf(directory: string, what: string): Promise<string> {
  const { stdout } = await run('go', ['list', '-f', '{{.Module.Version}}', what], { cwd: directory });
  return stdout.trim().replace(/^v/, '');
}

/** The version that a program prints. */
export async function versionOf(path: string): Promise<string> {
  const { stdout, stderr } = await run(path, ['--version']);
  return /\d+\.\d+(\.\d+\S*)?/.exec(stdout + stderr)?.[0].replace(/,$/, '') ?? 'of no known version';
}
