/** The last ten minutes of containers that are or were in sight, for the small charts of the list. */
import { signal } from '@preact/signals';
import type { Figures, SeriesAnswer } from '../../../api.ts';
import { fetchJson } from './api-client.ts';

export const SPARKLINE_MS = 600_000;
/** Sums of two metrics, where they are drawn as one. */
const SHOWN = {
  cpu: ['cpu'],
  memory: ['memory'],
  network: ['receive', 'transmit'],
  disk: ['read', 'write'],
} as const;
export type SparklineMetric = keyof typeof SHOWN;
const shownNames = Object.keys(SHOWN) as SparklineMetric[];
const METRICS = Object.values(SHOWN).flat();
/** As many as an address has room for. */
const AT_A_TIME = 50;
const ID_LETTERS = 16;

type Row = (number | null)[];

export interface SparklineData {
  /** ms */
  step: number;
  /** Number of the first slot: its time divided by the step. */
  first: number;
  readonly rows: Readonly<Record<SparklineMetric, Row>>;
}

const sparklines = new Map<string, SparklineData>();
/** Moves when any has changed. */
export const sparklinesVersion = signal(0);

export const sparklineOf = (id: string): SparklineData | undefined => sparklines.get(id);

const sum = (values: readonly (number | null | undefined)[]): number | null =>
  values.every((value) => value === null || value === undefined)
    ? null
    : values.reduce<number>((total, value) => total + (value ?? 0), 0);

/** Asks for those of containers that are in sight and not known yet. */
export async function loadSparklines(ids: readonly string[]): Promise<void> {
  const unknown = ids.filter((id) => !sparklines.has(id));
  for (let from = 0; from < unknown.length; from += AT_A_TIME) {
    const part = unknown.slice(from, from + AT_A_TIME);
    const {
      from: begin,
      step,
      series,
    } = await fetchJson<SeriesAnswer>('/api/series', {
      id: part.map((id) => id.slice(0, ID_LETTERS)),
      metric: METRICS,
      since: Date.now() - SPARKLINE_MS,
    });
    for (const [id, columns] of Object.entries(series)) {
      const rows = Object.fromEntries(
        shownNames.map((name) => {
          const parts = SHOWN[name].map((metric) => columns[metric] ?? []);
          return [name, (parts[0] ?? []).map((_, index) => sum(parts.map((part) => part[index])))];
        }),
      ) as Record<SparklineMetric, Row>;
      sparklines.set(id, { step, first: Math.round(begin / step), rows });
    }
    sparklinesVersion.value++;
  }
}

export function addFigures(all: Readonly<Record<string, Figures>>): void {
  for (const [id, figures] of Object.entries(all)) {
    const sparks = sparklines.get(id);
    if (sparks === undefined) continue;
    const slot = Math.floor(figures.time / sparks.step);
    const length = Math.ceil(SPARKLINE_MS / sparks.step);
    for (const name of shownNames) {
      const row = sparks.rows[name];
      while (sparks.first + row.length <= slot) row.push(null);
      row[slot - sparks.first] = sum(SHOWN[name].map((metric) => figures[metric]));
    }
    const excess = sparks.rows.cpu.length - length;
    if (excess <= 0) continue;
    for (const name of shownNames) sparks.rows[name].splice(0, excess);
    sparks.first += excess;
  }
  sparklinesVersion.value++;
}

export const removeSparkline = (id: string): boolean => sparklines.delete(id);
