/**
 * Rounds over many cgroups, without a daemon: cgroups made by the bench, each with one sleeping process,
 * read and encoded by the agent's own collectors in a process of their own. As root.
 */
import { execFileSync, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseMountinfo } from '../../collectors/cgroup/locate.ts';
import type { Measured } from './measured.ts';

const COUNTS = [100, 300, 1000];
const PARENT = 'portlight-bench';
const V1 = ['cpu', 'cpuacct', 'memory', 'pids', 'blkio', 'freezer'];

/** The hierarchies' mount points that containers have cgroups in. */
function hierarchies(): string[] {
  const { v1, v2 } = parseMountinfo(readFileSync('/proc/self/mountinfo', 'utf8'));
  const points = V1.map((controller) => v1.get(controller)?.point).filter((point) => point !== undefined);
  return [...new Set([...points, ...(v2 === undefined ? [] : [v2.point])])];
}

/** A network of their own, with one pair of interfaces, as containers have. */
const IN_NETWORK = 'busybox ip link add eth0 type veth peer name eth1 && ';

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

export interface ScaleResult {
  /** CPU time of a round per container, µs. */
  cpuMicros: number;
  wallMs: number;
  longestBlockMs: number;
  /** Growth of resident memory per container, kB. */
  rssKilobytes: number;
  descriptors: number;
  points: number;
}

async function measure(count: number): Promise<ScaleResult> {
  const roots = hierarchies();
  const sleepers = execFileSync(
    'unshare',
    [
      '--net',
      'sh',
      '-c',
      `${IN_NETWORK}for i in $(seq ${count}); do busybox sleep 3600 > /dev/null 2>&1 < /dev/null & echo $!; done`,
    ],
    { encoding: 'utf8' },
  );
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
    const worker = spawn(
      process.execPath,
      [
        '--max-semi-space-size=1',

        join(import.meta.dirname, 'scale-worker.ts'),
      ],
      { stdio: ['pipe', 'pipe', 'inherit'] },
    );
    worker.stdin.end(JSON.stringify(containers));
    let output = '';
    worker.stdout.setEncoding('utf8').on('data', (text) => {
      output += text;
    });
    await new Promise((resolve) => worker.on('close', resolve));
    return JSON.parse(output) as ScaleResult;
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
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }
}

export async function scale(): Promise<Measured[]> {
  const results: Measured[] = [];
  for (const count of COUNTS) {
    const { cpuMicros, wallMs, longestBlockMs, rssKilobytes, descriptors, points } = await measure(count);
    const what = (text: string) => `${count} cgroups: ${text}`;
    results.push(
      {
        what: what(`CPU per container and round (${Math.round(points)} points)`),
        value: cpuMicros,
        unit: 'µs',
        target: '≤ 60 µs',
      },
      { what: what('wall time of a round'), value: wallMs, unit: 'ms', target: '' },
      { what: what('longest block of the event loop'), value: longestBlockMs, unit: 'ms', target: '≤ 20 ms' },
      { what: what('memory growth per container'), value: rssKilobytes, unit: 'kB', target: '≤ 60 kB' },
      { what: what('open descriptors'), value: descriptors, unit: '', target: '' },
    );
  }
  return results;
}

/** Number of cgroups and milliseconds of CPU that a round takes. */
export function costByCount(results: readonly Measured[]): [number, number][] {
  return results
    .filter(({ what }) => what.includes('CPU per container'))
    .map(({ what, value }) => {
      const count = Number.parseInt(what, 10);
      return [count, (count * value) / 1000];
    });
}
