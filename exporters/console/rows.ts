/** One container's latest metrics as a row for a person. */

import { catalogue } from '../../collectors/catalogue/index.ts';
import type { MetricSet } from '../../collectors/records/points.ts';
import { formatBytes, formatDuration, formatPercent } from './format.ts';

/** What a container uses, in base units; undefined where the host does not give it. */
export interface Use {
  /** CPUs in use: 1 is one whole CPU. */
  readonly cpus: number | undefined;
  /** Working set, bytes: what `docker stats` shows as use. */
  readonly memory: number | undefined;
  /** Bytes. */
  readonly memoryLimit: number | undefined;
  readonly pids: number | undefined;
  /** Seconds. */
  readonly uptime: number | undefined;
}

export const useOf = ({ points }: MetricSet): Use => ({
  cpus: points.firstValue(catalogue.cpuUsage),
  memory: points.firstValue(catalogue.memoryWorkingSet),
  memoryLimit: points.firstValue(catalogue.memoryLimit),
  pids: points.firstValue(catalogue.pidsCount),
  uptime: points.firstValue(catalogue.uptime),
});

export const columns = ['NAME', 'CPU', 'MEMORY', 'LIMIT', 'MEM %', 'PIDS', 'UP'] as const;
export const rightAligned = ['CPU', 'MEMORY', 'LIMIT', 'MEM %', 'PIDS', 'UP'] as const;

export function cells(name: string, { cpus, memory, memoryLimit, pids, uptime }: Use): string[] {
  return [
    name,
    formatPercent(cpus),
    formatBytes(memory),
    formatBytes(memoryLimit),
    formatPercent(memory !== undefined && memoryLimit !== undefined ? memory / memoryLimit : undefined),
    pids === undefined ? '-' : String(pids),
    uptime === undefined ? '-' : formatDuration(uptime),
  ];
}
