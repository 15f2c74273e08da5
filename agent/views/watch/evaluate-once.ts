/**
 * Evaluates the rules once, without a running agent. One round of metrics shows levels; conditions on rates and on events
 * need an agent that has observed them.
 */

import { fromInspect } from '../../../collectors/lifecycle/identity.ts';
import { descriptorLimit, KernelFiles } from '../../../collectors/shared/kernel-file.ts';
import type { Config } from '../../../config/schema.ts';
import type { Alert } from '../../../exporters/alerts/alert.ts';
import { Telemetry } from '../../../exporters/shared/telemetry.ts';
import { AlertEngine } from '../../alerts/engine.ts';
import { createLogger } from '../../process/logger.ts';
import { CollectorSet } from '../../rounds/collector-set.ts';
import { Round } from '../../rounds/round.ts';
import { daemonOf } from './daemon.ts';
import { MemoryStore } from './memory-store.ts';

/** @throws {Error} if the daemon does not answer */
export async function evaluateRulesOnce(config: Config): Promise<Alert[]> {
  const containers = (await daemonOf(config).runningContainers()).map((inspect) =>
    fromInspect(inspect, undefined, {}),
  );
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
  const { metrics } = alerts;
  const files = new KernelFiles(descriptorLimit(), () => {});
  const set = new CollectorSet('evaluation', {
    procfs: config.procfs,
    rootfs: config.rootfs,
    files,
    metrics,
  });
  for (const container of containers)
    set.attach(container, ({ name }, error) => telemetry.reportError(name, error, container.name));
  const host = config.scope === 'host' ? { attributes: {} } : undefined;
  const round = new Round(set.collectors, metrics, telemetry);
  await alerts.evaluateRound(await round.collect(containers, host));
  set.close();
  return alerts.currentAlerts;
}
