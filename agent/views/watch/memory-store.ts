import type { TextStore } from '../../../collectors/records/collector.ts';

/** A store for commands, which need nothing after they end. */
export class MemoryStore implements TextStore {
  private readonly values = new Map<string, string>();

  *idsUnder(prefix: string) {
    for (const key of this.values.keys()) if (key.startsWith(prefix)) yield key.slice(prefix.length);
  }

  load(key: string): string | undefined {
    return this.values.get(key);
  }

  save(key: string, value: string): void {
    this.values.set(key, value);
  }

  delete(key: string): void {
    this.values.delete(key);
  }
}
