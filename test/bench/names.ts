/** The benches, in the order of docs/performance.md. */
export const names = [
  'cost',
  'metrics',
  'logs',
  'events',
  'startup',
  'idle',
  'soak',
  'page',
  'alerts',
  'fleet',
] as const;

export type Name = (typeof names)[number];
