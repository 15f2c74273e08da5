import { SPACE } from '../shared/ascii.ts';
import { hasWordAt, nextLine, parseNumber } from './bytes.ts';

/** A wanted key, and where its value goes. */
export interface KeySlot {
  readonly key: Uint8Array;
  readonly slot: number;
  readonly scale: number;
}

/**
 * Parses a flat-keyed file, one `key value` per line. The kernel prints the keys of a file always in the same
 * order. The parser learns the lines of the wanted keys from the first file that has all of them, and then
 * reads only those lines. Where a key is not on its line, it searches every line again.
 */
export class FlatKeyedParser {
  private readonly keys: readonly KeySlot[];
  /** The wanted keys by line; undefined where the order is not known. */
  private learnt: { readonly line: number; readonly wanted: KeySlot }[] | undefined;

  constructor(keys: readonly KeySlot[]) {
    this.keys = keys;
  }

  /** Writes each wanted key's value × scale into `values`. The slots of missing keys stay as they are. */
  parse(bytes: Uint8Array, length: number, values: Float64Array): void {
    if (this.learnt === undefined || !this.parseLearntLines(bytes, length, values))
      this.searchAllLines(bytes, length, values);
  }

  private parseLearntLines(bytes: Uint8Array, length: number, values: Float64Array): boolean {
    const learnt = this.learnt!;
    let start = 0;
    let line = 0;
    for (const expected of learnt) {
      for (; line < expected.line; line++) start = nextLine(bytes, start, length);
      const { key, slot, scale } = expected.wanted;
      if (!hasWordAt(bytes, start, length, key, SPACE)) return false;
      values[slot] = parseNumber(bytes, start + key.length + 1, length) * scale;
    }
    return true;
  }

  private searchAllLines(bytes: Uint8Array, length: number, values: Float64Array): void {
    const found: { line: number; wanted: KeySlot }[] = [];
    for (let start = 0, line = 0; start < length; start = nextLine(bytes, start, length), line++) {
      for (const wanted of this.keys) {
        if (!hasWordAt(bytes, start, length, wanted.key, SPACE)) continue;
        values[wanted.slot] = parseNumber(bytes, start + wanted.key.length + 1, length) * wanted.scale;
        found.push({ line, wanted });
      }
    }
    this.learnt = found.length === this.keys.length ? found : undefined;
  }
}
