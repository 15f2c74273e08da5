/** How peers are built from Go modules, and what they say of themselves. */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

const run = promisify(execFile);

export type Obtained = { readonly path: string; readonly version: string } | { readonly absent: string };

/**
 * `go build` beside a go.mod, at a low priority.
 * @throws {Error} where there is no Go, or it does not build
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

/** The version of the module that a package is from, by the go.mod there: what is built so need not know it itself. */
export async function moduleVersionOf(directory: string, what: string): Promise<string> {
  const { stdout } = await run('go', ['list', '-f', '{{.Module.Version}}', what], { cwd: directory });
  return stdout.trim().replace(/^v/, '');
}

/** What a program says of its version. */
export async function versionOf(path: string): Promise<string> {
  const { stdout, stderr } = await run(path, ['--version']);
  return /\d+\.\d+(\.\d+\S*)?/.exec(stdout + stderr)?.[0].replace(/,$/, '') ?? 'of no known version';
}
