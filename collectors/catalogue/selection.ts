/** Which metrics are collected, and which containers are observed. */

import type { Subject } from '../records/records.ts';
import { type CatalogueEntry, groups } from './entry.ts';
import { metrics } from './index.ts';

/** Whether a pattern, in which `*` stands for anything, fits the whole text. */
export function matches(pattern: string, text: string): boolean {
  const literal = pattern.split('*').map((part) => part.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&'));
  return new RegExp(`^${literal.join('.*')}$`, 's').test(text);
}

const isMeant = (pattern: string, { name, group }: CatalogueEntry): boolean =>
  pattern === group || matches(pattern, name);

/** Patterns that fit no metric and no group. */
export function unknownMetrics(patterns: readonly string[]): string[] {
  return patterns.filter((pattern) => !metrics.some((row) => isMeant(pattern, row)));
}

/** Names that a pattern could have meant. */
export const selectable: readonly string[] = [
  ...groups,
  ...metrics.filter(({ dialectOnly }) => !dialectOnly).map(({ name }) => name),
];

/** The rows that are collected: all but the opt-in ones, those that are enabled, and none that is disabled. */
export function selectMetrics(enable: readonly string[], disable: readonly string[]): CatalogueEntry[] {
  return metrics.filter(
    (row) =>
      (!row.optIn || enable.some((pattern) => isMeant(pattern, row))) &&
      !disable.some((pattern) => isMeant(pattern, row)),
  );
}

/**
 * A rule such as `name=web*`, `image=nginx:*`, `label=com.example.team=shop` or `label=portlight.*`; of a
 * label without a value, being there is enough.
 */
function fits(rule: string, container: Subject): boolean {
  const [, kind, pattern = ''] = /^(name|image|label)=(.*)$/s.exec(rule) ?? [];
  if (kind === 'name') return matches(pattern, container.name);
  if (kind === 'image') return matches(pattern, container.image);
  const [key = '', ...value] = pattern.split('=');
  return Object.entries(container.labels).some(
    ([label, given]) => matches(key, label) && (value.length === 0 || matches(value.join('='), given)),
  );
}

export const RULE = /^(name|image|label)=.+/s;

/** Whether a container is observed: any include rule fits, or there is none, and no exclude rule does. */
export function isSelected(
  container: Subject,
  include: readonly string[],
  exclude: readonly string[],
): boolean {
  return (
    (include.length === 0 || include.some((rule) => fits(rule, container))) &&
    !exclude.some((rule) => fits(rule, container))
  );
}
