import type { TextStore } from '../records/collector.ts';

/** The values below a prefix, oldest first; each value is words, the first of which is a time. */
export function loadOldestFirst(store: TextStore, prefix: string): [id: string, words: string[]][] {
  const all = [...store.idsUnder(prefix)].map((id): [string, string[]] => [
    id,
    (store.load(prefix + id) ?? '').split(' '),
  ]);
  return all.sort(([, [one = '']], [, [other = '']]) => Number(one) - Number(other));
}
