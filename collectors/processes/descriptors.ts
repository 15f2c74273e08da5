/**
 * Open file descriptors of processes.
 * Source: proc_pid_fd(5), proc_pid_limits(5).
 */
import { readdirSync, readlinkSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { descriptorLimit, isDenied, readSmallFile } from '../shared/kernel-file.ts';
import { unlessGone } from './vanishing.ts';

/** Below this number, a process is taken to be far from any limit. */
const FEW_DESCRIPTORS = 16;

/**
 * Since Linux 6.2 the size of /proc/<pid>/fd is the number of descriptors (proc_pid_fd(5)), which needs no
 * listing.
 */
let isCountedByKernel: boolean | undefined;

/** @throws when the process has vanished, or without the privilege to read it (CAP_DAC_READ_SEARCH) */
export function countDescriptors(procfs: string, pid: number): number {
  const directory = join(procfs, String(pid), 'fd');
  isCountedByKernel ??= statSync('/proc/self/fd').size > 0;
  return isCountedByKernel ? statSync(directory).size : readdirSync(directory).length;
}

/**
 * Descriptors that are sockets.
 * @throws as `countDescriptors`; CAP_SYS_PTRACE is needed too
 */
export function countSockets(procfs: string, pid: number): number {
  const directory = join(procfs, String(pid), 'fd');
  return readdirSync(directory).filter((name) =>
    unlessGone(() => readlinkSync(join(directory, name)))?.startsWith('socket:'),
  ).length;
}

/**
 * The share of its limit of descriptors that a process has open; undefined without the privilege to read it.
 */
export function descriptorUtilization(procfs: string, pid: number): number | undefined {
  try {
    const open = unlessGone(() => countDescriptors(procfs, pid)) ?? 0;
    if (open < FEW_DESCRIPTORS) return 0;
    const limit = descriptorLimit(readSmallFile(join(procfs, String(pid), 'limits')));
    return limit === 0 ? 0 : open / limit;
  } catch (error) {
    return isDenied(error) ? undefined : 0;
  }
}
