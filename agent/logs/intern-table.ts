/** One object for equal bytes, found without making a string of them; for as many as programs have, not as somebody makes up. */
const MAX_KNOWN = 4096;
/** With one hash: made up to be so, beyond that. */
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
   * @returns undefined where too many have that hash
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
    // Whoever makes names up has them forgotten; those of programs come again.
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
