/** The last values of some terms of one container: a ring of rows, in one array. */

export class SampleRing {
  /** By term, its column; undefined for a term that is not kept here. */
  private readonly columns: readonly (number | undefined)[];
  private readonly width: number;
  private readonly capacity: number;
  private readonly spacing: number;
  private readonly times: Float64Array;
  private readonly values: Float64Array;
  private first = 0;
  private count = 0;

  /**
   * @param terms that are kept
   * @param capacity rows
   * @param spacing how far one row is from the next at least, ms
   */
  constructor(terms: readonly number[], capacity: number, spacing: number) {
    const columns: (number | undefined)[] = [];
    terms.forEach((term, column) => {
      columns[term] = column;
    });
    this.columns = columns;
    this.width = terms.length;
    this.capacity = capacity;
    this.spacing = spacing;
    this.times = new Float64Array(capacity);
    this.values = new Float64Array(capacity * terms.length);
  }

  get length(): number {
    return this.count;
  }

  /** @param time ms; of rows that come too soon after the last one, none is kept */
  add(time: number, row: Float64Array): void {
    // A round that comes a little early still is the next one.
    if (this.count > 0 && time - this.timeAt(this.count - 1) < this.spacing * 0.9) return;
    const slot = (this.first + this.count) % this.capacity;
    if (this.count < this.capacity) this.count++;
    else this.first = (this.first + 1) % this.capacity;
    this.times[slot] = time;
    for (let term = 0; term < this.columns.length; term++) {
      const column = this.columns[term];
      if (column !== undefined) this.values[slot * this.width + column] = row[term]!;
    }
  }

  /** @param index 0 for the oldest */
  timeAt(index: number): number {
    return this.times[(this.first + index) % this.capacity]!;
  }

  valueAt(index: number, term: number): number {
    return this.values[((this.first + index) % this.capacity) * this.width + this.columns[term]!]!;
  }

  /** Index of the newest row that is not after `time`; the oldest row's where all are. */
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
