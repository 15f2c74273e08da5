/**
 * Compiles catalogue rows into what has to be read: each file once, each field into one slot of a number
 * array, each point from its slots.
 */
import type { CatalogueEntry, Field, Reading } from '../../agent/catalogue.ts';
import type { Attributes, Metric } from '../../agent/records.ts';
import type { KeySlot } from './parse.ts';

export interface PlannedFile {
  readonly controller: string;
  readonly name: string;
  /** Slot of a single-value file; undefined for a flat-keyed one. */
  readonly single: { slot: number; scale: number } | undefined;
  readonly keys: readonly KeySlot[];
}

export interface PlannedPoint {
  readonly metric: Metric;
  readonly attributes: Attributes | undefined;
  readonly slots: readonly number[];
  readonly compute: ((...values: number[]) => number) | undefined;
  readonly rate: boolean;
}

export interface Plan {
  readonly files: readonly PlannedFile[];
  readonly points: readonly PlannedPoint[];
  readonly slots: number;
}

/** The controllers that any of the rows reads, on either version. */
export function controllersOf(rows: readonly CatalogueEntry[]): Set<string> {
  const readings = rows.flatMap((row) => [...(row.v1 ?? []), ...(row.v2 ?? [])]);
  return new Set(readings.flatMap((reading) => reading.fields.map((field) => field.controller)));
}

/**
 * @param versions cgroup version of each controller that the container has; a point whose controllers are
 *   not all there on one version is left out
 */
export function compile(rows: readonly CatalogueEntry[], versions: ReadonlyMap<string, 1 | 2>): Plan {
  const files = new Map<
    string,
    { controller: string; name: string; single?: PlannedFile['single']; keys: KeySlot[] }
  >();
  const slotOf = new Map<string, number>();
  const points: PlannedPoint[] = [];

  const slot = ({ controller, file, key, scale = 1 }: Field): number => {
    const id = `${controller}/${file}/${key ?? ''}/${scale}`;
    const known = slotOf.get(id);
    if (known !== undefined) return known;
    const assigned = slotOf.size;
    slotOf.set(id, assigned);
    let planned = files.get(`${controller}/${file}`);
    if (planned === undefined) {
      planned = { controller, name: file, keys: [] };
      files.set(`${controller}/${file}`, planned);
    }
    if (key === undefined) planned.single = { slot: assigned, scale };
    else planned.keys.push({ key: Buffer.from(key), slot: assigned, scale });
    return assigned;
  };

  const readable = (reading: Reading, version: 1 | 2) =>
    reading.fields.every((field) => versions.get(field.controller) === version);

  for (const row of rows) {
    for (const version of [1, 2] as const) {
      for (const reading of (version === 1 ? row.v1 : row.v2) ?? []) {
        if (!readable(reading, version)) continue;
        points.push({
          metric: row,
          attributes: reading.attributes,
          slots: reading.fields.map(slot),
          compute: reading.compute,
          rate: reading.rate ?? false,
        });
      }
    }
  }
  return {
    files: [...files.values()].map((file) => ({ ...file, single: file.single })),
    points,
    slots: slotOf.size,
  };
}
