/**
 * A map that holds at most `capacity` entries. Over its capacity the oldest entry leaves: the one that was
 * set least recently. Setting a key makes it the newest again, reading it does not.
 */
export class BoundedMap<Key, Value> extends Map<Key, Value> {
  private readonly capacity: number;
  private readonly onEvict: ((key: Key, value: Value) => void) | undefined;
  /**
   * The next key is the oldest: those before it were evicted, and a key that is set again moves to the end. The
   * iterator is kept, because V8 keeps the places of deleted entries: a new one would skip all of them each time.
   */
  private readonly oldestKeys: MapIterator<Key>;

  /**
   * @param capacity largest number of entries, at least 1
   * @param onEvict called with each entry that leaves because the map is full, not with those that are
   *   deleted
   */
  constructor(capacity: number, onEvict?: (key: Key, value: Value) => void) {
    super();
    this.capacity = capacity;
    this.onEvict = onEvict;
    this.oldestKeys = this.keys();
  }

  override set(key: Key, value: Value): this {
    this.delete(key);
    super.set(key, value);
    if (this.size > this.capacity) this.evictOldest();
    return this;
  }

  private evictOldest(): void {
    const key = this.oldestKeys.next().value!;
    const value = this.get(key)!;
    this.delete(key);
    this.onEvict?.(key, value);
  }
}
