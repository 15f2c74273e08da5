/** One container's latest metrics as a row for a person. */
import { catalogue } from '../../agent/catalogue/index.ts';
import type { Metric, MetricSet } from '../../agent/records.ts';
import { bytes, duration, percent } from './format.ts';

function latest({ points }: MetricSet, metric: Metric): number | undefined {
  const index = points.metrics.indexOf(metric);
  return index === -1 || index >= points.length ? undefined : points.values[index];
}

/** The figures of a container, in base units; undefined where the host does not give them. */
export function figures(set: MetricSet) {
  return {
    /** CPUs in use: 1 is one whole CPU. */
    cpus: latest(set, catalogue.cpuUsage),
    /** Working set, bytes: what `docker stats` shows as use. */
    memory: latest(set, catalogue.memoryWorkingSet),
    /** Bytes. */
    memoryLimit: latest(set, catalogue.memoryLimit),
    pids: latest(set, catalogue.pidsCount),
    /** Seconds. */
    uptime: latest(set, catalogue.uptime),
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
