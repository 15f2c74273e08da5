/**
 * What the agent reads of a container, and the privilege that it needs for it. `portlight check` runs these checks on every
 * container, the running agent on each container that starts, and docs/privileges.md lists them.
 */

import { catalogue } from '../../collectors/catalogue/index.ts';
import { findLogSource } from '../../collectors/logs/source.ts';
import { countDescriptors, countSockets } from '../../collectors/processes/descriptors.ts';
import type { Collector } from '../../collectors/records/collector.ts';
import type { Container, Metric } from '../../collectors/records/records.ts';
import {
  assertContainerProcess,
  type Hierarchies,
  locateCgroups,
  readHierarchies,
} from '../../collectors/shared/cgroup-location.ts';
import { errorMessage } from '../../collectors/shared/error-message.ts';
import { isDenied } from '../../collectors/shared/kernel-file.ts';
import { readNamespaces } from '../../collectors/shared/namespaces.ts';
import type { Telemetry } from '../../exporters/shared/telemetry.ts';

/** Where the host's files are, and what is read of them. */
export interface AccessContext {
  readonly procfs: string;
  readonly rootfs: string;
  /** Metrics that are collected. */
  readonly metrics: ReadonlySet<Metric>;
  /** Read on first use. */
  readonly hierarchies: Hierarchies;
}

export function accessContext(procfs: string, rootfs: string, metrics: ReadonlySet<Metric>): AccessContext {
  let hierarchies: Hierarchies | undefined;
  return {
    procfs,
    rootfs,
    metrics,
    get hierarchies() {
      hierarchies ??= readHierarchies(procfs);
      return hierarchies;
    },
  };
}

export interface AccessCheck {
  readonly name: string;
  /** What is missing or different when the check fails. */
  readonly consequence: string;
  /** The privilege, mount or kernel that makes it succeed. */
  readonly requires: string;
  /** The check is skipped unless this metric is collected. */
  readonly metric?: Metric;
  /** @param container runs @throws when it cannot be read */
  readonly check: (container: Container, context: AccessContext) => void;
}

export const LOG_FILES = 'log files';
/** When this check fails, the checks after it fail too, and are skipped. */
const PROCESSES = 'container processes';

/** A container with its own cgroup has it below one of these. */
const CONTROLLERS = ['pids', 'memory', 'cpu', 'unified'];

export const accessChecks: readonly AccessCheck[] = [
  {
    name: LOG_FILES,
    consequence:
      'logs are read through the Docker API, which costs the daemon more; a container that is removed when it exits can lose its last lines',
    requires: "CAP_DAC_READ_SEARCH; in a container also the host's / (--rootfs)",
    check(container, { rootfs }) {
      const source = findLogSource(container, rootfs);
      if (source.kind === 'file' || source.code === undefined) return;
      throw Object.assign(new Error(source.why), { code: source.code });
    },
  },
  {
    name: PROCESSES,
    consequence:
      'CPU, memory and network come from the stats API, which costs the daemon more; no processes, no namespaces',
    requires:
      "the host's /proc (in a container: --pid host, or --procfs); if it is mounted with hidepid, CAP_SYS_PTRACE or the group of the mount",
    check: ({ pid, id }, { procfs }) => assertContainerProcess(procfs, pid, id),
  },
  {
    name: 'container cgroups',
    consequence: 'no CPU, memory, pids and block I/O metrics',
    requires: 'mounted cgroups; for a rootless daemon, cgroup v2 with the systemd driver',
    check({ pid, id }, { procfs, hierarchies }) {
      if (locateCgroups(procfs, hierarchies, pid, id, CONTROLLERS).size === 0)
        throw new Error(`process ${pid} is in no cgroup of its container`);
    },
  },
  {
    name: 'namespaces',
    consequence: 'no namespaces, and no containers that share them; other confinement is reported',
    requires: 'CAP_SYS_PTRACE',
    check({ pid }, { procfs }) {
      const isUnknown = Object.values(readNamespaces(procfs, pid)).some(({ host }) => host === undefined);
      if (isUnknown) throw new Error("the host's namespaces cannot be read");
    },
  },
  {
    name: 'open descriptors',
    consequence: 'no count of open files, and no alert on it',
    requires: 'Linux 6.2, or CAP_DAC_READ_SEARCH',
    check: ({ pid }, { procfs }) => void countDescriptors(procfs, pid),
  },
  {
    name: 'open sockets',
    consequence: 'no count of open sockets',
    requires: 'CAP_DAC_READ_SEARCH and CAP_SYS_PTRACE',
    metric: catalogue.openSockets,
    check: ({ pid }, { procfs }) => void countSockets(procfs, pid),
  },
];

export interface FailedAccess {
  readonly check: AccessCheck;
  readonly reason: string;
}

/** The checks that fail for a running container. */
export function failedAccessChecks(container: Container, context: AccessContext): FailedAccess[] {
  const failed: FailedAccess[] = [];
  for (const check of accessChecks) {
    if (check.metric !== undefined && !context.metrics.has(check.metric)) continue;
    try {
      check.check(container, context);
    } catch (error) {
      failed.push({ check, reason: isDenied(error) ? 'permission denied' : errorMessage(error) });
      if (check.name === PROCESSES) break;
    }
  }
  return failed;
}

/** Containers that end sooner are not checked. */
const SETTLE_MS = 2000;

/** Warns of each check that fails, once, with the first container for which it fails. */
export class AccessMonitor implements Collector {
  /** A value of the exported attribute `collector`. */
  readonly name = 'abilities';
  private readonly context: AccessContext;
  private readonly telemetry: Telemetry;
  private readonly reported = new Set<AccessCheck>();
  private readonly timers = new Set<NodeJS.Timeout>();

  constructor(context: AccessContext, telemetry: Telemetry) {
    this.context = context;
    this.telemetry = telemetry;
  }

  attachContainer(container: Container): void {
    const { startedAt } = container;
    const timer = setTimeout(() => {
      this.timers.delete(timer);
      if (container.pid !== 0 && container.startedAt === startedAt) this.checkContainer(container);
    }, SETTLE_MS);
    this.timers.add(timer);
  }

  close(): void {
    for (const timer of this.timers) clearTimeout(timer);
  }

  private checkContainer(container: Container): void {
    for (const { check, reason } of failedAccessChecks(container, this.context)) {
      if (this.reported.has(check)) continue;
      this.reported.add(check);
      const { name, consequence, requires } = check;
      this.telemetry.warn(
        `Cannot read ${name} of container ${container.name} (${reason}): ${consequence}. Requires ${requires}`,
        { check: name },
      );
    }
  }
}
