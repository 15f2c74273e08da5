import test from 'ava';
import fc from 'fast-check';
import { BoundedMap } from '../../collectors/shared/bounded-map.ts';

test('a full map evicts the entry that was set least recently', (t) => {
  const evicted: [string, number][] = [];
  const map = new BoundedMap<string, number>(2, (key, value) => evicted.push([key, value]));
  map.set('a', 1).set('b', 2).set('c', 3);
  t.deepEqual(
    [...map],
    [
      ['b', 2],
      ['c', 3],
    ],
  );
  t.deepEqual(evicted, [['a', 1]]);
});

test('setting a key again makes it the newest and evicts nothing', (t) => {
  const map = new BoundedMap<string, number>(2, () => t.fail());
  map.set('a', 1).set('b', 2).set('a', 3);
  t.deepEqual(
    [...map],
    [
      ['b', 2],
      ['a', 3],
    ],
  );
});

test('reading a key does not make it newer', (t) => {
  const map = new BoundedMap<string, number>(2);
  map.set('a', 1).set('b', 2);
  t.is(map.get('a'), 1);
  map.set('c', 3);
  t.false(map.has('a'));
});

test('a deleted entry is not reported as evicted', (t) => {
  const map = new BoundedMap<string, number>(1, () => t.fail());
  map.set('a', 1).delete('a');
  map.set('b', 2).clear();
  t.is(map.size, 0);
});

test('the map holds the last keys that were set, whatever the sequence', (t) => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 5 }),
      fc.array(fc.integer({ min: 0, max: 9 })),
      (capacity, keys) => {
        const map = new BoundedMap<number, number>(capacity);
        for (const [index, key] of keys.entries()) map.set(key, index);
        const newestFirst = [...new Set(keys.toReversed())];
        t.deepEqual([...map.keys()], newestFirst.slice(0, capacity).reverse());
        for (const [key, index] of map) t.is(index, keys.lastIndexOf(key));
      },
    ),
  );
});

test('the map stays within its capacity while keys are set, deleted and cleared in any order', (t) => {
  const step = fc.oneof(
    { weight: 8, arbitrary: fc.record({ kind: fc.constant('set'), key: fc.nat(6) }) },
    { weight: 2, arbitrary: fc.record({ kind: fc.constant('delete'), key: fc.nat(6) }) },
    { weight: 1, arbitrary: fc.constant({ kind: 'clear', key: 0 }) },
  );
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 4 }), fc.array(step, { maxLength: 60 }), (capacity, steps) => {
      const map = new BoundedMap<number, number>(capacity);
      let expected: number[] = [];
      for (const { kind, key } of steps) {
        expected = kind === 'clear' ? [] : expected.filter((each) => each !== key);
        if (kind === 'set') expected = [...expected, key].slice(-capacity);
        if (kind === 'set') map.set(key, key);
        else if (kind === 'delete') map.delete(key);
        else map.clear();
        t.deepEqual([...map.keys()], expected);
      }
    }),
  );
});
