/**
 * What can be seen of a container, and the privilege that it takes. `portlight check` tries it on every container, the
 * running agent when one starts, and docs/privileges.md lists it.
 */

import { catalogue } from '../../collectors/catalogue/index.ts';
import { sourceOf } from '../../collectors/logs/source.ts';
import { countDescriptors, countSockets } from '../../collectors/processes.ts';
import type { Collector } from '../../collectors/records/collector.ts';
import type { Container, Metric } from '../../collectors/records/records.ts';
import { messageOf } from '../../collectors/shared/error-message.ts';
import { isDenied } from '../../collectors/shared/kernel-file.ts';
import {
  type Hierarchies,
  locate,
  readHierarchies,
  requireProcessOf,
} from '../../collectors/shared/locate.ts';
import { readNamespaces } from '../../collectors/shared/namespaces.ts';
import type { Telemetry } from '../../exporters/shared/telemetry.ts';

/** Where the host is seen, and what is wanted of it. */
export interface Surroundings {
  readonly procfs: string;
  readonly rootfs: string;
  /** Metrics that are collected. */
  readonly metrics: ReadonlySet<Metric>;
  /** Read once, when it is asked for. */
  readonly hierarchies: Hierarchies;
}

export function surroundingsOf(procfs: string, rootfs: string, metrics: ReadonlySet<Metric>): Surroundings {
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

export interface Ability {
  readonly name: string;
  /** What the agent does without it. */
  readonly without: string;
  readonly needs: string;
  /** Without which it is not tried. */
  readonly metric?: Metric;
  /** @throws where the container, which runs, cannot be looked at */
  readonly attempt: (container: Container, surroundings: Surroundings) => void;
}

export const LOG_FILES = 'log files';
/** Where this is missing, what comes after it is, too. */
const PROCESSES = 'container processes';

/** Whoever has a cgroup of its own has one of these. */
const CONTROLLERS = ['pids', 'memory', 'cpu', 'unified'];

export const abilities: readonly Ability[] = [
  {
    name: LOG_FILES,
    without:
      'logs are read through the API, which costs the daemon more; what is removed as it ends can lose its last lines',
    needs: "CAP_DAC_READ_SEARCH, and in a container the host's / (--rootfs)",
    attempt(container, { rootfs }) {
      const source = sourceOf(container, rootfs);
      if (source.kind === 'file' || source.code === undefined) return;
      throw Object.assign(new Error(source.why), { code: source.code });
    },
  },
  {
    name: PROCESSES,
    without:
      'CPU, memory and network come from the stats API, which costs the daemon more, and there are no processes and namespaces',
    needs:
      "the host's /proc (in a container: --pid host, or --procfs); where that is mounted with hidepid, CAP_SYS_PTRACE or its group",
    attempt: ({ pid, id }, { procfs }) => requireProcessOf(procfs, pid, id),
  },
  {
    name: 'container cgroups',
    without: 'no CPU, memory, pids and block I/O',
    needs: 'cgroups that are mounted here; of a rootless daemon, cgroup v2 with the systemd driver',
    attempt({ pid, id }, { procfs, hierarchies }) {
      if (locate(procfs, hierarchies, pid, id, CONTROLLERS).size === 0)
        throw new Error(`process ${pid} is in no cgroup of the container's own`);
    },
  },
  {
    name: 'namespaces',
    without: 'no namespaces, and who shares them; what else confines a container is told',
    needs: 'CAP_SYS_PTRACE',
    attempt({ pid }, { procfs }) {
      const isUnknown = Object.values(readNamespaces(procfs, pid)).some(({ host }) => host === undefined);
      if (isUnknown) throw new Error("the host's own cannot be told from others");
    },
  },
  {
    name: 'open descriptors',
    without: 'no count of open files, and no alert on it',
    needs: 'Linux 6.2, or CAP_DAC_READ_SEARCH',
    attempt: ({ pid }, { procfs }) => void countDescriptors(procfs, pid),
  },
  {
    name: 'open sockets',
    without: 'no count of open sockets',
    needs: 'CAP_DAC_READ_SEARCH and CAP_SYS_PTRACE',
    metric: catalogue.openSockets,
    attempt: ({ pid }, { procfs }) => void countSockets(procfs, pid),
  },
];

export interface Lack {
  readonly ability: Ability;
  readonly reason: string;
}

/** What cannot be seen of a running container. */
export function lacksOf(container: Container, surroundings: Surroundings): Lack[] {
  const lacks: Lack[] = [];
  for (const ability of abilities) {
    if (ability.metric !== undefined && !surroundings.metrics.has(ability.metric)) continue;
    try {
      ability.attempt(container, surroundings);
    } catch (error) {
      lacks.push({ ability, reason: isDenied(error) ? 'permission denied' : messageOf(error) });
      if (ability.name === PROCESSES) break;
    }
  }
  return lacks;
}

/** One that lives shorter than this is not looked at. */
const SETTLE_MS = 2000;

/** Tells what cannot be seen: each thing once, of the first container of which it cannot. */
export class AbilityWatch implements Collector {
  readonly name = 'abilities';
  private readonly surroundings: Surroundings;
  private readonly telemetry: Telemetry;
  private readonly told = new Set<Ability>();
  private readonly timers = new Set<NodeJS.Timeout>();

  constructor(surroundings: Surroundings, telemetry: Telemetry) {
    this.surroundings = surroundings;
    this.telemetry = telemetry;
  }

  attachContainer(container: Container): void {
    const { startedAt } = container;
    const timer = setTimeout(() => {
      this.timers.delete(timer);
      if (container.pid !== 0 && container.startedAt === startedAt) this.look(container);
    }, SETTLE_MS);
    this.timers.add(timer);
  }

  close(): void {
    for (const timer of this.timers) clearTimeout(timer);
  }

  private look(container: Container): void {
    for (const { ability, reason } of lacksOf(container, this.surroundings)) {
      if (this.told.has(ability)) continue;
      this.told.add(ability);
      const { name, without, needs } = ability;
      this.telemetry.warn(
        `${name} of container ${container.name} cannot be read: ${reason}: ${without}; it takes ${needs}`,
        { ability: name },
      );
    }
  }
}
