/** `portlight ps`: resource usage of running containers. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Command } from 'commander';
import { catalogue } from '../../collectors/catalogue/index.ts';
import { isLocal } from '../../collectors/engine/daemon-endpoint.ts';
import { fromInspect } from '../../collectors/lifecycle/identity.ts';
import { findLogSource, type LogSource } from '../../collectors/logs/source.ts';
import type { Container, Metric } from '../../collectors/records/records.ts';
import { descriptorLimit, KernelFiles } from '../../collectors/shared/kernel-file.ts';
import { formatNamespaces, type Namespaces, readNamespaces } from '../../collectors/shared/namespaces.ts';
import type { Config } from '../../config/schema.ts';
import {
  columns,
  formatRow,
  type ResourceUsage,
  rightAligned,
  usageOf,
} from '../../exporters/console/rows.ts';
import type { Containers, NamespaceMap } from '../../exporters/dashboard/api.ts';
import { Telemetry } from '../../exporters/shared/telemetry.ts';
import { createLogger } from '../process/logger.ts';
import { CollectorSet } from '../rounds/collector-set.ts';
import { Round } from '../rounds/round.ts';
import { type AgentClient, findAgent } from '../views/watch/agent-client.ts';
import { daemonOf } from '../views/watch/daemon.ts';
import { loadCommandConfig } from './config-flags.ts';
import { printAs, printTable } from './output.ts';
import { withProgress } from './progress.ts';

/** How long CPU usage is measured. */
const MEASURE_MS = 500;

const MEASURED: ReadonlySet<Metric> = new Set([
  catalogue.cpuUsage,
  catalogue.memoryWorkingSet,
  catalogue.memoryLimit,
  catalogue.pidsCount,
  catalogue.uptime,
]);

function namespacesOf(procfs: string, container: Container): Namespaces {
  try {
    return readNamespaces(procfs, container.pid);
  } catch {
    return {};
  }
}

/** The JSON form of a row; unknown values are absent. */
interface Row extends Partial<ResourceUsage> {
  readonly id: string;
  readonly name: string;
  /** Reference as the user gave it. */
  readonly image: string;
  readonly pid?: number;
  readonly namespaces: Namespaces;
  /** How its log is read. */
  readonly logs?: LogSource;
}

/** Lists the daemon's containers and measures them. */
async function fromDaemon(config: Config): Promise<Row[]> {
  const { endpoint, runningContainers } = daemonOf(config);
  const running = await withProgress(() => `inspecting containers of ${endpoint.host}`, runningContainers());
  const containers = running.map((inspect) => fromInspect(inspect, undefined, {}));

  const rootfs = isLocal(endpoint) ? config.rootfs : undefined;
  const telemetry = new Telemetry(createLogger(config.log_level));
  const { procfs } = config;
  const files = new KernelFiles(descriptorLimit(), () => {});
  const collectorSet = new CollectorSet('list', { procfs, rootfs: config.rootfs, files, metrics: MEASURED });
  for (const container of containers)
    collectorSet.attach(container, ({ name }, error) => telemetry.reportError(name, error, container.name));
  const round = new Round(collectorSet.collectors, MEASURED, telemetry);
  const measured = round.collect(containers).then(() => sleep(MEASURE_MS));
  await withProgress(() => `measuring ${containers.length} containers`, measured);
  const sets = await round.collect(containers);
  collectorSet.close();
  return sets.flatMap((set) => {
    const { container } = set;
    if (container === undefined) return [];
    return {
      id: container.id,
      name: container.name,
      image: container.image,
      pid: container.pid,
      ...usageOf(set),
      namespaces: namespacesOf(config.procfs, container),
      logs: findLogSource(container, rootfs),
    };
  });
}

/** The agent's latest measurements. */
async function fromAgent(client: AgentClient): Promise<Row[]> {
  const [{ time, containers }, map] = await Promise.all([
    client.get<Containers>('/api/containers'),
    client.get<NamespaceMap>('/api/namespaces'),
  ]);
  const namespaces = new Map<string, Namespaces>();
  for (const { type, inode, isHost, members } of map.namespaces)
    for (const { id } of members)
      namespaces.set(id, { ...namespaces.get(id), [type]: { inode, host: isHost } });
  return containers
    .filter(({ status }) => status === 'running' || status === 'paused')
    .map(({ id, name, image, startedAt, figures }) => ({
      id,
      name,
      image,
      cpus: figures?.cpu ?? undefined,
      memory: figures?.memory ?? undefined,
      memoryLimit: figures?.memoryLimit ?? undefined,
      pids: figures?.pids ?? undefined,
      uptime: startedAt === null ? undefined : Math.max(0, (time - startedAt) / 1000),
      namespaces: namespaces.get(id) ?? {},
    }));
}

export async function listContainers({ output }: { output: string }, command: Command): Promise<void> {
  const { config } = await loadCommandConfig(command);
  const client = await findAgent(config);
  const found = client === undefined ? await fromDaemon(config) : await fromAgent(client);
  const rows = found.sort((a, b) => (a.name < b.name ? -1 : 1));
  const knowsLogs = rows.some(({ logs }) => logs !== undefined) || client === undefined;
  await printAs(output, rows, () =>
    printTable({
      // With an agent, this process does not read the logs.
      head: [...columns, ...(knowsLogs ? ['LOGS'] : []), 'NAMESPACES'],
      rows: rows.map((row) => [
        ...formatRow(row.name, { ...UNKNOWN_USE, ...row }),
        ...(knowsLogs ? [row.logs?.kind ?? '-'] : []),
        formatNamespaces(row.namespaces),
      ]),
      right: rightAligned,
    }),
  );
}

const UNKNOWN_USE: ResourceUsage = {
  cpus: undefined,
  memory: undefined,
  memoryLimit: undefined,
  pids: undefined,
  uptime: undefined,
};
