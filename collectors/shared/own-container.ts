/**
 * The container that this process runs in, if it does: its id stands in the cgroup path where the host's
 * cgroup namespace is visible, and else in the source of the files that Docker and Podman mount into every
 * container (/etc/hostname and others).
 * Source: cgroups(7), proc_pid_mountinfo(5).
 */
import { readFileSync } from 'node:fs';

const ID = /[0-9a-f]{64}/;
const MOUNTED = /\/containers\/([0-9a-f]{64})\/(?:hostname|hosts|resolv\.conf|userdata)/;

/** @param read the text of /proc/self/cgroup and /proc/self/mountinfo */
export function ownContainerId(
  read = (file: string) => readFileSync(`/proc/self/${file}`, 'utf8'),
): string | undefined {
  try {
    return ID.exec(read('cgroup'))?.[0] ?? MOUNTED.exec(read('mountinfo'))?.[1];
  } catch {
    return undefined;
  }
}
