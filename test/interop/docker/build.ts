/**
 * The newest Docker Engine, from its Go modules at the versions of go.mod here: dockerd, docker-proxy, containerd with its
 * shim, and runc, for which Debian's is too old.
 */
import { execFile } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { canInstall, install, isInstalled } from '../../../agent/setup/packages.ts';
import type { Obtained } from '../peers.ts';

const run = promisify(execFile);

/** What runc confines by, in C; and what the newest is compared with. */
const PACKAGES = [
  'gcc',
  'libc6-dev',
  'libseccomp-dev',
  'pkg-config',
  'docker.io',
  'docker-registry',
  'podman',
];
/** The series that go.mod's version is of; the module itself does not say. */
const VERSION = '29.8';
const TAGS = ['netgo', 'osusergo', 'nri_no_wasm', 'seccomp'];
const FLAGS = `-s -w -X github.com/moby/moby/v2/dockerversion.Version=${VERSION}`;

/**
 * @returns the directory of its programs, below `directory`
 * @throws {Error} when it cannot be built
 */
export async function obtainDocker(directory: string): Promise<Obtained> {
  const missing = PACKAGES.filter((name) => !isInstalled(name));
  if (missing.length > 0 && !canInstall())
    return { absent: `only root on Debian can install ${missing.join(', ')}` };
  install(missing);
  const hasGo = await run('go', ['version']).then(
    () => true,
    () => false,
  );
  if (!hasGo) return { absent: 'go is not installed' };
  const path = join(directory, 'docker');
  mkdirSync(path, { recursive: true });
  const build = ['build', '-trimpath', '-tags', TAGS.join(), '-ldflags', FLAGS, '-o', `${path}/`, 'tool'];
  await run('nice', ['-n', '19', 'go', ...build], {
    cwd: import.meta.dirname,
    maxBuffer: 64 * 1024 * 1024,
  });
  return { path, version: VERSION };
}
