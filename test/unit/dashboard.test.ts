/** The dashboard's stores, and their limits. */
import test from 'ava';
import { attributePrefixes, encodeLine } from '../../agent/logs/encode-log.ts';
import { withoutValues } from '../../collectors/docker/layers.ts';
import { type Attributes, type Container, Severity } from '../../collectors/records/records.ts';
import { AlertStore, MAX_RESOLVED_ALERTS } from '../../exporters/dashboard/alert-store.ts';
import { MAX_REMOVED_CONTAINERS } from '../../exporters/dashboard/container-table.ts';
import { EventStore, MAX_ROUTINE_EVENTS, MAX_STORED_EVENTS } from '../../exporters/dashboard/event-store.ts';
import { LogStore, MAX_CONTAINER_LOG_BYTES, MAX_LOG_BYTES } from '../../exporters/dashboard/log-store.ts';
import { type RecordFilter, textMatcher } from '../../exporters/dashboard/record-filter.ts';
import { DashboardStore } from '../../exporters/dashboard/store.ts';
import { HISTORY_MS, stepFor, UsageHistory } from '../../exporters/dashboard/usage-history.ts';
import { encodeEvent, encodeRequest } from '../../exporters/otlp/wire/encode.ts';
import { extractRecords } from '../../exporters/otlp/wire/split.ts';
import { Writer } from '../../exporters/otlp/wire/writer.ts';
import { fakeContainer } from '../support/container.ts';
import { logLine } from '../support/log-line.ts';

const ANY: RecordFilter = {
  ids: undefined,
  since: 0,
  until: Number.POSITIVE_INFINITY,
  severity: 0,
  limit: 100,
  matches: () => true,
};

/** Encoded lines of a batch. @param from number of the first line, and its time in seconds */
function records(id: string, count: number, from = 0, text = (number: number) => `line ${number}`): Buffer {
  const writer = new Writer(64);
  const prefixes = attributePrefixes(id);
  for (let index = from; index < from + count; index++)
    encodeLine(writer, logLine(text(index), { seconds: 1000 + index, utf8: true, ordinal: index }), prefixes);
  return Buffer.from(writer.bytes());
}

test('the records of a request are extracted unchanged', (t) => {
  const inside = records('a', 3);
  const request = encodeRequest(
    { attributes: { 'container.id': 'a', list: ['x', 'y'] } },
    'portlight.logs',
    inside,
  );
  t.deepEqual(extractRecords(request), inside);
  t.throws(() => extractRecords(Buffer.from('no request')), { instanceOf: RangeError });
});

test('a query returns the newest matching lines in order, across batches', async (t) => {
  const store = new LogStore(() => t.fail());
  for (let from = 0; from < 3000; from += 7) store.add('a', records('a', 7, from), (1000 + from + 7) * 1000);
  const { lines, hasMore, oldest } = await store.find({ ...ANY, limit: 50 });
  const last = Math.ceil(3000 / 7) * 7;
  t.deepEqual(
    lines.map(({ text }) => text),
    Array.from({ length: 50 }, (_, index) => `line ${last - 50 + index}`),
  );
  t.true(hasMore);
  t.is(oldest, 1_000_000);
  const some = await store.find({ ...ANY, matches: textMatcher('LINE 100') });
  t.deepEqual(
    some.lines.map(({ text }) => text),
    ['line 100', ...Array.from({ length: 10 }, (_, index) => `line 100${index}`)],
  );
  const since = await store.find({ ...ANY, since: (1000 + last - 3) * 1000 });
  t.is(since.lines.length, 3);
  const other = await store.find({ ...ANY, ids: new Set(['b']) });
  t.deepEqual(other, { lines: [], hasMore: false, oldest: null });
});

test('a noisy container stays within its limit, and evicts no lines of others', async (t) => {
  const store = new LogStore(() => t.fail());
  store.add('quiet', records('quiet', 1), 0);
  const loud = (number: number) => `${number} ${'x'.repeat(500)}`;
  for (let from = 0; from < 20_000; from += 100)
    store.add('loud', records('loud', 100, from, loud), from * 1000);
  t.true(store.bytes <= MAX_CONTAINER_LOG_BYTES + 4096, String(store.bytes));
  const { lines } = await store.find({ ...ANY, ids: new Set(['loud']), limit: 1 });
  t.true(lines[0]!.text.startsWith('19999 '));
  t.is((await store.find({ ...ANY, ids: new Set(['quiet']) })).lines.length, 1);
});

test('all containers together stay within the total limit; the largest logs are evicted first', async (t) => {
  const store = new LogStore(() => t.fail());
  store.add('small', records('small', 3), 0);
  const text = (number: number) => `${number} ${'y'.repeat(1000)}`;
  for (let turn = 0; turn < 20; turn++)
    for (let container = 0; container < 40; container++)
      store.add(`c${container}`, records(`c${container}`, 25, turn * 25, text), turn * 1000);
  t.true(store.bytes <= MAX_LOG_BYTES, String(store.bytes));
  t.is((await store.find({ ...ANY, ids: new Set(['small']) })).lines.length, 3);
  const { lines } = await store.find({ ...ANY, ids: new Set(['c39']), limit: 1 });
  t.true(lines[0]!.text.startsWith('499 '));
  for (let container = 0; container < 40; container++) store.remove(`c${container}`);
  t.is(store.bytes, 4096);
});

test('buffers are reused: memory outside of the heap does not grow with the number of batches', async (t) => {
  const store = new LogStore(() => t.fail());
  const batch = records('any', 20, 0, (number) => `${number} ${'w'.repeat(120)}`);
  const turn = (from: number, to: number) => {
    for (let index = from; index < to; index++) store.add(`c${index % 500}`, batch, index);
  };
  turn(0, 10_000);
  const before = process.memoryUsage().arrayBuffers;
  turn(10_000, 110_000);
  // A hundred thousand batches are 300 MB.
  t.true(process.memoryUsage().arrayBuffers - before < MAX_LOG_BYTES);
});

test('a search returns no lines of another container that reuses a buffer meanwhile', async (t) => {
  const store = new LogStore(() => t.fail());
  const text = (number: number) => `${number} ${'y'.repeat(500)}`;
  for (let from = 0; from < 3000; from += 7) store.add('a', records('a', 7, from, text), from);
  let searched = false;
  const fits = (line: string) => {
    // Slow enough that the search yields to the event loop.
    for (const end = performance.now() + 0.05; performance.now() < end; );
    return line !== '';
  };
  const search = store.find({ ...ANY, ids: new Set(['a']), limit: 10_000, matches: fits }).finally(() => {
    searched = true;
  });
  for (let from = 0; !searched; from += 700) {
    store.add(
      'a',
      records('a', 700, 3000 + from, () => 'new'),
      3000 + from,
    );
    store.add(
      'b',
      records('b', 700, from, () => 'other'),
      from,
    );
    await new Promise((resolve) => setImmediate(resolve));
  }
  const { lines } = await search;
  t.deepEqual(
    lines.filter((line) => !/^\d+ y+$/.test(line.text)),
    [],
  );
});

test('a line of a megabyte is kept and returned cut; of a batch that is too large, the newest lines are kept', async (t) => {
  let dropped = 0;
  const store = new LogStore((count) => {
    dropped += count;
  });
  store.add(
    'a',
    records('a', 1, 0, () => 'z'.repeat(1_000_000)),
    0,
  );
  const { lines } = await store.find(ANY);
  t.is(lines[0]!.text.length + lines[0]!.cut, 1_000_000);
  t.true(lines[0]!.text.length <= 16 * 1024);
  store.add(
    'a',
    records('a', 5, 1, (number) => `${number}`.repeat(900_000)),
    1,
  );
  t.is(dropped, 3);
  t.deepEqual(
    (await store.find(ANY)).lines.map(({ text }) => text[0]),
    ['4', '5'],
  );
});

test('a search is case-insensitive text or a regular expression, and none takes exponential time', (t) => {
  t.true(textMatcher('TimeOut')('a timeout'));
  t.true(textMatcher('time.ut$')('a timeout'));
  t.false(textMatcher('time.ut$')('a timeout!'));
  t.true(textMatcher('f(')('calls f(x)'));
  t.true(textMatcher(undefined)('anything'));
  const evil = textMatcher('(a+)+$');
  const begun = performance.now();
  evil(`${'a'.repeat(60)}!`);
  t.true(performance.now() - begun < 10_000);
});

function eventRecord(name: string, body = 'x', more: Attributes = {}): Buffer {
  const writer = new Writer(64);
  encodeEvent(
    writer,
    {
      eventName: name,
      time: 5_000_000n,
      severity: Severity.INFO,
      body,
      attributes: { a: ['1', '2'], ...more },
    },
    0n,
  );
  return Buffer.from(writer.bytes());
}

test('events are bounded, and routine events do not evict the others', (t) => {
  const store = new EventStore();
  store.add({ id: 'a', name: 'a' }, eventRecord('docker.container.die', 'the end'));
  for (let index = 0; index < MAX_ROUTINE_EVENTS * 3; index++)
    store.add({ id: 'a', name: 'a' }, eventRecord('docker.container.exec_start'));
  t.is(store.find({ ...ANY, limit: 10_000 }, true).length, MAX_ROUTINE_EVENTS + 1);
  const found = { 'portlight.inventory.change': 'found' };
  store.add(null, eventRecord('portlight.inventory.image', 'image found', found));
  const [die, ...others] = store.find(ANY, false);
  t.deepEqual(others, [], 'inventory found at start is routine');
  t.like(die, { name: 'docker.container.die', body: 'the end', time: 5, container: { id: 'a', name: 'a' } });
  t.deepEqual(die!.attributes, { a: ['1', '2'] });
  for (let index = 0; index < MAX_STORED_EVENTS + 10; index++)
    store.add(null, eventRecord('docker.image.pull'));
  t.is(store.find({ ...ANY, limit: 10_000 }, false).length, MAX_STORED_EVENTS);
  t.deepEqual(store.find({ ...ANY, ids: new Set(['a']) }, false), []);
  for (let index = 0; index < 100; index++)
    store.add(null, eventRecord('docker.image.pull', 'y'.repeat(100_000)));
  t.true(store.bytes <= 2 * 1024 * 1024 + 256 * 1024);
});

test('a history has the mean of each step, null for empty steps, and the last hour', (t) => {
  const step = stepFor(1000);
  t.is(step, 10_000);
  const history = new UsageHistory(2, step);
  history.add(100_000, [1, Number.NaN]);
  history.add(103_000, [3, 5]);
  history.add(140_000, [9, 6]);
  t.deepEqual(history.column(0, 10, 16), [2, null, null, null, 9, null]);
  t.deepEqual(history.column(1, 10, 15), [5, null, null, null, 6]);
  // A single late round leaves no gap.
  history.add(160_000, [11, 8]);
  t.deepEqual(history.column(0, 14, 17), [9, 10, 11]);
  history.add(160_000 + HISTORY_MS, [1, 1]);
  t.deepEqual(history.column(0, 14, 17), [null, null, null]);
  t.is(history.column(0, 16 + 360, 17 + 360)[0], 1);
});

test('removed containers are shown up to a limit, then forgotten together with their logs', async (t) => {
  const inventory = new Map<string, Container>();
  const forgotten: string[] = [];
  const nothing = () => {};
  const store = new DashboardStore({
    interval: 10_000,
    inventory: () => inventory,
    onDropped: nothing,
    listener: {
      onUsage: nothing,
      onContainerChanged: nothing,
      onEvent: nothing,
      onAlertsChanged: nothing,
      onLogLines: nothing,
      onContainerForgotten: (id) => forgotten.push(id),
    },
  });
  for (let index = 0; index < MAX_REMOVED_CONTAINERS + 5; index++) {
    const id = `id-${String(index).padStart(3, '0')}`;
    const container = fakeContainer({ id, name: `name-${index}`, attributes: { 'container.id': id } });
    inventory.set(id, container);
    store.containers.syncInventory();
    const otlp = encodeRequest(container.resource, 'portlight.logs', records(id, 2));
    store.addLogs({ signal: 'logs', kind: 'log', resource: container.resource, count: 2, otlp });
    inventory.delete(id);
    store.containers.syncInventory();
  }
  t.is(store.containers.size, MAX_REMOVED_CONTAINERS);
  t.is(forgotten.length, 5);
  t.is(store.summarize(store.containers.find('name-54')!).status, 'removed');
  t.is(store.containers.find('id-05')?.container, undefined, 'the prefix is ambiguous');
  t.is(store.containers.find('id-054')?.container.name, 'name-54');
  t.is((await store.logs.find({ ...ANY, limit: 1000 })).lines.length, MAX_REMOVED_CONTAINERS * 2);
});

test('a firing alert marks its container, is resolved once it is missing, and is kept for an hour', (t) => {
  const store = new AlertStore();
  const alert = {
    key: 'r/a',
    rule: 'r',
    severity: 'critical' as const,
    status: 'firing' as const,
    startsAt: 1_000_000_000n,
    endsAt: undefined,
    resource: {},
    container: { id: 'a', name: 'a', image: 'i' },
    value: 1,
    unit: '1',
    threshold: 0.9,
    limit: undefined,
    limitUnit: '',
    labels: {},
    annotations: { summary: 'too much' },
    evidence: { series: [], seriesUnit: '', seriesBound: undefined, log: [], events: [], memory: {} },
  };
  t.true(store.update({ signal: 'alerts', alerts: [alert], count: 1 }, 2000));
  t.false(store.update({ signal: 'alerts', alerts: [{ ...alert }], count: 1 }, 3000));
  t.true(
    store.update({ signal: 'alerts', alerts: [{ ...alert, value: 2 }], count: 1 }, 3000),
    'another value is a change',
  );
  t.deepEqual(store.marksOf('a'), [
    { rule: 'r', severity: 'critical', status: 'firing', summary: 'too much' },
  ]);
  t.true(store.update({ signal: 'alerts', alerts: [], count: 0 }, 4000));
  t.deepEqual(store.marksOf('a'), []);
  t.like(store.list()[0], { status: 'resolved', startsAt: 1000, endsAt: 4000 });
  store.update({ signal: 'alerts', alerts: [], count: 0 }, 4001 + HISTORY_MS);
  t.deepEqual(store.list(), []);

  const many = Array.from({ length: MAX_RESOLVED_ALERTS + 50 }, (_, index) => ({
    ...alert,
    key: `r/${index}`,
    startsAt: BigInt(index) * 1_000_000n,
  }));
  const resolved = many.map((one) => ({ ...one, status: 'resolved' as const, endsAt: 5_000_000_000n }));
  store.update({ signal: 'alerts', alerts: many, count: many.length }, 5000);
  t.true(store.update({ signal: 'alerts', alerts: resolved, count: resolved.length }, 6000));
  t.deepEqual(
    store.list().map(({ key }) => key),
    resolved
      .slice(50)
      .map(({ key }) => key)
      .reverse(),
    'the newest are kept',
  );
  t.false(store.update({ signal: 'alerts', alerts: resolved, count: resolved.length }, 7000));
  t.false(
    store.update({ signal: 'alerts', alerts: resolved.slice(50).reverse(), count: 200 }, 8000),
    'another order is no change',
  );
});

test('image layers contain no values of variables', (t) => {
  t.is(withoutValues('ENV TOKEN=secret OTHER=more'), 'ENV TOKEN OTHER');
  t.is(withoutValues('/bin/sh -c #(nop)  ENV PATH=/usr/bin'), 'ENV PATH');
  t.is(withoutValues('/bin/sh -c #(nop)  ARG key=secret'), 'ARG key');
  t.is(withoutValues('ENV OLD secret value'), 'ENV OLD');
  t.is(
    withoutValues('RUN |2 KEY=se cret USER=me /bin/sh -c make all # buildkit'),
    'RUN /bin/sh -c make all # buildkit',
  );
  t.is(withoutValues('COPY . . # buildkit'), 'COPY . . # buildkit');
});
