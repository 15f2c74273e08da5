/** Makes cgroups like those of containers, each with one sleeping process, without a daemon. Needs root. */
import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseMountinfo } from '../../collectors/shared/cgroup-location.ts';

const PARENT = 'portlight-bench';
const V1 = ['cpu', 'cpuacct', 'memory', 'pids', 'blkio', 'freezer'];

export interface MadeContainer {
  readonly pid: number;
  readonly id: string;
}

/** Mount points of the hierarchies that hold containers' cgroups. */
function hierarchies(): string[] {
  const { v1, v2 } = parseMountinfo(readFileSync('/proc/self/mountinfo', 'utf8'));
  const points = V1.map((controller) => v1.get(controller)?.point).filter((point) => point !== undefined);
  return [...new Set([...points, ...(v2 === undefined ? [] : [v2.point])])];
}

/** A sleeping process with its own namespaces and a pair of interfaces, as in a container. */
const SLEEPER = `unshare --net --uts --ipc sh -c '
  busybox ip link add eth0 type veth peer name eth1
  exec busybox sleep 3600' > /dev/null 2>&1 < /dev/null`;

/** Enables every available controller on cgroup v2. */
function delegate(directory: string): void {
  const controllers = join(directory, 'cgroup.controllers');
  if (!existsSync(controllers)) return;
  for (const controller of readFileSync(controllers, 'utf8').trim().split(' ').filter(Boolean)) {
    try {
      writeFileSync(join(directory, 'cgroup.subtree_control'), `+${controller}`);
    } catch {}
  }
}

/** Runs `work` while there are processes in cgroups that are named like containers'. */
export async function withCgroups<T>(
  count: number,
  work: (containers: readonly MadeContainer[]) => Promise<T>,
): Promise<T> {
  const roots = hierarchies();
  const sleepers = execFileSync('sh', ['-c', `for i in $(seq ${count}); do ${SLEEPER} & echo $!; done`], {
    encoding: 'utf8',
  });
  const containers = sleepers
    .trim()
    .split('\n')
    .map((pid) => ({ pid: Number(pid), id: randomBytes(32).toString('hex') }));
  try {
    for (const root of roots) {
      mkdirSync(join(root, PARENT), { recursive: true });
      delegate(root);
      delegate(join(root, PARENT));
      for (const { pid, id } of containers) {
        mkdirSync(join(root, PARENT, id));
        writeFileSync(join(root, PARENT, id, 'cgroup.procs'), String(pid));
      }
    }
    return await work(containers);
  } finally {
    // A process that failed to start is gone already: that must not hide the error.
    for (const { pid } of containers) {
      try {
        process.kill(pid, 'SIGKILL');
      } catch {}
    }
    for (const root of roots) {
      for (const { id } of containers) await remove(join(root, PARENT, id));
      await remove(join(root, PARENT));
    }
  }
}

/** Removes a cgroup, which takes until its last process is gone. */
async function remove(directory: string): Promise<void> {
  for (let attempt = 0; attempt < 50; attempt++) {
    try {
      rmdirSync(directory);
      return;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return;
      await sleep(20);
    }
  }
}
