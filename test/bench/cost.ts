/** CPU time and memory of processes, from /proc. */
import { readdirSync, readFileSync } from 'node:fs';

/**
 * CPU time that a process's threads have used, in µs (proc_pid_schedstat: nanoseconds on CPU). Threads that
 * have ended since are missing, which neither Node nor Go do as a habit.
 */
export function cpuMicros(pid: number): number {
  let nanos = 0;
  for (const thread of readdirSync(`/proc/${pid}/task`)) {
    try {
      nanos += Number(readFileSync(`/proc/${pid}/task/${thread}/schedstat`, 'utf8').split(' ')[0]);
    } catch {}
  }
  return nanos / 1000;
}

/** Resident memory, in MB. */
export function rssMegabytes(pid: number): number {
  return (Number(/^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))![1]) * 1024) / 1e6;
}

/** The process and its children (containerd is dockerd's), without the containers' shims. */
export function daemonPids(dockerd: number): number[] {
  const children = readdirSync('/proc').filter((name) => {
    try {
      return (
        /^\d+$/.test(name) &&
        new RegExp(`^PPid:\\s+${dockerd}$`, 'm').test(readFileSync(`/proc/${name}/status`, 'utf8'))
      );
    } catch {
      return false;
    }
  });
  return [dockerd, ...children.map(Number)];
}
