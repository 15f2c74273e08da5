/** Cgroups as containers have them, each with one sleeping process, without a daemon. As root. */
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

/** The hierarchies' mount points that containers have cgroups in. */
function hierarchies(): string[] {
  const { v1, v2 } = parseMountinfo(readFileSync('/proc/self/mountinfo', 'utf8'));
  const points = V1.map((controller) => v1.get(controller)?.point).filter((point) => point !== undefined);
  return [...new Set([...points, ...(v2 === undefined ? [] : [v2.point])])];
}

/** Sleeps in namespaces of its own, with a pair of interfaces, as containers have them. */
const SLEEPER = `unshare --net --uts --ipc sh -c '
  busybox ip link add eth0 type veth peer name eth1
  exec busybox sleep 3600' > /dev/null 2>&1 < /dev/null`;

/** Enables on cgroup v2 what there is. */
function delegate(directory: string): void {
  const controllers = join(directory, 'cgroup.controllers');
  if (!existsSync(controllers)) return;
  for (const controller of readFileSync(controllers, 'utf8').trim().split(' ').filter(Boolean)) {
    try {
      writeFileSync(join(directory, 'cgroup.subtree_control'), `+${controller}`);
    } catch {}
  }
}

/** Processes in cgroups that bear ids as containers' do, for as long as the work takes. */
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
    for (const { pid } of containers) process.kill(pid, 'SIGKILL');
    for (const root of roots) {
      for (const { id } of containers) await remove(join(root, PARENT, id));
      await remove(join(root, PARENT));
    }
  }
}

/** A cgroup can be removed once its last process is gone. */
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
