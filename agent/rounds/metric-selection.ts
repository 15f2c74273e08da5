/** Which metrics are exported, and which are read only because rules use them. */

import type { CatalogueEntry } from '../../collectors/catalogue/entry.ts';
import { metrics } from '../../collectors/catalogue/index.ts';
import { selectMetrics } from '../../collectors/catalogue/selection.ts';
import type { Metric } from '../../collectors/records/records.ts';
import type { Config } from '../../config/schema.ts';

/** Time between two readings of what only rules use, ms: well within the windows of the rules. */
const RULE_ONLY_MS = 30_000;
/** The longest time between them, in rounds. */
const MAX_ROUNDS_BETWEEN = 6;

export interface MetricSelection {
  /** The metrics that are exported, in the catalogue's order. */
  readonly rows: readonly CatalogueEntry[];
  readonly exported: ReadonlySet<Metric>;
  /** Metrics that only rules use: read every `ruleOnlyEvery` rounds, and not exported. */
  readonly ruleOnly: ReadonlySet<Metric>;
  readonly ruleOnlyEvery: number;
  /** All of them. */
  readonly read: ReadonlySet<Metric>;
  /** The same, in the catalogue's order. */
  readonly readRows: readonly CatalogueEntry[];
}

/** @param ruleMetrics every metric that a rule uses */
export function metricSelection(config: Config, ruleMetrics: ReadonlySet<Metric>): MetricSelection {
  const rows = selectMetrics(config.metrics.enable, config.metrics.disable);
  const exported = new Set<Metric>(rows);
  const ruleOnly = new Set([...ruleMetrics].filter((metric) => !exported.has(metric)));
  const rounds = Math.round(RULE_ONLY_MS / config.interval);
  const read = new Set([...exported, ...ruleOnly]);
  return {
    rows,
    exported,
    ruleOnly,
    ruleOnlyEvery: Math.max(1, Math.min(MAX_ROUNDS_BETWEEN, rounds)),
    read,
    readRows: metrics.filter((row) => read.has(row)),
  };
}
