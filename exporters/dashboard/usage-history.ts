/** The last hour of usage in steps of equal length, as columns. Its size is fixed at creation. */

export const HISTORY_MS = 3_600_000;
/** Shorter steps would be narrower than a pixel on a chart of an hour. */
const MIN_STEP_MS = 10_000;
/** Live samples arrive more often than the rounds, so longer steps would hide them. */
const MAX_STEP_MS = 60_000;
/** Rounds are not exactly one step apart: a single empty step between two values is interpolated. */
const BRIDGED_STEPS = 2;

/** @param interval time from one round to the next, ms */
export const stepFor = (interval: number): number => Math.min(MAX_STEP_MS, Math.max(MIN_STEP_MS, interval));

export class UsageHistory {
  /** ms */
  readonly step: number;
  private readonly slots: number;
  /** Column after column; the index of a slot is its number modulo `slots`. */
  private readonly values: Float32Array;
  /** Number of the newest slot: its time divided by the step. */
  private newest = -1;
  /** Number of measurements in the newest slot. */
  private count = 0;

  /** @param columns number of columns */
  constructor(columns: number, step: number) {
    this.step = step;
    this.slots = Math.ceil(HISTORY_MS / step);
    this.values = new Float32Array(columns * this.slots).fill(Number.NaN);
  }

  /** Size of a history, bytes. */
  static sizeOf(columns: number, step: number): number {
    return columns * Math.ceil(HISTORY_MS / step) * Float32Array.BYTES_PER_ELEMENT;
  }

  /**
   * @param time ms since the epoch; a value older than the newest slot is added to that
   * @param figures one value per column; NaN if there is none
   */
  add(time: number, figures: ArrayLike<number>): void {
    // If the clock was set back, all values are in the future.
    if (this.newest - Math.floor(time / this.step) > 1) this.reset();
    const slot = Math.max(this.newest, Math.floor(time / this.step));
    const columns = this.values.length / this.slots;
    if (slot > this.newest) this.advance(slot, columns, figures);
    this.count++;
    for (let column = 0; column < columns; column++) {
      const index = column * this.slots + (slot % this.slots);
      const value = figures[column]!;
      const before = this.values[index]!;
      if (Number.isNaN(value)) continue;
      this.values[index] = Number.isNaN(before) ? value : before + (value - before) / this.count;
    }
  }

  /**
   * The values of a column; null where nothing was measured.
   * @param from number of the first slot
   * @param to number of the slot after the last
   */
  column(column: number, from: number, to: number): (number | null)[] {
    const found: (number | null)[] = [];
    const oldest = this.newest - this.slots + 1;
    for (let slot = from; slot < to; slot++) {
      const isKept = slot >= oldest && slot <= this.newest;
      const value = isKept ? this.values[column * this.slots + (slot % this.slots)]! : Number.NaN;
      found.push(Number.isNaN(value) ? null : value);
    }
    return found;
  }

  private reset(): void {
    this.values.fill(Number.NaN);
    this.newest = -1;
    this.count = 0;
  }

  private advance(slot: number, columns: number, figures: ArrayLike<number>): void {
    const { newest, slots, values } = this;
    for (let column = 0; column < columns; column++) {
      const start = column * slots;
      const first = Math.max(newest + 1, slot - slots + 1);
      for (let each = first; each <= slot; each++) values[start + (each % slots)] = Number.NaN;
      if (newest >= 0 && slot - newest === BRIDGED_STEPS)
        values[start + ((slot - 1) % slots)] = (values[start + (newest % slots)]! + figures[column]!) / 2;
    }
    this.newest = slot;
    this.count = 0;
  }
}
