import type { TextStore } from '../../collectors/records/collector.ts';

/** A store in a map, which outlives its users. */
export const storeOn = (kept: Map<string, string>): TextStore => ({
  idsUnder: (prefix) =>
    [...kept.keys()].filter((key) => key.startsWith(prefix)).map((key) => key.slice(prefix.length)),
  load: (key) => kept.get(key),
  save: (key, value) => void kept.set(key, value),
  delete: (key) => void kept.delete(key),
});
