/** One container's latest metrics as a row for a person. */
import { catalogue } from '../../agent/catalogue/index.ts';
import type { MetricSet } from '../../agent/records.ts';
import { bytes, duration, percent } from './format.ts';

/** The figures of a container, in base units; undefined where the host does not give them. */
export function figures(set: MetricSet) {
  return {
    /** CPUs in use: 1 is one whole CPU. */
    cpus: set.points.firstOf(catalogue.cpuUsage),
    /** Working set, bytes: what `docker stats` shows as use. */
    memory: set.points.firstOf(catalogue.memoryWorkingSet),
    /** Bytes. */
    memoryLimit: set.points.firstOf(catalogue.memoryLimit),
    pids: set.points.firstOf(catalogue.pidsCount),
    /** Seconds. */
    uptime: set.points.firstOf(catalogue.uptime),
  };
}

export const columns = ['NAME', 'CPU', 'MEMORY', 'LIMIT', 'MEM %', 'PIDS', 'UP'] as const;
export const rightAligned = ['CPU', 'MEMORY', 'LIMIT', 'MEM %', 'PIDS', 'UP'] as const;

export function cells(set: MetricSet): string[] {
  const { cpus, memory, memoryLimit, pids, uptime } = figures(set);
  return [
    set.container?.name ?? 'host',
    percent(cpus),
    bytes(memory),
    bytes(memoryLimit),
    percent(memory !== undefined && memoryLimit !== undefined ? memory / memoryLimit : undefined),
    pids === undefined ? '-' : String(pids),
    uptime === undefined ? '-' : duration(uptime),
  ];
}
