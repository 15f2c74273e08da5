/** A container whose files are read by a plan, round by round. */
import type { Cadence } from '../catalogue/entry.ts';
import type { Point, PointSink } from '../records/records.ts';
import { kernelBuffer } from '../shared/kernel-file.ts';
import type { Plan, PlannedTable } from './plan.ts';
import { parseTable, type TableAttributes } from './tables.ts';

type Turns = Readonly<Record<Cadence, number>>;
/**
 * In every so manieth round. Settings such as limits are read when the daemon tells that they were changed, and now and
 * then in case somebody wrote to the files.
 */
const EVERY: Omit<Turns, 'seldom'> = { setting: 30, rare: 6, active: 1 };
/**
 * Of a container in which nothing happens. What moves only in an active one is looked at all the same: the kernel writes
 * its dirty pages, and looks through its memory for what could be freed.
 */
const EVERY_IF_STILL: Omit<Turns, 'seldom'> = { setting: 30, rare: 30, active: 6 };
/** A table without a line for any device is `Total 0` on cgroup v1. */
const EMPTY_TABLE = 8;

/** Something that gives a file's bytes. */
export interface ReadableFile {
  /** Puts them into the buffer of kernel files. @returns how many there are; 0 where there is no such file */
  read(): number;
  close(): void;
}

/** A table's files; one without `*` in its name has one. */
interface TableFiles {
  readonly table: PlannedTable;
  readonly files: readonly { readonly file: ReadableFile; readonly label: string }[];
}

export interface WatchedOptions {
  readonly plan: Plan;
  /** One per file of the plan; undefined where the host does not have it. */
  readonly files: readonly (ReadableFile | undefined)[];
  readonly tables: readonly TableFiles[];
  readonly attributes: TableAttributes;
  /** In every so manieth round that is read which only rules look at. */
  readonly seldomEvery: number;
  /** Which round is its first. */
  readonly turn: number;
}

function areEqual(one: Float64Array, other: Float64Array): boolean {
  for (let index = 0; index < one.length; index++) {
    // NaN, too, is what it was.
    if (one[index] !== other[index] && !Object.is(one[index], other[index])) return false;
  }
  return true;
}

/** One for all: it is used at one go. */
let scratch = new Float64Array(0);

export class Watched {
  /** Everything is read in the next round, whatever its turn. */
  isNew = true;
  /**
   * Whether nothing has happened in it since the round before the last one. What the kernel adds up late, as it does for
   * memory.stat, is read once more behind the end of whatever happened.
   */
  isStill = false;
  /** Whether it is still since this round. */
  private isEnding = false;
  private wasSame = false;
  /** Whether its files said in the last round what they had said in the round before. */
  private wasEqual = false;
  private readonly options: WatchedOptions;
  private readonly every: Turns;
  private readonly everyIfStill: Turns;
  /** Whether each table had any line when it was last looked at. */
  private readonly hasLines: boolean[];
  /** Slots' values and clock (ms) of the last round, for rates; no clock before the first. */
  private readonly last: Float64Array;
  private lastClock: number | undefined;
  private rounds: number;

  constructor(options: WatchedOptions) {
    const { seldomEvery: seldom } = options;
    this.options = options;
    this.every = { ...EVERY, seldom };
    this.everyIfStill = { ...EVERY_IF_STILL, seldom };
    this.hasLines = options.tables.map(() => true);
    this.last = new Float64Array(options.plan.slots);
    this.rounds = options.turn;
  }

  /** @param clock when the files say what they say, ms of any clock that goes evenly */
  collect(points: PointSink, clock: number): void {
    const values = this.read();
    const isEqual = this.lastClock !== undefined && areEqual(values, this.last);
    // Rates, too, are those of the last round then: 0.
    const isRepeated =
      !this.isNew && isEqual && this.wasEqual && !this.isAnyTableDue() && points.repeatPrevious();
    this.wasEqual = isEqual;
    if (!isRepeated) this.collectFields(points, values, clock);
    this.last.set(values);
    this.lastClock = clock;
    if (!isRepeated) this.collectTables(points);
    this.rounds++;
    this.isNew = false;
  }

  close(): void {
    const { files, tables } = this.options;
    for (const file of files) file?.close();
    for (const table of tables) for (const { file } of table.files) file.close();
  }

  /** One pass over the container's files. A file that cannot be read leaves its fields absent. */
  private read(): Float64Array {
    const { plan, files } = this.options;
    if (scratch.length < plan.slots) scratch = new Float64Array(plan.slots);
    const values = scratch.subarray(0, plan.slots);
    // Of files whose turn it is not, what they said last.
    values.set(this.last);
    this.readFiles(0, plan.signFiles, values);
    const isSame = plan.signs.length > 0 && plan.signs.every((slot) => values[slot] === this.last[slot]);
    this.isEnding = isSame && this.wasSame && !this.isStill;
    this.isStill = isSame && this.wasSame;
    this.wasSame = isSame;
    if (plan.cadences.some((cadence) => this.isDue(cadence)))
      this.readFiles(plan.signFiles, files.length, values);
    return values;
  }

  private readFiles(from: number, to: number, values: Float64Array): void {
    const { plan, files } = this.options;
    for (let index = from; index < to; index++) {
      const { parse, slots, cadence } = plan.files[index]!;
      if (!this.isDue(cadence)) continue;
      for (let at = 0; at < slots.length; at++) values[slots[at]!] = Number.NaN;
      const length = files[index]?.read() ?? 0;
      if (length > 0) parse(kernelBuffer, length, values);
    }
  }

  private collectFields(points: PointSink, values: Float64Array, clock: number): void {
    const { last } = this;
    const seconds = this.lastClock === undefined ? Number.NaN : (clock - this.lastClock) / 1000;
    const planned = this.options.plan.points;
    // By index, here and elsewhere: iterators are garbage by the megabyte where containers are many.
    for (let index = 0; index < planned.length; index++) {
      const { metric, attributes, slots, compute, rate } = planned[index]!;
      let value: number;
      if (rate) value = Math.max(0, values[slots[0]!]! - last[slots[0]!]!) / seconds;
      else if (compute === undefined) value = values[slots[0]!]!;
      else value = compute(values[slots[0]!]!, values[slots[1]!]!, values[slots[2]!]!);
      if (Number.isFinite(value)) points.push({ metric, value, attributes });
    }
  }

  /** Of several files that say the same of a metric, the first that has anything is taken. */
  private collectTables(points: PointSink): void {
    const { tables, attributes } = this.options;
    const found: Point[] = [];
    const answered = new Set<unknown>();
    for (let index = 0; index < tables.length; index++) {
      if (!this.hasLines[index] && !this.areEmptyTablesDue) continue;
      const { table, files } = tables[index]!;
      const open = table.readings.filter(({ metric }) => !answered.has(metric));
      if (open.length === 0) continue;
      this.hasLines[index] = false;
      for (const { file, label: fileLabel } of files) {
        const length = file.read();
        if (length <= EMPTY_TABLE && table.readings[0]!.reading.label === 'device') continue;
        if (length === 0) continue;
        this.hasLines[index] = true;
        const text = kernelBuffer.toString('latin1', 0, length);
        for (const { metric, reading } of open) {
          for (const { label, value } of parseTable(text, reading.format, reading.column)) {
            found.push({
              metric,
              value: value * reading.scale,
              attributes: attributes.of(reading, label || fileLabel),
            });
            answered.add(metric);
          }
        }
      }
    }
    // The points of one metric stand together.
    for (const metric of answered) for (const point of found) if (point.metric === metric) points.push(point);
  }

  /** Whether one of the tables is to be read because it is its turn, or because something may have happened. */
  private isAnyTableDue(): boolean {
    return this.hasLines.some((hasLines) => (hasLines ? this.isDue('active') : this.areEmptyTablesDue));
  }

  /** Whether it is the turn of tables that had no lines: the kernel writes a container's pages when it sleeps. */
  private get areEmptyTablesDue(): boolean {
    return this.isNew || this.rounds % EVERY.rare === 0;
  }

  private isDue(cadence: Cadence | undefined): boolean {
    if (this.isNew || cadence === undefined) return true;
    // What has moved before is read when all has come to rest.
    if (this.isEnding && cadence === 'rare') return true;
    return this.rounds % (this.isStill ? this.everyIfStill : this.every)[cadence] === 0;
  }
}
