/** Rounds of metrics: points that are repeated from the previous round, and the order of collectors. */
import test from 'ava';
import { pino } from 'pino';
import { COLLECTOR_ORDER, inOrder } from '../../agent/rounds/collector-order.ts';
import { CollectorSet, type CollectorSetOptions, type Purpose } from '../../agent/rounds/collector-set.ts';
import { Round } from '../../agent/rounds/round.ts';
import { catalogue, metrics } from '../../collectors/catalogue/index.ts';
import type { Collector } from '../../collectors/records/collector.ts';
import type { PointSink } from '../../collectors/records/records.ts';
import { KernelFiles } from '../../collectors/shared/kernel-file.ts';
import { Telemetry } from '../../exporters/shared/telemetry.ts';
import { fakeContainer } from '../support/container.ts';

const { memoryUsage: sent, pidsCount: ruleOnly } = catalogue;

/** The values of each round, of what is sent and of what only rules use. @param acts one for each round */
async function rounds(...acts: ((points: PointSink) => void)[]): Promise<number[][]> {
  const telemetry = new Telemetry(pino({ level: 'silent' }));
  let act: (points: PointSink) => void = () => {};
  const first: Collector = {
    name: 'first',
    collectContainer: (_, points) => points.push({ metric: sent, value: -1 }),
  };
  const tested: Collector = { name: 'tested', collectContainer: (_, points) => act(points) };
  const round = new Round([first, tested], new Set([sent]), telemetry, 0n, new Set([ruleOnly]));
  const container = fakeContainer({});
  const values: number[][] = [];
  for (act of acts) {
    const [set] = await round.collect([container]);
    values.push([...set!.points.values.slice(0, set!.points.length)]);
    values.push([...set!.unsent!.values.slice(0, set!.unsent!.length)]);
  }
  return values;
}

const pushValues = (...values: number[]) => {
  return (points: PointSink): void => {
    for (const value of values) {
      points.push({ metric: sent, value });
      points.push({ metric: ruleOnly, value: 10 * value });
    }
  };
};
const WHOLE = [
  [-1, 1, 2],
  [10, 20],
];

test('a repetition has the points of the previous round', async (t) => {
  const repeat = (points: PointSink) => void t.true(points.repeatPrevious());
  t.deepEqual(await rounds(pushValues(1, 2), repeat, repeat), [...WHOLE, ...WHOLE, ...WHOLE]);
});

test('a repetition replaces what was pushed before it', async (t) => {
  const both = (points: PointSink) => {
    pushValues(7)(points);
    t.true(points.repeatPrevious());
  };
  t.deepEqual(await rounds(pushValues(1, 2), both, both), [...WHOLE, ...WHOLE, ...WHOLE]);
});

test('a second repetition adds nothing', async (t) => {
  const twice = (points: PointSink) => {
    t.true(points.repeatPrevious());
    t.true(points.repeatPrevious());
  };
  t.deepEqual(await rounds(pushValues(1, 2), twice, twice), [...WHOLE, ...WHOLE, ...WHOLE]);
});

test('a point that is pushed after a repetition adds nothing', async (t) => {
  const both = (points: PointSink) => {
    t.true(points.repeatPrevious());
    pushValues(7)(points);
  };
  t.deepEqual(await rounds(pushValues(1, 2), both, both), [...WHOLE, ...WHOLE, ...WHOLE]);
});

test('where nothing can be repeated, the points are pushed once', async (t) => {
  const all = (points: PointSink) => {
    pushValues(1)(points);
    if (!points.repeatPrevious()) pushValues(1, 2)(points);
  };
  t.deepEqual(await rounds(all), WHOLE);
});

test('a repetition of one collector keeps the points of the others', async (t) => {
  const telemetry = new Telemetry(pino({ level: 'silent' }));
  let count = 0;
  const collectors: Collector[] = ['a', 'b', 'c'].map((name, index) => ({
    name,
    collectContainer(_, points) {
      if (count > 0 && name === 'b') points.repeatPrevious();
      else points.push({ metric: sent, value: 100 * count + index });
    },
  }));
  const round = new Round(collectors, new Set([sent]), telemetry);
  const container = fakeContainer({});
  const valuesOf = async () => [...(await round.collect([container]))[0]!.points].map(({ value }) => value);
  t.deepEqual(await valuesOf(), [0, 1, 2]);
  count = 1;
  t.deepEqual(await valuesOf(), [100, 1, 102]);
});

test('collectors come in the declared order, wherever they stand in the array', (t) => {
  const names = (...given: string[]) => inOrder(given.map((name) => ({ name }))).map(({ name }) => name);
  t.deepEqual(names('state', 'processes', 'network', 'cgroup'), ['state', 'cgroup', 'processes', 'network']);
  t.deepEqual(names('cgroup', 'network', 'logs'), ['cgroup', 'network', 'logs']);
  t.deepEqual(names('network'), ['network']);
  for (const { collector, after } of COLLECTOR_ORDER)
    for (const other of after) t.deepEqual(names(collector, other), [other, collector]);
});

test('an order with a cycle is refused', (t) => {
  const rules = [
    { collector: 'a', after: ['b'], reason: '' },
    { collector: 'b', after: ['a'], reason: '' },
  ];
  t.throws(() => inOrder([{ name: 'a' }, { name: 'b' }], rules), { message: /cycle at a/ });
});

test('each purpose has the collectors of its row', (t) => {
  const files = new KernelFiles(100, () => {});
  const namesOf = (purpose: Purpose, more: Partial<CollectorSetOptions> = {}) => {
    const set = new CollectorSet(purpose, {
      ...{ procfs: '/proc', rootfs: '/', files, metrics: new Set(metrics) },
      ...more,
    });
    return set.collectors.map(({ name }) => name);
  };
  t.deepEqual(namesOf('export'), ['cgroup', 'network', 'processes', 'state', 'host']);
  t.deepEqual(namesOf('export', { withHost: false }), ['cgroup', 'network', 'processes', 'state']);
  t.deepEqual(namesOf('export', { isHere: false }), ['state'], 'the kernel shows nothing of another host');
  t.deepEqual(namesOf('live'), ['cgroup', 'network', 'host']);
  t.deepEqual(namesOf('view', { isHere: false }), []);
  t.deepEqual(namesOf('evaluation'), ['cgroup', 'processes', 'state', 'host']);
  t.deepEqual(namesOf('list'), ['cgroup', 'state']);
});
