/** Time series of the last hour. */

export const containerMetrics = [
  'cpu',
  'throttled',
  'memory',
  'receive',
  'transmit',
  'read',
  'write',
  'pids',
] as const;
export type ContainerMetric = (typeof containerMetrics)[number];

export const hostMetrics = ['cpu', 'memory', 'receive', 'transmit', 'read', 'write'] as const;

/** The last hour in steps of equal length; a value is the mean of all measurements in its step. */
export interface SeriesAnswer {
  /** Start of the first step. */
  readonly from: number;
  /** Length of a step. */
  readonly step: number;
  /** By container id, then by metric; all have the same number of steps. */
  readonly series: Readonly<Record<string, Readonly<Record<string, readonly (number | null)[]>>>>;
}
