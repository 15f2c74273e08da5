/**
 * The id of the container that the agent runs in. In the host's cgroup namespace, the cgroup path has it. In
 * another one, the sources of the files have it that Docker and Podman mount into every container
 * (/etc/hostname and others).
 * Source: cgroups(7), proc_pid_mountinfo(5).
 */
import { readFileSync } from 'node:fs';

const ID = /[0-9a-f]{64}/;
const MOUNTED = /\/containers\/([0-9a-f]{64})\/(?:hostname|hosts|resolv\.conf|userdata)/;

/**
 * @param read returns the text of a file in /proc/self: `cgroup` or `mountinfo`
 * @returns undefined where the agent runs in no container
 */
export function ownContainerId(
  read = (file: string) => readFileSync(`/proc/self/${file}`, 'utf8'),
): string | undefined {
  try {
    return ID.exec(read('cgroup'))?.[0] ?? MOUNTED.exec(read('mountinfo'))?.[1];
  } catch {
    return undefined;
  }
}
