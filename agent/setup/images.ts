/** Builds container images without a registry, from Debian's statically linked busybox. */
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import type Docker from 'dockerode';
import { type Pack, pack } from 'tar-stream';

const busybox = () => ['/bin/busybox', '/usr/bin/busybox'].find((path) => existsSync(path));

/** Debian packages that the images are built from. */
export const imagePackages = ['busybox-static'] as const;

/** Finalizes the layer and imports it as an image. */
export async function importLayer(
  docker: Docker,
  layer: Pack,
  repository: string,
  tag: string,
): Promise<void> {
  layer.finalize();
  const progress = await docker.importImage(layer as unknown as NodeJS.ReadableStream as never, {
    repo: repository,
    tag,
  });
  await new Promise<void>((resolve, reject) =>
    docker.modem.followProgress(progress, (error) => (error === null ? resolve() : reject(error))),
  );
}

/**
 * Imports an image with busybox and all its commands.
 * @throws {Error} if busybox is not installed
 */
export async function importBusybox(docker: Docker, repository: string, tag: string): Promise<void> {
  const path = busybox();
  if (path === undefined) throw new Error('busybox is missing: install the package busybox-static');
  const layer = pack();
  // Named explicitly: a rootless daemon creates directories that are not named with access for their owner only.
  layer.entry({ name: 'bin', type: 'directory', mode: 0o755 });
  layer.entry({ name: 'bin/busybox', mode: 0o755 }, readFileSync(path));
  for (const command of execFileSync(path, ['--list'], { encoding: 'utf8' }).trim().split('\n')) {
    if (command !== 'busybox') layer.entry({ name: `bin/${command}`, type: 'symlink', linkname: 'busybox' });
  }
  layer.entry({ name: 'tmp', type: 'directory', mode: 0o1777 });
  layer.entry({ name: 'etc/passwd' }, 'root:x:0:0:root:/:/bin/sh\n');
  await importLayer(docker, layer, repository, tag);
}
