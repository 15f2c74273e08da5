import type { Point, PointSink } from '../records/records.ts';
import { kernelBuffer } from '../shared/kernel-file.ts';
import type { ContainerFiles } from './container-files.ts';
import type { ReadPlan } from './read-plan.ts';
import type { ReadSchedule } from './read-schedule.ts';
import type { TableAttributes } from './table-attributes.ts';
import { parseTable } from './table-parser.ts';

/** Bytes of a table without a line for any device: `Total 0` on cgroup v1. */
const EMPTY_TABLE = 8;

export interface ContainerReaderOptions extends ContainerFiles {
  readonly plan: ReadPlan;
  readonly attributes: TableAttributes;
  readonly schedule: ReadSchedule;
}

/** NaN equals NaN: an absent value that stays absent has not changed. */
function areEqual(one: Float64Array, other: Float64Array): boolean {
  for (let index = 0; index < one.length; index++) {
    if (one[index] !== other[index] && !Object.is(one[index], other[index])) return false;
  }
  return true;
}

/** One for all containers: no container needs it longer than one synchronous read. */
let scratch = new Float64Array(0);

/** Reads the files of one container by a plan, round by round, and adds its points. */
export class ContainerReader {
  private readonly options: ContainerReaderOptions;
  private readonly schedule: ReadSchedule;
  /** Whether the values of the last round equal those of the round before. */
  private wasEqual = false;
  /** Whether each table had any line when it was last read. */
  private readonly hasLines: boolean[];
  /** Slots' values and clock (ms) of the last round, for rates; no clock before the first. */
  private readonly last: Float64Array;
  private lastClock: number | undefined;

  constructor(options: ContainerReaderOptions) {
    this.options = options;
    this.schedule = options.schedule;
    this.hasLines = options.tables.map(() => true);
    this.last = new Float64Array(options.plan.slotCount);
  }

  /** Whether nothing has happened in the container for two rounds. */
  get isIdle(): boolean {
    return this.schedule.isIdle;
  }

  /** Makes the next round read every file. */
  readEverythingNext(): void {
    this.schedule.isEverythingDue = true;
  }

  /** @param clock when the files had their values, ms of any monotonic clock */
  collect(points: PointSink, clock: number): void {
    const { schedule } = this;
    const values = this.readValues();
    const isEqual = this.lastClock !== undefined && areEqual(values, this.last);
    // Two equal rounds in a row: rates, too, are those of the last round, 0.
    const isRepeated =
      !schedule.isEverythingDue &&
      isEqual &&
      this.wasEqual &&
      !this.isAnyTableDue() &&
      points.repeatPrevious();
    this.wasEqual = isEqual;
    if (!isRepeated) this.collectFields(points, values, clock);
    this.last.set(values);
    this.lastClock = clock;
    if (!isRepeated) this.collectTables(points);
    schedule.endRound();
  }

  close(): void {
    const { files, tables } = this.options;
    for (const file of files) file?.close();
    for (const table of tables) for (const { file } of table.files) file.close();
  }

  /**
   * One pass over the container's files. Slots of files that are not due keep the values of the last round. A
   * file that cannot be read leaves its slots NaN.
   */
  private readValues(): Float64Array {
    const { plan, files } = this.options;
    if (scratch.length < plan.slotCount) scratch = new Float64Array(plan.slotCount);
    const values = scratch.subarray(0, plan.slotCount);
    values.set(this.last);
    this.readFiles(0, plan.activityFileCount, values);
    const { activitySlots } = plan;
    this.schedule.updateActivity(
      activitySlots.length > 0 && activitySlots.every((slot) => values[slot] === this.last[slot]),
    );
    if (plan.otherCadences.some((cadence) => this.schedule.isDue(cadence)))
      this.readFiles(plan.activityFileCount, files.length, values);
    return values;
  }

  private readFiles(from: number, to: number, values: Float64Array): void {
    const { plan, files } = this.options;
    for (let index = from; index < to; index++) {
      const { parse, slots, cadence } = plan.files[index]!;
      if (!this.schedule.isDue(cadence)) continue;
      for (let at = 0; at < slots.length; at++) values[slots[at]!] = Number.NaN;
      const length = files[index]?.read() ?? 0;
      if (length > 0) parse(kernelBuffer, length, values);
    }
  }

  private collectFields(points: PointSink, values: Float64Array, clock: number): void {
    const { last } = this;
    const seconds = this.lastClock === undefined ? Number.NaN : (clock - this.lastClock) / 1000;
    const planned = this.options.plan.points;
    // By index, here and elsewhere: iterators are megabytes of garbage on a host with many containers.
    for (let index = 0; index < planned.length; index++) {
      const { metric, attributes, slots, compute, isRate } = planned[index]!;
      let value: number;
      if (isRate) value = Math.max(0, values[slots[0]!]! - last[slots[0]!]!) / seconds;
      else if (compute === undefined) value = values[slots[0]!]!;
      else value = compute(values[slots[0]!]!, values[slots[1]!]!, values[slots[2]!]!);
      if (Number.isFinite(value)) points.push({ metric, value, attributes });
    }
  }

  /** Several files may have the same metric: the first one with any value is used. */
  private collectTables(points: PointSink): void {
    const { tables, attributes } = this.options;
    const found: Point[] = [];
    const answered = new Set<unknown>();
    for (let index = 0; index < tables.length; index++) {
      if (!this.hasLines[index] && !this.schedule.areEmptyTablesDue) continue;
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
              attributes: attributes.forLabel(reading, label || fileLabel),
            });
            answered.add(metric);
          }
        }
      }
    }
    // The points of one metric must be next to each other.
    for (const metric of answered) for (const point of found) if (point.metric === metric) points.push(point);
  }

  private isAnyTableDue(): boolean {
    const { schedule } = this;
    return this.hasLines.some((hasLines) =>
      hasLines ? schedule.isDue('active') : schedule.areEmptyTablesDue,
    );
  }
}
