/**
 * Which rules hold right now, by one look at daemon and kernel: of levels, that is. For what changes, and for what has
 * happened, somebody has to have looked before.
 */

import { metrics } from '../../../collectors/catalogue/index.ts';
import { CgroupCollector } from '../../../collectors/cgroup/index.ts';
import { HostCollector } from '../../../collectors/host/index.ts';
import { fromInspect } from '../../../collectors/lifecycle/identity.ts';
import { ProcessCollector } from '../../../collectors/processes.ts';
import { descriptorLimit, KernelFiles } from '../../../collectors/shared/kernel-file.ts';
import { StateCollector } from '../../../collectors/state.ts';
import type { Config } from '../../../config/schema.ts';
import type { Alert } from '../../../exporters/alerts/alert.ts';
import { Telemetry } from '../../../exporters/shared/telemetry.ts';
import { AlertEngine } from '../../alerts/engine.ts';
import { createLogger } from '../../process/logger.ts';
import { Round } from '../../rounds/round.ts';
import { daemonOf } from './daemon.ts';
import { MemoryStore } from './memory-store.ts';

/** @throws {Error} when the daemon does not answer */
export async function evaluateRulesOnce(config: Config): Promise<Alert[]> {
  const containers = (await daemonOf(config).running()).map((inspect) => fromInspect(inspect, undefined, {}));
  const telemetry = new Telemetry(createLogger(config.log_level));
  const alerts = new AlertEngine({
    config: config.alerts,
    interval: config.interval,
    sink: { emitAlert: async () => {}, emitAlertStates() {} },
    store: new MemoryStore(),
    evidenceOf: () => ({ log: [], events: [], memory: {} }),
    hasContainer: () => true,
    isDaemonUnreachable: () => false,
    warn: (message) => telemetry.warn(message),
  });
  const looked = alerts.metrics;
  const files = new KernelFiles(descriptorLimit(), () => {});
  const cgroup = new CgroupCollector(
    config.procfs,
    metrics.filter((row) => looked.has(row)),
    files,
  );
  const processes = new ProcessCollector(config.procfs, looked);
  for (const container of containers) {
    for (const collector of [cgroup, processes]) {
      try {
        collector.attachContainer(container);
      } catch (error) {
        telemetry.reportError(collector.name, error, container.name);
      }
    }
  }
  const host = new HostCollector(config.procfs, config.rootfs, files);
  const rounds = new Round([cgroup, processes, new StateCollector(), host], looked, telemetry);
  const about = config.scope === 'host' ? { attributes: {} } : undefined;
  await alerts.evaluateRound(await rounds.collect(containers, about));
  cgroup.close();
  return alerts.currentAlerts;
}
