/** The collectors that measure containers and the host: one table says which of them each purpose needs. */

import { metrics as allMetrics } from '../../collectors/catalogue/index.ts';
import { CgroupCollector } from '../../collectors/cgroup/index.ts';
import { HostCollector } from '../../collectors/host/index.ts';
import { NetworkCollector } from '../../collectors/network/index.ts';
import { ProcessCollector } from '../../collectors/processes/index.ts';
import type { Collector } from '../../collectors/records/collector.ts';
import type { Container, Metric } from '../../collectors/records/records.ts';
import type { KernelFiles } from '../../collectors/shared/kernel-file.ts';
import { StateCollector } from '../../collectors/state.ts';

type CollectorName = 'cgroup' | 'network' | 'processes' | 'state' | 'host';

const COLLECTORS = {
  /** What the agent exports, and what its rules use. */
  export: ['cgroup', 'network', 'processes', 'state', 'host'],
  /** Figures every two seconds for the dashboard, between the rounds that are exported. */
  live: ['cgroup', 'network', 'host'],
  /** `portlight top` and the like without a running agent. */
  view: ['cgroup', 'network', 'host'],
  /** `portlight alerts` without a running agent: levels only, for which one round is enough. */
  evaluation: ['cgroup', 'processes', 'state', 'host'],
  /** `portlight ps` without a running agent. */
  list: ['cgroup', 'state'],
} as const satisfies Record<string, readonly CollectorName[]>;

export type Purpose = keyof typeof COLLECTORS;

/** These measure a container through its processes, which must be visible from here. */
const NEEDS_PROCESS: readonly CollectorName[] = ['cgroup', 'network', 'processes'];

export interface CollectorSetOptions {
  readonly procfs: string;
  readonly rootfs: string;
  readonly files: KernelFiles;
  /** Every metric that is read. */
  readonly metrics: ReadonlySet<Metric>;
  /** Those of them that are read in every n-th round only. */
  readonly infrequent?: { readonly metrics: ReadonlySet<Metric>; readonly every: number };
  /** Whether containers run here, so that the kernel shows them; true by default. */
  readonly isHere?: boolean;
  /** Whether the host is measured too; true by default. */
  readonly withHost?: boolean;
}

export class CollectorSet {
  readonly collectors: readonly Collector[];
  /** Those that measure a container through its processes. */
  readonly perProcess: readonly Collector[];

  constructor(purpose: Purpose, options: CollectorSetOptions) {
    const { procfs, rootfs, files, metrics, infrequent, isHere = true, withHost = true } = options;
    let cgroup: CgroupCollector | undefined;
    // Only a round that is exported spares idle containers: the others show what is now.
    const isIdle =
      purpose === 'export' ? (container: Container) => cgroup?.isIdle(container) ?? false : undefined;
    const create: Record<CollectorName, () => Collector> = {
      cgroup() {
        const rows = allMetrics.filter((row) => metrics.has(row));
        cgroup = new CgroupCollector(procfs, rows, files, infrequent);
        return cgroup;
      },
      network: () => new NetworkCollector(procfs, metrics, files, isIdle),
      processes: () => new ProcessCollector(procfs, metrics, infrequent?.every, isIdle),
      state: () => new StateCollector(),
      host: () => new HostCollector(procfs, rootfs, files),
    };
    const perProcess: Collector[] = [];
    const collectors: Collector[] = [];
    for (const name of COLLECTORS[purpose]) {
      if (!isHere && name !== 'state') continue;
      if (name === 'host' && !withHost) continue;
      const collector = create[name]();
      collectors.push(collector);
      if (NEEDS_PROCESS.includes(name)) perProcess.push(collector);
    }
    this.collectors = collectors;
    this.perProcess = perProcess;
  }

  /** Attaches every collector; one that fails leaves the others attached. */
  attach(container: Container, onError: (collector: Collector, error: unknown) => void): void {
    for (const collector of this.collectors) {
      try {
        void collector.attachContainer?.(container);
      } catch (error) {
        onError(collector, error);
      }
    }
  }

  close(): void {
    for (const collector of this.collectors) void collector.close?.();
  }
}
