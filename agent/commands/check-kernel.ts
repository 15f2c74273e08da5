/** `portlight check` without a daemon: access to the containers' processes, cgroups, namespaces and Docker's files. */

import { CONTAINERS_DIRECTORY, DaemonFiles } from '../../collectors/kernel/daemon-files.ts';
import { type Init, ownContainerIdFromCgroup, ProcessTable } from '../../collectors/kernel/process-table.ts';
import { locateCgroups, readHierarchies } from '../../collectors/shared/cgroup-location.ts';
import { errorMessage } from '../../collectors/shared/error-message.ts';
import { readNamespaces } from '../../collectors/shared/namespaces.ts';
import type { Config } from '../../config/schema.ts';
import { type CheckResult, checkResult } from './check-result.ts';

const CONTROLLERS = ['memory', 'cpu'];

const shortIds = (inits: readonly Init[]): string => inits.map(({ id }) => id.slice(0, 12)).join(', ');

/** The containers for which a check throws, and the last error message. */
function failuresOf(inits: readonly Init[], check: (init: Init) => void): { failed: Init[]; reason: string } {
  let reason = '';
  const failed = inits.filter((init) => {
    try {
      check(init);
      return false;
    } catch (error) {
      reason = errorMessage(error);
      return true;
    }
  });
  return { failed, reason };
}

function checkProcesses(inits: readonly Init[]): CheckResult {
  return inits.some(({ id }) => id !== ownContainerIdFromCgroup())
    ? checkResult('container processes', 'ok', `of ${shortIds(inits)}`)
    : checkResult(
        'container processes',
        'fail',
        'none of another container. Share the pid namespace of the containers to observe (--pid container:<name>)',
      );
}

function checkCgroups(inits: readonly Init[], procfs: string): CheckResult {
  const hierarchies = readHierarchies(procfs);
  const { failed, reason } = failuresOf(inits, ({ pid, id }) => {
    if (locateCgroups(procfs, hierarchies, pid, id, CONTROLLERS).size === 0)
      throw new Error('cgroup is not mounted');
  });
  return failed.length === 0
    ? checkResult('container cgroups', 'ok', 'readable')
    : checkResult(
        'container cgroups',
        'warn',
        `${shortIds(failed)}: ${reason}: no CPU and memory metrics. Mount the host's cgroups with -v /sys/fs/cgroup:/host/sys/fs/cgroup:ro`,
      );
}

function checkNamespaces(inits: readonly Init[], procfs: string): CheckResult {
  const { failed, reason } = failuresOf(inits, ({ pid }) => void readNamespaces(procfs, pid));
  return failed.length === 0
    ? checkResult('namespaces', 'ok', 'readable')
    : checkResult('namespaces', 'warn', `${shortIds(failed)}: ${reason}. Requires CAP_SYS_PTRACE`);
}

const checkFiles = ({ rootfs }: Config): CheckResult =>
  new DaemonFiles(rootfs).isReadable
    ? checkResult('container names and logs', 'ok', `read from Docker's files in ${CONTAINERS_DIRECTORY}`)
    : checkResult(
        'container names and logs',
        'warn',
        `none, and no exit codes. Mount ${CONTAINERS_DIRECTORY} of the host read-only`,
      );

export function checkKernel(config: Config): CheckResult[] {
  const { procfs } = config;
  const none = checkResult(
    'docker daemon',
    'ok',
    'none (docker_host): containers are observed through the kernel',
  );
  let inits: readonly Init[];
  try {
    inits = [...new ProcessTable(procfs).scan().values()];
  } catch (error) {
    return [none, checkResult('container processes', 'fail', errorMessage(error))];
  }
  return [
    none,
    checkProcesses(inits),
    checkCgroups(inits, procfs),
    checkNamespaces(inits, procfs),
    checkFiles(config),
  ];
}
