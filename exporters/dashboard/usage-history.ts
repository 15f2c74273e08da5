/** The last hour of a few figures at even steps, as columns: what it costs is known when it begins. */

export const HOUR_MS = 3_600_000;
/** Finer ones would not be told apart on a chart of an hour. */
const LEAST_STEP_MS = 10_000;
/** Who looks on sees more than the rounds, however seldom these are. */
const LONGEST_STEP_MS = 60_000;
/** Rounds are not exactly a step apart: one step without a value between two that have one is filled in. */
const BRIDGED_STEPS = 2;

/** @param interval time from one round to the next, ms */
export const stepFor = (interval: number): number =>
  Math.min(LONGEST_STEP_MS, Math.max(LEAST_STEP_MS, interval));

export class UsageHistory {
  /** ms */
  readonly step: number;
  private readonly slots: number;
  /** A column after the other; a slot's place is its number modulo `slots`. */
  private readonly values: Float32Array;
  /** Number of the newest slot: its time divided by the step. */
  private newest = -1;
  /** How many measurements the newest slot is the mean of. */
  private count = 0;

  /** @param columns number of figures */
  constructor(columns: number, step: number) {
    this.step = step;
    this.slots = Math.ceil(HOUR_MS / step);
    this.values = new Float32Array(columns * this.slots).fill(Number.NaN);
  }

  /** Bytes that a history takes. */
  static sizeOf(columns: number, step: number): number {
    return columns * Math.ceil(HOUR_MS / step) * Float32Array.BYTES_PER_ELEMENT;
  }

  /**
   * @param time ms since the epoch; what is older than the newest counts as that
   * @param figures one of each column; NaN where there is none
   */
  add(time: number, figures: ArrayLike<number>): void {
    // What was measured before a clock was set back would stand in the future for as long.
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
   * A column's values from the first step at or after `since` on; null where nothing was measured.
   * @param from number of the first slot
   * @param to number of the slot behind the last
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
