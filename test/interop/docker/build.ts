/**
 * The newest Docker Engine, from its Go modules at the versions of go.mod here: dockerd, docker-proxy, containerd with its
 * shim, and runc, for which Debian's is too old.
 */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { installPackages } from '../../setup.ts';
import { goBuild, type Obtained, versionOf } from '../obtain.ts';

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
const TOLD = ['dockerd', 'containerd', 'runc'];

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
    TOLD.map(async (program) => `${program} ${await versionOf(join(path, program))}`),
  );
  return { path, version: versions.join(', ') };
}
