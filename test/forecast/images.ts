/** Images of the workloads, built from this machine's binaries. */
import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type Docker from 'dockerode';
import { pack } from 'tar-stream';
import { importBusybox, importLayer } from '../../agent/setup/images.ts';

const REPOSITORY = 'portlight-forecast';
export const BUSYBOX = `${REPOSITORY}:busybox`;
export const NODE = `${REPOSITORY}:node`;

const PROGRAMS = join(import.meta.dirname, 'programs');

/** Paths of the shared libraries that a binary needs, including its loader. */
function librariesOf(binary: string): string[] {
  const output = execFileSync('ldd', [binary], { encoding: 'utf8' });
  return [...output.matchAll(/(\/\S+) \(0x/g)].map((match) => match[1]!);
}

/** This process's Node, and the programs of `programs/`. */
async function importNode(docker: Docker): Promise<void> {
  const layer = pack();
  layer.entry({ name: 'bin/node', mode: 0o755 }, readFileSync(process.execPath));
  for (const path of librariesOf(process.execPath)) {
    layer.entry({ name: path.slice(1), mode: 0o755 }, readFileSync(path));
  }
  for (const name of readdirSync(PROGRAMS)) {
    layer.entry({ name: `programs/${name}` }, readFileSync(join(PROGRAMS, name)));
  }
  await importLayer(docker, layer, REPOSITORY, 'node');
}

/** Always imports again: the programs may have changed. This also loads their files into the page cache, charged to no workload. */
export async function importImages(docker: Docker): Promise<void> {
  await importBusybox(docker, REPOSITORY, 'busybox');
  await importNode(docker);
}

export async function removeImages(docker: Docker): Promise<void> {
  for (const image of [BUSYBOX, NODE]) await docker.getImage(image).remove({ force: true });
}
