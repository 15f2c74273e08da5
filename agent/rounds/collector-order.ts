/** Which collectors must come after others, and why. All others may come in any order. */

export interface OrderRule {
  /** Name of a collector. */
  readonly collector: string;
  /** Names of those that come before it, where they are present. */
  readonly after: readonly string[];
  readonly reason: string;
}

export const COLLECTOR_ORDER: readonly OrderRule[] = [
  {
    collector: 'network',
    after: ['cgroup'],
    reason: '`CgroupCollector.isIdle` then describes the current round, not the previous one',
  },
  {
    collector: 'processes',
    after: ['cgroup'],
    reason: '`CgroupCollector.isIdle` then describes the current round, not the previous one',
  },
];

/**
 * The collectors in an order that meets every rule; otherwise they stay as they are given.
 * @throws {Error} when the rules form a cycle
 */
export function inOrder<C extends { readonly name: string }>(
  collectors: readonly C[],
  rules: readonly OrderRule[] = COLLECTOR_ORDER,
): C[] {
  const ordered = new Set<C>();
  const visiting = new Set<C>();
  const place = (collector: C): void => {
    if (ordered.has(collector)) return;
    if (visiting.has(collector)) throw new Error(`the order of collectors has a cycle at ${collector.name}`);
    visiting.add(collector);
    const before = rules.filter((rule) => rule.collector === collector.name).flatMap(({ after }) => after);
    for (const other of collectors) if (before.includes(other.name)) place(other);
    ordered.add(collector);
  };
  for (const collector of collectors) place(collector);
  return [...ordered];
}
