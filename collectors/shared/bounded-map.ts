/**
 * A map that holds at most `capacity` entries. Over its capacity the oldest entry leaves: the one that was
 * set least recently. Setting a key makes it the newest again, reading it does not.
 */
export class BoundedMap<Key, Value> extends Map<Key, Value> {
  private readonly capacity: number;
  private readonly onEvict: ((key: Key, value: Value) => void) | undefined;

  /**
   * @param capacity largest number of entries, at least 1
   * @param onEvict called with each entry that leaves because the map is full, not with those that are
   *   deleted
   */
  constructor(capacity: number, onEvict?: (key: Key, value: Value) => void) {
    super();
    this.capacity = capacity;
    this.onEvict = onEvict;
  }

  override set(key: Key, value: Value): this {
    this.delete(key);
    super.set(key, value);
    if (this.size > this.capacity) this.evictOldest();
    return this;
  }

  private evictOldest(): void {
    const [key, value] = this.entries().next().value!;
    this.delete(key);
    this.onEvict?.(key, value);
  }
}
