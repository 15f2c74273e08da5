/** Which metrics are collected. */

import { compileWildcards } from '../shared/wildcard.ts';
import { type CatalogueEntry, groups } from './entry.ts';
import { metrics } from './index.ts';

/** @param patterns names of groups, or names of metrics with `*` as wildcard */
function compileMetricFilter(patterns: readonly string[]): (row: CatalogueEntry) => boolean {
  const matches = compileWildcards(...patterns);
  return ({ name, group }) => patterns.includes(group) || matches(name);
}

/** Whether any metric or group fits the pattern. */
export const isMetricPattern = (pattern: string): boolean => metrics.some(compileMetricFilter([pattern]));

/** Names that can be selected; suggestions for a misspelled pattern come from these. */
export const selectable: readonly string[] = [
  ...groups,
  ...metrics.filter(({ dialectOnly }) => !dialectOnly).map(({ name }) => name),
];

/** All metrics but the opt-in ones, plus the enabled ones, minus the disabled ones. */
export function selectMetrics(enable: readonly string[], disable: readonly string[]): CatalogueEntry[] {
  const isEnabled = compileMetricFilter(enable);
  const isDisabled = compileMetricFilter(disable);
  return metrics.filter((row) => (!row.optIn || isEnabled(row)) && !isDisabled(row));
}
