/** What targets need of the configuration. */

import type { FirstSight } from '../../collectors/logs/index.ts';
import type { Container } from '../../collectors/records/records.ts';
import { compileContainerFilter } from '../../collectors/shared/container-filter.ts';
import { compileWildcards } from '../../collectors/shared/wildcard.ts';
import { parseLast } from '../../config/log-options.ts';
import type { Config } from '../../config/schema.ts';
import { compileCommandRedaction } from '../logs/redact.ts';

export interface TargetSettings {
  readonly procfs: string;
  readonly rootfs: string;
  /** Whether a container label becomes an attribute. */
  readonly isWantedLabel: (key: string) => boolean;
  /** Sets of optional resource attributes: `namespaces`, `security`. */
  readonly containerAttributes: readonly string[];
  /** Whether the rules of the configuration select a container. */
  readonly isSelected: (container: Container) => boolean;
  readonly storageIntervalMs: number;
  /** Where reading starts in a log that was not read before. */
  readonly firstSight: () => FirstSight;
  /** Redacts the command of an exec event; undefined leaves the command out. */
  readonly redactCommand: ((command: string) => string) | undefined;
}

function firstSightOf(option: string): FirstSight {
  if (option === 'now') return 'now';
  const since = parseLast(option);
  return { sinceSeconds: since === undefined ? 0 : Math.floor((Date.now() - since) / 1000) };
}

export const targetSettings = (config: Config): TargetSettings => ({
  procfs: config.procfs,
  rootfs: config.rootfs,
  isWantedLabel: compileWildcards(...config.container_labels),
  containerAttributes: config.container_attributes,
  isSelected: compileContainerFilter(config.containers.include, config.containers.exclude),
  storageIntervalMs: config.metrics.storage_interval,
  firstSight: () => firstSightOf(config.logs.first_sight),
  redactCommand: config.events.exec_commands ? compileCommandRedaction(config.logs.redact) : undefined,
});
