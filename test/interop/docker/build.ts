/**
 * The newest Docker Engine, from its Go modules at the versions of go.mod here: dockerd, docker-proxy, containerd with its
 * shim, and runc, which Debian's is too old for.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { canInstall, install, isInstalled } from '../../../agent/setup/packages.ts';
import type { Obtained } from '../peers.ts';

/** runc confines by libseccomp, in C. */
const PACKAGES = ['gcc', 'libc6-dev', 'libseccomp-dev', 'pkg-config'];
/** The series that go.mod's version is of; the module itself does not say. */
const VERSION = '29.8';
const TAGS = ['netgo', 'osusergo', 'nri_no_wasm', 'seccomp'];
const FLAGS = `-s -w -X github.com/moby/moby/v2/dockerversion.Version=${VERSION}`;

/** @returns the directory of its programs, below `peers`, and what they are */
export function obtainDocker(peers: string): Obtained {
  if (spawnSync('go', ['version']).status !== 0) return { absent: 'go is not installed' };
  const missing = PACKAGES.filter((name) => !isInstalled(name));
  if (missing.length > 0 && !canInstall())
    return { absent: `missing, and only root on Debian can install it here: ${missing.join(', ')}` };
  install(missing);
  const path = join(peers, 'docker');
  mkdirSync(path, { recursive: true });
  const build = ['build', '-trimpath', '-tags', TAGS.join(), '-ldflags', FLAGS, '-o', `${path}/`, 'tool'];
  const built = spawnSync('nice', ['-n', '19', 'go', ...build], {
    cwd: import.meta.dirname,
    encoding: 'utf8',
  });
  if (built.status !== 0) return { absent: `it cannot be built: ${built.stderr.trim().split('\n').at(-1)}` };
  const versions = ['dockerd', 'containerd', 'runc'].map((program) => {
    const said = execFileSync(join(path, program), ['--version'], { encoding: 'utf8' });
    return `${program} ${/\d+\.\d+(\.\d+)?/.exec(said)?.[0]}`;
  });
  return { path, version: versions.join(', ') };
}
