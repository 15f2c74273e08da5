/**
 * The newest Docker Engine, from its Go modules at the versions of go.mod here: dockerd, docker-proxy, containerd with its
 * shim, and runc, for which Debian's is too old.
 */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { installPackages } from '../../setup.ts';
import { goBuild, type Obtained, versionOf } from '../obtain.ts';

/** To build runc, which links to libseccomp; and the daemons that the newest Engine is compared with. */
const PACKAGES = [
  'gcc',
  'libc6-dev',
  'libseccomp-dev',
  'pkg-config',
  'docker.io',
  'docker-registry',
  'podman',
];
/** The release series of the version in go.mod. The module does not contain it. */
const VERSION = '29.8';
const TAGS = ['netgo', 'osusergo', 'nri_no_wasm', 'seccomp'];
const FLAGS = `-s -w -X github.com/moby/moby/v2/dockerversion.Version=${VERSION}`;
const VERSIONED = ['dockerd', 'containerd', 'runc'];

/**
 * @returns the directory of its programs, below `directory`
 * @throws {Error} when it cannot be built
 */
export async function obtainDocker(directory: string): Promise<Obtained> {
  installPackages(PACKAGES);
  const path = join(directory, 'docker');
  mkdirSync(path, { recursive: true });
  await goBuild(import.meta.dirname, ['-tags', TAGS.join(), '-ldflags', FLAGS, '-o', `${path}/`, 'tool']);
  const versions = await Promise.all(
    VERSIONED.map(async (program) => `${program} ${await versionOf(join(path, program))}`),
  );
  return { path, version: versions.join(', ') };
}
