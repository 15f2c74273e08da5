/** Formats a container's latest metrics as a table row. */

import { catalogue } from '../../collectors/catalogue/index.ts';
import type { MetricSet } from '../../collectors/records/points.ts';
import { formatBytes, formatDuration, formatPercent } from './format.ts';

/** A container's resource usage, in base units; undefined where the host does not provide it. */
export interface ResourceUsage {
  /** CPUs in use; 1 is one whole CPU. */
  readonly cpus: number | undefined;
  /** Working set, bytes; `docker stats` shows it as memory usage. */
  readonly memory: number | undefined;
  /** Bytes. */
  readonly memoryLimit: number | undefined;
  readonly pids: number | undefined;
  /** Seconds. */
  readonly uptime: number | undefined;
}

export const usageOf = ({ points }: MetricSet): ResourceUsage => ({
  cpus: points.firstValue(catalogue.cpuUsage),
  memory: points.firstValue(catalogue.memoryWorkingSet),
  memoryLimit: points.firstValue(catalogue.memoryLimit),
  pids: points.firstValue(catalogue.pidsCount),
  uptime: points.firstValue(catalogue.uptime),
});

export const columns = ['NAME', 'CPU', 'MEMORY', 'LIMIT', 'MEM %', 'PIDS', 'UP'] as const;
export const rightAligned = ['CPU', 'MEMORY', 'LIMIT', 'MEM %', 'PIDS', 'UP'] as const;

export function formatRow(
  name: string,
  { cpus, memory, memoryLimit, pids, uptime }: ResourceUsage,
): string[] {
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
