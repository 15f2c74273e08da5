/** A ring buffer of rows: the last values of some selectors, of one container or the host, in one array. */

export class SampleRing {
  /** By selector, its column; undefined for a selector that is not stored here. */
  private readonly columns: readonly (number | undefined)[];
  private readonly width: number;
  private readonly capacity: number;
  private readonly spacing: number;
  private readonly times: Float64Array;
  private readonly values: Float64Array;
  private first = 0;
  private count = 0;

  /**
   * @param selectors whose values are stored
   * @param capacity in rows
   * @param spacing minimum time between two rows, ms
   */
  constructor(selectors: readonly number[], capacity: number, spacing: number) {
    const columns: (number | undefined)[] = [];
    selectors.forEach((selector, column) => {
      columns[selector] = column;
    });
    this.columns = columns;
    this.width = selectors.length;
    this.capacity = capacity;
    this.spacing = spacing;
    this.times = new Float64Array(capacity);
    this.values = new Float64Array(capacity * selectors.length);
  }

  get length(): number {
    return this.count;
  }

  /** Adds a row, unless it is too close to the last one. @param time ms */
  add(time: number, row: Float64Array): void {
    // Tolerates rounds that are a little early.
    if (this.count > 0 && time - this.timeAt(this.count - 1) < this.spacing * 0.9) return;
    const slot = (this.first + this.count) % this.capacity;
    if (this.count < this.capacity) this.count++;
    else this.first = (this.first + 1) % this.capacity;
    this.times[slot] = time;
    for (let selector = 0; selector < this.columns.length; selector++) {
      const column = this.columns[selector];
      if (column !== undefined) this.values[slot * this.width + column] = row[selector]!;
    }
  }

  /** @param index 0 for the oldest row */
  timeAt(index: number): number {
    return this.times[(this.first + index) % this.capacity]!;
  }

  valueAt(index: number, selector: number): number {
    return this.values[((this.first + index) % this.capacity) * this.width + this.columns[selector]!]!;
  }

  /** Index of the newest row that is not after `time`; 0 if all rows are after it. */
  indexAt(time: number): number {
    let low = 0;
    let high = this.count - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (this.timeAt(middle) <= time) low = middle;
      else high = middle - 1;
    }
    return low;
  }

  clear(): void {
    this.first = 0;
    this.count = 0;
  }
}
