/**
 * Compiles catalogue rows into what has to be read: each file once, each field into one slot of a number
 * array, each point from its slots.
 */
import type {
  Cadence,
  CatalogueEntry,
  Compute,
  Field,
  Place,
  Reading,
  TableReading,
} from '../catalogue/entry.ts';
import { key, MICRO, NANO, value } from '../catalogue/entry.ts';
import type { Attributes, Metric } from '../records/records.ts';
import {
  FlatParser,
  type KeySlot,
  parseList,
  parsePair,
  parsePosition,
  parseSingle,
  parseText,
} from './parse.ts';

/** Fills the slots that a file's bytes hold values for. */
type FileParser = (bytes: Uint8Array, length: number, values: Float64Array) => void;

export interface PlannedFile {
  readonly controller: string;
  readonly name: string;
  readonly parse: FileParser;
  readonly slots: readonly number[];
  /** The most frequent that any of its fields asks for; undefined for every round. */
  readonly cadence: Cadence | undefined;
}

export interface PlannedPoint {
  readonly metric: Metric;
  readonly attributes: Attributes | undefined;
  readonly slots: readonly number[];
  readonly compute: Compute | undefined;
  readonly rate: boolean;
}

/** A file with a line for each device or the like, and every metric that is read from it. */
export interface PlannedTable {
  readonly controller: string;
  readonly file: string;
  readonly readings: readonly { readonly metric: Metric; readonly reading: TableReading }[];
}

export interface Plan {
  readonly files: readonly PlannedFile[];
  /** Slots that move when anything has happened in the container; none where that cannot be told. */
  readonly signs: readonly number[];
  /** How many of the files, from the first, hold the signs. */
  readonly signFiles: number;
  /** Of the files behind them. */
  readonly cadences: readonly (Cadence | undefined)[];
  readonly points: readonly PlannedPoint[];
  readonly tables: readonly PlannedTable[];
  readonly slots: number;
}

/** The controllers that any of the rows reads, on either version. */
export function controllersOf(rows: readonly CatalogueEntry[]): Set<string> {
  return new Set(
    rows.flatMap(({ v1, v2, tables }) => [
      ...[...v1, ...v2].flatMap(({ fields }) => fields.map(({ controller }) => controller)),
      ...tables.map(({ controller }) => controller),
    ]),
  );
}

/** A file while its fields are gathered. */
interface PartialFile {
  readonly controller: string;
  readonly name: string;
  readonly keys: KeySlot[];
  readonly parsers: FileParser[];
  readonly slots: number[];
  cadence: Cadence | undefined;
}

/** All but keys, which one parser reads together. */
function parserOf(place: Exclude<Place, { at: 'key' }>, slot: number, scale: number): FileParser {
  const store =
    (parse: (bytes: Uint8Array, length: number) => number): FileParser =>
    (bytes, length, values) => {
      values[slot] = parse(bytes, length) * scale;
    };
  switch (place.at) {
    case 'value':
      return store(parseSingle);
    case 'list':
      return store(parseList);
    case 'position':
      return store((bytes, length) => parsePosition(bytes, length, place.position));
    case 'text': {
      const text = Buffer.from(place.text);
      return store((bytes, length) => parseText(bytes, length, text));
    }
    case 'pair': {
      const [line, key] = [Buffer.from(place.line), Buffer.from(place.key)];
      return store((bytes, length) => parsePair(bytes, length, line, key));
    }
  }
}

/** The most frequent first. */
const CADENCES: readonly (Cadence | undefined)[] = [undefined, 'active', 'seldom', 'rare', 'setting'];

const moreFrequent = (one: Cadence | undefined, other: Cadence | undefined): Cadence | undefined =>
  CADENCES[Math.min(CADENCES.indexOf(one), CADENCES.indexOf(other))];

/** CPU time as exact as the kernel has it, and memory. */
const SIGNS = {
  cpu: [
    { version: 1, field: value('cpuacct', 'cpuacct.usage', NANO) },
    { version: 2, field: key('cpu', 'cpu.stat', 'usage_usec', MICRO) },
  ],
  memory: [
    { version: 1, field: value('memory', 'memory.usage_in_bytes') },
    { version: 2, field: value('memory', 'memory.current') },
  ],
};

/** What shows that something has happened: CPU time at least, or nothing does. */
function signsOf(versions: ReadonlyMap<string, 1 | 2>): Field[] {
  const [cpu, memory] = [SIGNS.cpu, SIGNS.memory].map(
    (fields) => fields.find(({ version, field }) => versions.get(field.controller) === version)?.field,
  );
  return cpu === undefined ? [] : [cpu, ...(memory === undefined ? [] : [memory])];
}

/** The readings that a container's controllers allow: those of cgroup v1 where it has any, else v2's. */
function readable(row: CatalogueEntry, versions: ReadonlyMap<string, 1 | 2>): readonly Reading[] {
  const on = (version: 1 | 2) => (reading: Reading) =>
    reading.fields.every(({ controller }) => versions.get(controller) === version);
  const v1 = row.v1.filter(on(1));
  return v1.length > 0 ? v1 : row.v2.filter(on(2));
}

/**
 * @param versions cgroup version of each controller that the container has
 * @param seldom rows that need not be read every round
 */
export function compile(
  rows: readonly CatalogueEntry[],
  versions: ReadonlyMap<string, 1 | 2>,
  seldom: ReadonlySet<Metric> = new Set(),
): Plan {
  const files = new Map<string, PartialFile>();
  const slotOf = new Map<string, number>();
  const tables = new Map<
    string,
    { controller: string; file: string; readings: { metric: Metric; reading: TableReading }[] }
  >();

  const slot = ({ controller, file: name, place, scale, cadence }: Field, isSeldom: boolean): number => {
    const wanted = isSeldom && (cadence === undefined || cadence === 'active') ? 'seldom' : cadence;
    const id = JSON.stringify([controller, name, place, scale]);
    const known = slotOf.get(id);
    if (known !== undefined) return known;
    const assigned = slotOf.size;
    slotOf.set(id, assigned);
    const file = files.get(`${controller}/${name}`) ?? {
      controller,
      name,
      keys: [],
      parsers: [],
      slots: [],
      cadence: wanted,
    };
    files.set(`${controller}/${name}`, file);
    file.slots.push(assigned);
    if (file.cadence !== wanted) file.cadence = moreFrequent(file.cadence, wanted);
    if (place.at === 'key') file.keys.push({ key: Buffer.from(place.key), slot: assigned, scale });
    else file.parsers.push(parserOf(place, assigned, scale));
    return assigned;
  };

  const signs = signsOf(versions).map((field) => slot(field, false));
  const signFiles = files.size;
  const points = rows.flatMap((metric) =>
    readable(metric, versions).map(
      ({ attributes, fields, compute, rate = false }): PlannedPoint => ({
        metric,
        attributes,
        slots: fields.map((field) => slot(field, seldom.has(metric))),
        compute,
        rate,
      }),
    ),
  );
  for (const metric of rows) {
    for (const reading of metric.tables) {
      const { controller, file } = reading;
      if (!versions.has(controller)) continue;
      const table = tables.get(`${controller}/${file}`) ?? { controller, file, readings: [] };
      table.readings.push({ metric, reading });
      tables.set(`${controller}/${file}`, table);
    }
  }
  return {
    files: [...files.values()].map(({ controller, name, keys, parsers, slots, cadence }) => {
      const flat = keys.length === 0 ? undefined : new FlatParser(keys);
      const all = flat === undefined ? parsers : [flat.parse.bind(flat), ...parsers];
      const parse: FileParser =
        all.length === 1
          ? all[0]!
          : (...given) => {
              for (const each of all) each(...given);
            };
      return { controller, name, parse, slots, cadence };
    }),
    signs,
    signFiles,
    cadences: [...new Set([...files.values()].slice(signFiles).map(({ cadence }) => cadence))],
    points,
    tables: [...tables.values()],
    slots: slotOf.size,
  };
}
