/** Data of the sparklines: the last ten minutes of each container that is or was visible. */
import { signal } from '@preact/signals';
import type { ContainerFigures, SeriesAnswer } from '../../../api.ts';
import { fetchJson } from './api-client.ts';

export const SPARKLINE_MS = 600_000;
/** The API's metrics of each sparkline; two are summed. */
const SOURCES = {
  cpu: ['cpu'],
  memory: ['memory'],
  network: ['receive', 'transmit'],
  disk: ['read', 'write'],
} as const;
export type SparklineMetric = keyof typeof SOURCES;
const sparklineMetrics = Object.keys(SOURCES) as SparklineMetric[];
const METRICS = Object.values(SOURCES).flat();
/** Containers per request, limited by the length of the address. */
const BATCH_SIZE = 50;
const ID_LENGTH = 16;

type Row = (number | null)[];

export interface SparklineData {
  /** ms */
  step: number;
  /** Number of the first slot: its time divided by the step. */
  first: number;
  readonly rows: Readonly<Record<SparklineMetric, Row>>;
}

const sparklines = new Map<string, SparklineData>();
/** Incremented with each change. */
export const sparklinesVersion = signal(0);

export const sparklineOf = (id: string): SparklineData | undefined => sparklines.get(id);

const sum = (values: readonly (number | null | undefined)[]): number | null =>
  values.every((value) => value === null || value === undefined)
    ? null
    : values.reduce<number>((total, value) => total + (value ?? 0), 0);

/** Loads the sparklines of visible containers that are not loaded yet. */
export async function loadSparklines(ids: readonly string[]): Promise<void> {
  const unknown = ids.filter((id) => !sparklines.has(id));
  for (let from = 0; from < unknown.length; from += BATCH_SIZE) {
    const part = unknown.slice(from, from + BATCH_SIZE);
    const {
      from: begin,
      step,
      series,
    } = await fetchJson<SeriesAnswer>('/api/series', {
      id: part.map((id) => id.slice(0, ID_LENGTH)),
      metric: METRICS,
      since: Date.now() - SPARKLINE_MS,
    });
    for (const [id, columns] of Object.entries(series)) {
      const rows = Object.fromEntries(
        sparklineMetrics.map((name) => {
          const parts = SOURCES[name].map((metric) => columns[metric] ?? []);
          return [name, (parts[0] ?? []).map((_, index) => sum(parts.map((part) => part[index])))];
        }),
      ) as Record<SparklineMetric, Row>;
      sparklines.set(id, { step, first: Math.round(begin / step), rows });
    }
    sparklinesVersion.value++;
  }
}

export function addFigures(all: Readonly<Record<string, ContainerFigures>>): void {
  for (const [id, figures] of Object.entries(all)) {
    const sparks = sparklines.get(id);
    if (sparks === undefined) continue;
    const slot = Math.floor(figures.time / sparks.step);
    const length = Math.ceil(SPARKLINE_MS / sparks.step);
    for (const name of sparklineMetrics) {
      const row = sparks.rows[name];
      while (sparks.first + row.length <= slot) row.push(null);
      row[slot - sparks.first] = sum(SOURCES[name].map((metric) => figures[metric]));
    }
    const excess = sparks.rows.cpu.length - length;
    if (excess <= 0) continue;
    for (const name of sparklineMetrics) sparks.rows[name].splice(0, excess);
    sparks.first += excess;
  }
  sparklinesVersion.value++;
}

export const removeSparkline = (id: string): boolean => sparklines.delete(id);
