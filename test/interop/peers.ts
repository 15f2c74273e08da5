/** Real back ends, each built or installed at the version that is pinned, so that a run can be repeated. */
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { canInstall, install, isInstalled } from '../../agent/setup/packages.ts';
import { obtainDocker } from './docker/build.ts';

const run = promisify(execFile);

export type Obtained = { readonly path: string; readonly version: string } | { readonly absent: string };

export interface Peer {
  /** What PORTLIGHT_PEER_<NAME> tells the path of, in upper case; tests of it are `<name>.test.ts`. */
  readonly name: string;
  /**
   * @param directory where what is built goes
   */
  obtain(directory: string): Promise<Obtained>;
}

/** Where a peer is, for its tests; undefined where it could not be had. */
export const pathOf = (name: string): string | undefined => process.env[variableOf(name)];

export const variableOf = (name: string): string => `PORTLIGHT_PEER_${name.toUpperCase().replace('-', '_')}`;

async function versionOf(path: string): Promise<string> {
  const { stdout, stderr } = await run(path, ['--version']);
  return /\d+\.\d+\.\d+\S*/.exec(stdout + stderr)?.[0].replace(/,$/, '') ?? 'of no known version';
}

const reasonOf = (error: unknown): string => {
  const { stderr, message } = error as Error & { stderr?: string };
  return (stderr || message).trim().split('\n').at(-1)!;
};

/** A program of a Debian package. */
async function debian(name: string, program = name): Promise<Obtained> {
  if (!isInstalled(name)) {
    if (!canInstall()) return { absent: `only root on Debian can install ${name}` };
    install([name]);
  }
  const path = `/usr/bin/${program}`;
  return { path, version: await versionOf(path) };
}

/**
 * A program built from Go modules, beside whose go.mod it is.
 * @param what the package to build
 */
async function goProgram(folder: string, path: string, what = '.'): Promise<Obtained> {
  const hasGo = await run('go', ['version']).then(
    () => true,
    () => false,
  );
  if (!hasGo) return { absent: 'go is not installed' };
  await run('nice', ['-n', '19', 'go', 'build', '-trimpath', '-o', path, what], {
    cwd: join(import.meta.dirname, folder),
    maxBuffer: 64 * 1024 * 1024,
  });
  return { path, version: await versionOf(path) };
}

/** A peer that could not be had is one that is absent, whatever the reason. */
const peer = (name: string, obtain: Peer['obtain']): Peer => ({
  name,
  obtain: (directory) => obtain(directory).catch((error) => ({ absent: reasonOf(error) })),
});

export const peers: readonly Peer[] = [
  peer('collector', (directory) => goProgram('collector', join(directory, 'otelcol'))),
  peer('prometheus', (directory) =>
    goProgram('prometheus', join(directory, 'prometheus'), 'github.com/prometheus/prometheus/cmd/prometheus'),
  ),
  peer('prometheus-debian', () => debian('prometheus')),
  peer('alertmanager', () => debian('prometheus-alertmanager')),
  peer('docker', obtainDocker),
];
