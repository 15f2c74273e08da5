/** CPU time and memory of processes, from /proc. */
import type { ChildProcess } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';

const MICROS_PER_TICK = 10_000;

function attempt<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch {
    return undefined;
  }
}

/** Fields of proc_pid_stat(5) from the third on; undefined once the process is gone. */
function statOf(pid: number): string[] | undefined {
  const text = attempt(() => readFileSync(`/proc/${pid}/stat`, 'latin1'));
  return text?.slice(text.lastIndexOf(')') + 2).split(' ');
}

const PARENT = 1;
const CHILDREN_USER = 13;
const CHILDREN_SYSTEM = 14;

/** The process and all its descendants. */
export function treeOf(pid: number): number[] {
  const parents = readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map((name) => [Number(name), Number(statOf(Number(name))?.[PARENT])] as const);
  const below = (of: number): number[] =>
    parents.filter(([, parent]) => parent === of).flatMap(([child]) => [child, ...below(child)]);
  return [pid, ...below(pid)];
}

/** The processes of a daemon: itself and containerd, without the containers' shims. */
export function daemonProcesses(pid: number): number[] {
  return treeOf(pid).filter((each) => {
    const name = attempt(() => readFileSync(`/proc/${each}/comm`, 'latin1').trim());
    return name === 'dockerd' || name === 'containerd';
  });
}

/**
 * CPU time of a process's threads, µs (proc_pid_schedstat: nanoseconds on a CPU), and of its children that have ended
 * (proc_pid_stat: ticks). Threads that have ended are missing; the programs here keep theirs.
 */
export function cpuMicros(pid: number): number {
  const threads = attempt(() => readdirSync(`/proc/${pid}/task`)) ?? [];
  const nanos = threads.reduce((sum, thread) => {
    const text = attempt(() => readFileSync(`/proc/${pid}/task/${thread}/schedstat`, 'latin1'));
    return sum + Number(text?.split(' ')[0] ?? 0);
  }, 0);
  const stat = statOf(pid);
  const ended = stat === undefined ? 0 : Number(stat[CHILDREN_USER]) + Number(stat[CHILDREN_SYSTEM]);
  return nanos / 1000 + ended * MICROS_PER_TICK;
}

export const cpuOfAll = (pids: readonly number[]): number =>
  pids.reduce((sum, pid) => sum + cpuMicros(pid), 0);

/** A field of proc_pid_status(5), which is in kB there, in MB. */
export function megabytes(pid: number, field: 'VmRSS' | 'VmHWM' | 'RssAnon' | 'RssFile' = 'VmRSS'): number {
  const text = readFileSync(`/proc/${pid}/status`, 'latin1');
  return (Number(new RegExp(`^${field}:\\s+(\\d+) kB$`, 'm').exec(text)![1]) * 1024) / 1e6;
}

/** Terminates a process and waits for its end. */
export async function end(child: ChildProcess, signal: NodeJS.Signals = 'SIGTERM'): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const gone = new Promise((resolve) => child.once('exit', resolve));
  child.kill(signal);
  await gone;
}

/** Kills a process and its descendants. */
export async function endTree(child: ChildProcess): Promise<void> {
  const [, ...below] = treeOf(child.pid!);
  await end(child, 'SIGKILL');
  for (const pid of below) attempt(() => process.kill(pid, 'SIGKILL'));
}
