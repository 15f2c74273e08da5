/** Which containers something applies to: lists of `name=…`, `image=…` and `label=…`, compiled once. */

import type { Subject } from '../records/records.ts';
import { compileWildcards } from './wildcard.ts';

export type ContainerFilter = (container: Subject) => boolean;

export const CONTAINER_SELECTOR = /^(name|image|label)=.+/s;

/**
 * A selector such as `name=web*`, `image=nginx:*`, `label=com.example.team=shop` or `label=portlight.*`. A
 * label without a value only has to exist.
 */
function compileSelector(selector: string): ContainerFilter {
  const [, kind, pattern = ''] = /^(name|image|label)=(.*)$/s.exec(selector) ?? [];
  if (kind === 'name' || kind === 'image') {
    const matches = compileWildcards(pattern);
    return (container) => matches(container[kind]);
  }
  const [key = '', ...value] = pattern.split('=');
  const matchesKey = compileWildcards(key);
  const matchesValue = value.length === 0 ? () => true : compileWildcards(value.join('='));
  return ({ labels }) =>
    Object.entries(labels).some(([label, text]) => matchesKey(label) && matchesValue(text));
}

/** A container passes if an include selector matches it, or there is none, and no exclude selector does. */
export function compileContainerFilter(
  include: readonly string[],
  exclude: readonly string[],
): ContainerFilter {
  const included = include.map(compileSelector);
  const excluded = exclude.map(compileSelector);
  return (container) =>
    (included.length === 0 || included.some((matches) => matches(container))) &&
    !excluded.some((matches) => matches(container));
}
