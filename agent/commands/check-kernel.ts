/** `portlight check` where there is no daemon: what the kernel shows of containers, and what is written down of them. */

import { CONTAINERS, DaemonFiles } from '../../collectors/kernel/daemon-files.ts';
import { type Init, ownContainer, ProcessTable } from '../../collectors/kernel/process-table.ts';
import { locateCgroups, readHierarchies } from '../../collectors/shared/cgroup-location.ts';
import { errorMessage } from '../../collectors/shared/error-message.ts';
import { readNamespaces } from '../../collectors/shared/namespaces.ts';
import type { Config } from '../../config/schema.ts';
import { type CheckResult, checkResult } from './check-result.ts';

const CONTROLLERS = ['memory', 'cpu'];

const shown = (inits: readonly Init[]): string => inits.map(({ id }) => id.slice(0, 12)).join(', ');

/** What fails with an error for some of them. */
function withoutWhat(inits: readonly Init[], act: (init: Init) => void): { all: Init[]; why: string } {
  let why = '';
  const all = inits.filter((init) => {
    try {
      act(init);
      return false;
    } catch (error) {
      why = errorMessage(error);
      return true;
    }
  });
  return { all, why };
}

function checkProcesses(inits: readonly Init[]): CheckResult {
  return inits.some(({ id }) => id !== ownContainer())
    ? checkResult('container processes', 'ok', `of ${shown(inits)}`)
    : checkResult(
        'container processes',
        'fail',
        'of no other container: share a pid namespace with those that are to be observed (--pid container:<name>)',
      );
}

function checkFigures(inits: readonly Init[], procfs: string): CheckResult {
  const hierarchies = readHierarchies(procfs);
  const { all, why } = withoutWhat(inits, ({ pid, id }) => {
    if (locateCgroups(procfs, hierarchies, pid, id, CONTROLLERS).size === 0)
      throw new Error('its cgroup is not mounted here');
  });
  return all.length === 0
    ? checkResult('container cgroups', 'ok', 'readable')
    : checkResult(
        'container cgroups',
        'warn',
        `${shown(all)}: ${why}: no CPU and memory metrics; mount the host's with -v /sys/fs/cgroup:/host/sys/fs/cgroup:ro`,
      );
}

function checkNamespaces(inits: readonly Init[], procfs: string): CheckResult {
  const { all, why } = withoutWhat(inits, ({ pid }) => void readNamespaces(procfs, pid));
  return all.length === 0
    ? checkResult('namespaces', 'ok', 'readable')
    : checkResult('namespaces', 'warn', `${shown(all)}: ${why}: it takes CAP_SYS_PTRACE`);
}

const checkFiles = ({ rootfs }: Config): CheckResult =>
  new DaemonFiles(rootfs).isReadable
    ? checkResult('container names and logs', 'ok', `from what Docker writes down in ${CONTAINERS}`)
    : checkResult(
        'container names and logs',
        'warn',
        `none, and no exit codes: they take ${CONTAINERS} of the host, mounted read-only`,
      );

export function checkKernel(config: Config): CheckResult[] {
  const { procfs } = config;
  const none = checkResult('docker daemon', 'ok', 'none: the kernel alone is asked (docker_host)');
  let inits: readonly Init[];
  try {
    inits = [...new ProcessTable(procfs).scan().values()];
  } catch (error) {
    return [none, checkResult('container processes', 'fail', errorMessage(error))];
  }
  return [
    none,
    checkProcesses(inits),
    checkFigures(inits, procfs),
    checkNamespaces(inits, procfs),
    checkFiles(config),
  ];
}
