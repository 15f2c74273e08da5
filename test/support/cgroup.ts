/** The kernel's values of a container, read as simply as possible, to compare exported values with. */
import { existsSync, mkdirSync, readdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import type { ExecutionContext } from 'ava';
import { docker, uniqueName } from './docker.ts';

/** A file of the container's cgroup, on cgroup v1 or v2. */
export async function readCgroup(id: string, controller: string, file: string): Promise<string> {
  const { State } = await docker.getContainer(id).inspect();
  const lines = readFileSync(`/proc/${State.Pid}/cgroup`, 'utf8').trim().split('\n');
  const legacy = lines.find((line) => line.split(':')[1]!.split(',').includes(controller));
  const unified = lines.find((line) => line.startsWith('0::'));
  const path = (legacy ?? unified)!.split(':').slice(2).join(':');
  const root = legacy === undefined ? '/sys/fs/cgroup' : `/sys/fs/cgroup/${controller}`;
  return readFileSync(`${root}${path}/${file}`, 'utf8');
}

export const isV2 = existsSync('/sys/fs/cgroup/cgroup.controllers');

const keyed = (text: string, key: string) => Number(new RegExp(`^${key} (\\d+)$`, 'm').exec(text)![1]);

export interface KernelValues {
  /** Seconds. */
  cpuUser: number;
  cpuSystem: number;
  /** Bytes. */
  memoryUsage: number;
  inactiveFile: number;
  memoryLimit: number;
  pids: number;
}

export async function kernelValues(id: string): Promise<KernelValues> {
  if (isV2) {
    const cpu = await readCgroup(id, 'cpu', 'cpu.stat');
    return {
      cpuUser: keyed(cpu, 'user_usec') / 1e6,
      cpuSystem: keyed(cpu, 'system_usec') / 1e6,
      memoryUsage: Number(await readCgroup(id, 'memory', 'memory.current')),
      inactiveFile: keyed(await readCgroup(id, 'memory', 'memory.stat'), 'inactive_file'),
      memoryLimit: Number(await readCgroup(id, 'memory', 'memory.max')),
      pids: Number(await readCgroup(id, 'pids', 'pids.current')),
    };
  }
  const cpu = await readCgroup(id, 'cpuacct', 'cpuacct.stat');
  return {
    cpuUser: keyed(cpu, 'user') / 100,
    cpuSystem: keyed(cpu, 'system') / 100,
    memoryUsage: Number(await readCgroup(id, 'memory', 'memory.usage_in_bytes')),
    inactiveFile: keyed(await readCgroup(id, 'memory', 'memory.stat'), 'total_inactive_file'),
    memoryLimit: Number(await readCgroup(id, 'memory', 'memory.limit_in_bytes')),
    pids: Number(await readCgroup(id, 'pids', 'pids.current')),
  };
}

const V1_MEMORY = '/sys/fs/cgroup/memory';

/**
 * Creates a parent cgroup with a memory limit for all containers in it.
 * @returns its `--cgroup-parent`; undefined without cgroup v1
 */
export function limitedParent(t: ExecutionContext, bytes: number): string | undefined {
  if (!existsSync(`${V1_MEMORY}/memory.limit_in_bytes`)) return undefined;
  const parent = `/${uniqueName('parent')}`;
  mkdirSync(V1_MEMORY + parent);
  writeFileSync(`${V1_MEMORY}${parent}/memory.limit_in_bytes`, String(bytes));
  t.teardown(() => {
    // The daemon creates it in every other hierarchy.
    for (const controller of readdirSync('/sys/fs/cgroup')) {
      const directory = `/sys/fs/cgroup/${controller}${parent}`;
      if (existsSync(directory)) rmdirSync(directory);
    }
  });
  return parent;
}
