/**
 * Compiles catalogue rows into a plan of what to read: each file once, each field into one slot of a number
 * array, each point from its slots.
 */
import type {
  Cadence,
  CatalogueEntry,
  Compute,
  Field,
  Reading,
  TableReading,
  ValueLocation,
} from '../catalogue/entry.ts';
import { key, MICRO, NANO, value } from '../catalogue/entry.ts';
import type { Attributes, Metric } from '../records/records.ts';
import { FlatKeyedParser, type KeySlot } from './flat-keyed-parser.ts';
import { parseList, parseNthValue, parsePair, parseSingle, parseText } from './parse.ts';

/** Fills the slots that a file's bytes hold values for. */
type FileParser = (bytes: Uint8Array, length: number, values: Float64Array) => void;

export interface PlannedFile {
  readonly controller: string;
  readonly name: string;
  readonly parse: FileParser;
  readonly slots: readonly number[];
  /** The most frequent cadence of its fields; undefined for every round. */
  readonly cadence: Cadence | undefined;
}

export interface PlannedPoint {
  readonly metric: Metric;
  readonly attributes: Attributes | undefined;
  readonly slots: readonly number[];
  readonly compute: Compute | undefined;
  readonly isRate: boolean;
}

/** A file with a line for each device or the like, and every metric that is read from it. */
export interface PlannedTable {
  readonly controller: string;
  readonly file: string;
  readonly readings: readonly { readonly metric: Metric; readonly reading: TableReading }[];
}

export interface ReadPlan {
  readonly files: readonly PlannedFile[];
  /** Slots that change whenever the container does anything; none where its CPU time is not known. */
  readonly activitySlots: readonly number[];
  /** How many of the files, from the first, hold the activity slots. */
  readonly activityFileCount: number;
  /** Cadences of the files after them. */
  readonly otherCadences: readonly (Cadence | undefined)[];
  readonly points: readonly PlannedPoint[];
  readonly tables: readonly PlannedTable[];
  readonly slotCount: number;
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

/** All but keys, which one parser reads together. */
function parserOf(location: Exclude<ValueLocation, { at: 'key' }>, slot: number, scale: number): FileParser {
  const store =
    (parse: (bytes: Uint8Array, length: number) => number): FileParser =>
    (bytes, length, values) => {
      values[slot] = parse(bytes, length) * scale;
    };
  switch (location.at) {
    case 'value':
      return store(parseSingle);
    case 'list':
      return store(parseList);
    case 'position':
      return store((bytes, length) => parseNthValue(bytes, length, location.position));
    case 'text': {
      const text = Buffer.from(location.text);
      return store((bytes, length) => parseText(bytes, length, text));
    }
    case 'pair': {
      const [line, key] = [Buffer.from(location.line), Buffer.from(location.key)];
      return store((bytes, length) => parsePair(bytes, length, line, key));
    }
  }
}

/** The most frequent first. */
const CADENCES: readonly (Cadence | undefined)[] = [undefined, 'active', 'rules', 'rare', 'setting'];

const moreFrequent = (one: Cadence | undefined, other: Cadence | undefined): Cadence | undefined =>
  CADENCES[Math.min(CADENCES.indexOf(one), CADENCES.indexOf(other))];

/** CPU time as exact as the kernel has it, and memory usage. */
const ACTIVITY = {
  cpu: [
    { version: 1, field: value('cpuacct', 'cpuacct.usage', NANO) },
    { version: 2, field: key('cpu', 'cpu.stat', 'usage_usec', MICRO) },
  ],
  memory: [
    { version: 1, field: value('memory', 'memory.usage_in_bytes') },
    { version: 2, field: value('memory', 'memory.current') },
  ],
};

/**
 * The fields that show activity. Without CPU time none does: memory usage alone can stay the same while a
 * process runs.
 */
function activityFields(versions: ReadonlyMap<string, 1 | 2>): Field[] {
  const [cpu, memory] = [ACTIVITY.cpu, ACTIVITY.memory].map(
    (fields) => fields.find(({ version, field }) => versions.get(field.controller) === version)?.field,
  );
  return cpu === undefined ? [] : [cpu, ...(memory === undefined ? [] : [memory])];
}

/**
 * The readings that a container's controllers allow: those of cgroup v1 where it has any, else those of v2.
 */
function readable(row: CatalogueEntry, versions: ReadonlyMap<string, 1 | 2>): readonly Reading[] {
  const on = (version: 1 | 2) => (reading: Reading) =>
    reading.fields.every(({ controller }) => versions.get(controller) === version);
  const v1 = row.v1.filter(on(1));
  return v1.length > 0 ? v1 : row.v2.filter(on(2));
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

/** Gives each distinct field one slot, and gathers the files that the fields are in. */
class SlotAllocator {
  readonly files = new Map<string, PartialFile>();
  private readonly slots = new Map<string, number>();

  get slotCount(): number {
    return this.slots.size;
  }

  /** @param isRulesOnly whether the field is of a row that only rules use */
  slotFor({ controller, file: name, location, scale, cadence }: Field, isRulesOnly: boolean): number {
    const id = JSON.stringify([controller, name, location, scale]);
    const known = this.slots.get(id);
    if (known !== undefined) return known;
    const slot = this.slots.size;
    this.slots.set(id, slot);
    const wanted = isRulesOnly && (cadence === undefined || cadence === 'active') ? 'rules' : cadence;
    const file = this.fileFor(controller, name, wanted);
    file.slots.push(slot);
    if (file.cadence !== wanted) file.cadence = moreFrequent(file.cadence, wanted);
    if (location.at === 'key') file.keys.push({ key: Buffer.from(location.key), slot, scale });
    else file.parsers.push(parserOf(location, slot, scale));
    return slot;
  }

  private fileFor(controller: string, name: string, cadence: Cadence | undefined): PartialFile {
    const path = `${controller}/${name}`;
    const file = this.files.get(path) ?? { controller, name, keys: [], parsers: [], slots: [], cadence };
    this.files.set(path, file);
    return file;
  }
}

function planFile({ controller, name, keys, parsers, slots, cadence }: PartialFile): PlannedFile {
  const flat = keys.length === 0 ? undefined : new FlatKeyedParser(keys);
  const all = flat === undefined ? parsers : [flat.parse.bind(flat), ...parsers];
  const parse: FileParser =
    all.length === 1
      ? all[0]!
      : (...given) => {
          for (const each of all) each(...given);
        };
  return { controller, name, parse, slots, cadence };
}

/** Each file of tables once, with all metrics that are read from it. */
function planTables(rows: readonly CatalogueEntry[], versions: ReadonlyMap<string, 1 | 2>): PlannedTable[] {
  const tables = new Map<string, PlannedTable & { readings: { metric: Metric; reading: TableReading }[] }>();
  for (const metric of rows) {
    for (const reading of metric.tables) {
      const { controller, file } = reading;
      if (!versions.has(controller)) continue;
      const table = tables.get(`${controller}/${file}`) ?? { controller, file, readings: [] };
      table.readings.push({ metric, reading });
      tables.set(`${controller}/${file}`, table);
    }
  }
  return [...tables.values()];
}

/**
 * @param versions cgroup version of each controller that the container has
 * @param rulesOnly rows that only rules use, which need not be read in every round
 */
export function compileReadPlan(
  rows: readonly CatalogueEntry[],
  versions: ReadonlyMap<string, 1 | 2>,
  rulesOnly: ReadonlySet<Metric> = new Set(),
): ReadPlan {
  const allocator = new SlotAllocator();
  // First, so that their files come first.
  const activitySlots = activityFields(versions).map((field) => allocator.slotFor(field, false));
  const activityFileCount = allocator.files.size;
  const points = rows.flatMap((metric) =>
    readable(metric, versions).map(
      ({ attributes, fields, compute, isRate = false }): PlannedPoint => ({
        metric,
        attributes,
        slots: fields.map((field) => allocator.slotFor(field, rulesOnly.has(metric))),
        compute,
        isRate,
      }),
    ),
  );
  const files = [...allocator.files.values()].map(planFile);
  return {
    files,
    activitySlots,
    activityFileCount,
    otherCadences: [...new Set(files.slice(activityFileCount).map(({ cadence }) => cadence))],
    points,
    tables: planTables(rows, versions),
    slotCount: allocator.slotCount,
  };
}
