/** Records a container's cgroups on a real host into a file, for tests without such a host. */
import { mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { parseMembership, parseMountinfo } from '../../collectors/shared/cgroup-location.ts';
import { makeTemporaryDirectory } from './temporary.ts';

export interface Recording {
  readonly kernel: string;
  readonly id: string;
  /** The cgroup mounts in /proc/self/mountinfo. */
  readonly mountinfo: string;
  /** /proc/<pid>/cgroup */
  readonly membership: string;
  /** Content of files, by path. */
  readonly files: Readonly<Record<string, string>>;
}

/** Leaves out files that cannot be read, or that block. */
function textOf(path: string): string | undefined {
  try {
    return statSync(path).isFile() ? readFileSync(path, 'latin1') : undefined;
  } catch {
    return undefined;
  }
}

/** Writes the cgroup files of a running container and of its process to `path`. */
export function record(id: string, pid: number, path: string): void {
  const membership = readFileSync(`/proc/${pid}/cgroup`, 'utf8');
  const mountinfo = readFileSync('/proc/self/mountinfo', 'utf8')
    .split('\n')
    .filter((line) => / - cgroup2? /.test(line))
    .join('\n');
  const { v1, v2 } = parseMountinfo(mountinfo);
  const files: Record<string, string> = {};
  for (const [controller, own] of parseMembership(membership)) {
    const mount = controller === '' ? v2 : v1.get(controller);
    if (mount === undefined) continue;
    const directory = join(mount.point, own);
    for (const name of readdirSync(directory)) {
      const text = textOf(join(directory, name));
      if (text !== undefined) files[join(directory, name)] = text;
    }
  }
  const kernel = readFileSync('/proc/sys/kernel/osrelease', 'utf8').trim();
  const recording: Recording = { kernel, id, mountinfo, membership, files };
  writeFileSync(path, `${JSON.stringify(recording, null, 1)}\n`);
}

export interface Replay {
  readonly procfs: string;
  readonly pid: number;
  /** Content of a file in the container's cgroup, in a controller's hierarchy. */
  read(controller: string, file: string): string;
  remove(): void;
}

/** Restores a recording in a temporary directory, with a matching /proc. */
export function replay({ id, mountinfo, membership, files }: Recording): Replay {
  const { path: root, remove } = makeTemporaryDirectory();
  const write = (path: string, text: string) => {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), text, 'latin1');
  };
  const pid = 42;
  // The fifth column is the mount point.
  const moved = mountinfo.replaceAll(/^((?:\S+ ){4})/gm, `$1${root}`);
  write('proc/self/mountinfo', moved);
  write(`proc/${pid}/cgroup`, membership);
  for (const [path, text] of Object.entries(files)) write(path, text);
  const paths = parseMembership(membership);
  const { v1, v2 } = parseMountinfo(moved);
  return {
    procfs: join(root, 'proc'),
    pid,
    read(controller, file) {
      const legacy = v1.get(controller);
      const own = (legacy === undefined ? paths.get('') : paths.get(controller))!;
      if (!own.includes(id)) throw new Error(`${own} is not the container's`);
      return readFileSync(join((legacy ?? v2)!.point, own, file), 'latin1');
    },
    remove,
  };
}
