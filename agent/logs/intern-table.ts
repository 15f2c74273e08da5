/**
 * One object for equal bytes, found without creating a string. The limits are above what programs use, and bound what an
 * attacker can fill.
 */

/**
 * Values in a table. A full table is emptied: names that programs use come again. A `BoundedMap` would bound the hashes
 * instead: values that collide on purpose would fill it `MAX_ALIKE` times over.
 */
const MAX_KNOWN = 4096;
/** Values with one hash. More are a deliberate collision. */
const MAX_ALIKE = 16;

interface InternedValue<T> {
  readonly bytes: Buffer;
  readonly value: T;
}

export class InternTable<T> {
  private readonly byHash = new Map<number, InternedValue<T>[]>();
  private readonly make: (text: string) => T;
  private count = 0;

  constructor(make: (text: string) => T) {
    this.make = make;
  }

  /**
   * @param hash any function of the bytes
   * @returns undefined where too many values have that hash
   */
  intern(bytes: Buffer, start: number, end: number, hash: number): T | undefined {
    const alike = this.byHash.get(hash);
    if (alike !== undefined) {
      for (const known of alike) {
        if (known.bytes.length !== end - start) continue;
        let same = 0;
        while (same < known.bytes.length && known.bytes[same] === bytes[start + same]) same++;
        if (same === known.bytes.length) return known.value;
      }
    }
    if (alike !== undefined && alike.length >= MAX_ALIKE) return undefined;
    if (this.count === MAX_KNOWN) {
      this.byHash.clear();
      this.count = 0;
    }
    this.count++;
    const text = bytes.toString('utf8', start, end);
    const known = { bytes: Buffer.from(text), value: this.make(text) };
    this.byHash.set(hash, [...(this.byHash.get(hash) ?? []), known]);
    return known.value;
  }
}
