/** `portlight ps`: running containers with what they use, once. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Command } from 'commander';
import { CgroupCollector } from '../../collectors/cgroup/index.ts';
import { inspectRunning } from '../../collectors/docker/client.ts';
import { isLocal } from '../../collectors/docker/endpoint.ts';
import { fromInspect } from '../../collectors/docker/identity.ts';
import { descriptorLimit, KernelFiles } from '../../collectors/kernel-file.ts';
import { sourceOf } from '../../collectors/logs/source.ts';
import { inShort, type Namespaces, readNamespaces } from '../../collectors/namespaces/read.ts';
import { StateCollector } from '../../collectors/state.ts';
import { cells, columns, figures, rightAligned } from '../../exporters/console/rows.ts';
import { table } from '../../exporters/console/table.ts';
import { catalogue } from '../catalogue/index.ts';
import { createLogger } from '../logger.ts';
import type { Container, Metric } from '../records.ts';
import { Round } from '../round.ts';
import { Telemetry } from '../telemetry.ts';
import { daemonOf } from './daemon.ts';
import { configOf } from './options.ts';
import { printAs, printTable } from './output.ts';
import { withProgress } from './progress.ts';

/** How long CPU use is measured. */
const MEASURE_MS = 500;

function namespacesOf(procfs: string, container: Container): Namespaces {
  try {
    return readNamespaces(procfs, container.pid);
  } catch {
    return {};
  }
}

export async function ps({ output }: { output: string }, command: Command): Promise<void> {
  const { config } = await configOf(command);
  const { docker, endpoint, ask } = daemonOf(config);
  const running = await ask(inspectRunning(docker));
  const containers = running.map((inspect) => fromInspect(inspect, undefined, {}));

  const rootfs = isLocal(endpoint) ? config.rootfs : undefined;
  const telemetry = new Telemetry(createLogger(config.log_level));
  const wanted = [catalogue.cpuUsage, catalogue.memoryWorkingSet, catalogue.memoryLimit, catalogue.pidsCount];
  const cgroup = new CgroupCollector(config.procfs, wanted, new KernelFiles(descriptorLimit(), () => {}));
  for (const container of containers) {
    try {
      cgroup.attach(container);
    } catch (error) {
      telemetry.fault(cgroup.name, error, container.name);
    }
  }
  const rounds = new Round(
    [cgroup, new StateCollector()],
    new Set<Metric>([...wanted, catalogue.uptime]),
    telemetry,
  );
  const measured = rounds.collect(containers).then(() => sleep(MEASURE_MS));
  await withProgress(() => `measuring ${containers.length} containers`, measured);
  const sets = (await rounds.collect(containers))
    .flatMap((set) => (set.container === undefined ? [] : { ...set, container: set.container }))
    .sort((a, b) => (a.container.name < b.container.name ? -1 : 1));
  cgroup.stop();

  if (output === 'json') {
    const rows = sets.map((set) => ({
      id: set.container.id,
      name: set.container.name,
      image: set.container.image,
      pid: set.container.pid,
      ...figures(set),
      namespaces: namespacesOf(config.procfs, set.container),
      logs: sourceOf(set.container, rootfs),
    }));
    console.log(JSON.stringify(rows, null, 2));
    return;
  }
  const rows = sets.map((set) => [
    ...cells(set),
    sourceOf(set.container, rootfs).kind,
    inShort(namespacesOf(config.procfs, set.container)),
  ]);
  console.log(table([...columns, 'LOGS', 'NAMESPACES'], rows, rightAligned).join('\n'));
}
