/** The spool: compared with a model, and with damaged files and full disks. */

import { cpSync, existsSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import fc from 'fast-check';
import { encodeHeader, frameEnd, HEADER_BYTES, scanFrames } from '../../exporters/spool/frame.ts';
import { Spool, type SpoolOptions } from '../../exporters/spool/index.ts';
import { Lane, type LaneOptions, type SendOrder } from '../../exporters/spool/lane.ts';
import { temporaryDirectory } from '../support/temporary.ts';
import { waitFor } from '../support/wait.ts';

function laneOn(
  t: ExecutionContext,
  directory: string | undefined,
  options: Partial<LaneOptions> = {},
): Lane {
  const lane = new Lane({
    directory,
    order: 'oldest',
    maxMemoryBytes: 1024 * 1024,
    maxSegmentAgeMs: 3_600_000,
    isReplayable: false,
    dropsWhenFull: true,
    freeSpace: () => true,
    onDropped: (count, reason) => t.fail(`${count} dropped: ${reason}`),
    onDamage: (bytes) => t.fail(`${bytes.length} bytes damaged`),
    onError: (error) => t.fail(String(error)),
    ...options,
  });
  t.teardown(() => lane.close().then(() => {}));
  return lane;
}

/** Dequeues and acknowledges everything in a lane. */
function drain(lane: Lane, maxBytes = 1): string[] {
  const all: string[] = [];
  for (let request = lane.dequeue(maxBytes); request !== undefined; request = lane.dequeue(maxBytes)) {
    all.push(...request.otlp.toString().split('\n').filter(Boolean));
    lane.acknowledge();
  }
  return all;
}

const line = (text: string): Buffer => Buffer.from(`${text}\n`);

for (const order of ['oldest', 'newest'] as const satisfies SendOrder[]) {
  test(`no batch is lost in any sequence of adds, sends, retries and kills, ${order} first`, async (t) => {
    const action = fc.oneof(
      { weight: 6, arbitrary: fc.record({ do: fc.constant('add' as const), size: fc.nat(300) }) },
      { weight: 3, arbitrary: fc.record({ do: fc.constant('send' as const), bytes: fc.nat(1000) }) },
      { weight: 2, arbitrary: fc.record({ do: fc.constant('fail' as const), bytes: fc.nat(1000) }) },
      { weight: 1, arbitrary: fc.record({ do: fc.constant('kill' as const) }) },
      { weight: 1, arbitrary: fc.record({ do: fc.constant('restart' as const) }) },
    );
    await fc.assert(
      fc.asyncProperty(fc.array(action, { maxLength: 40 }), async (actions) => {
        const directory = temporaryDirectory(t);
        // A killed lane does nothing more, so its errors do not count.
        let current = 0;
        const start = () => {
          const own = ++current;
          return laneOn(t, directory, {
            order,
            onError: (error) => own === current && t.fail(String(error)),
          });
        };
        let lane = start();
        const added: string[] = [];
        const sent: string[] = [];
        let released = 0;
        for (const step of actions) {
          switch (step.do) {
            case 'add': {
              const text = `${added.length} `.padEnd(step.size, 'x');
              added.push(text);
              void lane.add(line(text), 1).then(() => released++);
              break;
            }
            case 'send':
            case 'fail': {
              const request = lane.dequeue(step.bytes);
              if (request === undefined) break;
              const texts = request.otlp.toString().split('\n').filter(Boolean);
              t.is(request.count, texts.length);
              // A batch that is added while a request is in flight.
              if (step.bytes % 2 === 0) {
                const text = `${added.length} meanwhile`;
                added.push(text);
                void lane.add(line(text), 1).then(() => released++);
              }
              if (step.do === 'send') {
                sent.push(...texts);
                lane.acknowledge();
              } else lane.requeue();
              break;
            }
            case 'kill':
              lane = start();
              break;
            case 'restart':
              t.is(await lane.close(), 0);
              lane = start();
              break;
          }
        }
        const left = drain(lane, 500);
        t.deepEqual([...sent, ...left].sort(), [...added].sort(), JSON.stringify(actions));
        if (order === 'oldest') t.deepEqual([...sent, ...left], added);
        t.is(lane.waitingBytes, 0);
        await lane.close();
        current++;
        rmSync(directory, { recursive: true });
      }),
      { numRuns: 500 },
    );
  });
}

test('a replayable source advances only past batches that are delivered, whatever is killed when', async (t) => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.constantFrom('add', 'send', 'fail', 'begin', 'kill', 'sync'), { maxLength: 40 }),
      async (actions) => {
        const root = temporaryDirectory(t);
        let current = 0;
        let directory = join(root, '0');
        const start = () => {
          const own = ++current;
          const last = directory;
          // A killed lane must not write any more: its copy continues in another directory.
          directory = join(root, String(own));
          if (existsSync(last)) cpSync(last, directory, { recursive: true });
          const onError = (error: unknown) => own === current && t.fail(String(error));
          return laneOn(t, directory, { isReplayable: true, onError });
        };
        let lane = start();
        let isInFlight = false;
        /** How far the source advanced. */
        let position = 0;
        let next = 0;
        const sent: number[] = [];
        const end = (isDone: boolean, texts: readonly string[]) => {
          if (isDone) {
            sent.push(...texts.map(Number));
            lane.acknowledge();
          } else lane.requeue();
          isInFlight = false;
        };
        let texts: string[] = [];
        for (const action of actions) {
          if (action === 'add') {
            const number = next++;
            const own = current;
            void lane.add(line(String(number)), 1).then(() => {
              if (own === current) position = Math.max(position, number + 1);
            });
          } else if (action === 'begin') {
            const request = isInFlight ? undefined : lane.dequeue(6);
            if (request === undefined) continue;
            isInFlight = true;
            texts = request.otlp.toString().split('\n').filter(Boolean);
          } else if (action === 'send' || action === 'fail') {
            if (isInFlight) end(action === 'send', texts);
          } else if (action === 'sync') await new Promise((resolve) => setTimeout(resolve, 120));
          else {
            await undefined;
            lane = start();
            isInFlight = false;
            // The source continues from its position.
            next = position;
          }
          await undefined;
        }
        if (isInFlight) end(true, texts);
        sent.push(...drain(lane, 6).map(Number));
        // Batches that were on the disk at the kill are sent again if the source did not know.
        const missing = [...Array(next).keys()].filter((number) => !sent.includes(number));
        t.deepEqual(missing, [], `${actions}`);
        t.is(lane.waitingBytes, 0);
        await lane.close();
        current++;
        rmSync(root, { recursive: true });
      },
    ),
    { numRuns: 150 },
  );
});

test('the newest waiting metrics are sent first, those of an earlier process last', (t) => {
  const directory = temporaryDirectory(t);
  const first = laneOn(t, directory, { order: 'newest' });
  for (const text of ['1', '2', '3']) void first.add(line(text), 1);
  const lane = laneOn(t, directory, { order: 'newest' });
  for (const text of ['4', '5']) void lane.add(line(text), 1);
  lane.dequeue(1);
  void lane.add(line('6'), 1);
  lane.requeue();
  t.deepEqual(drain(lane), ['6', '5', '4', '3', '2', '1']);
});

test('a source advances when its batch is delivered or durable, not before', async (t) => {
  const lane = laneOn(t, temporaryDirectory(t));
  const done: string[] = [];
  void lane.add(line('sent'), 1).then(() => done.push('sent'));
  lane.dequeue(1);
  lane.acknowledge();
  await undefined;
  t.deepEqual(done, ['sent']);
  void lane.add(line('kept'), 1).then(() => done.push('kept'));
  await undefined;
  t.deepEqual(done, ['sent']);
  await waitFor('the disk', () => done.length === 2);
  t.deepEqual(drain(lane), ['kept']);
});

test('the source does not reuse the bytes of a batch while it is in flight', async (t) => {
  const lane = laneOn(t, temporaryDirectory(t));
  const otlp = line('in flight');
  let isReleased = false;
  void lane.add(otlp, 1).then(() => {
    isReleased = true;
    otlp.fill('!');
  });
  const request = lane.dequeue(1)!;
  await new Promise((resolve) => setTimeout(resolve, 1000));
  t.false(isReleased, 'on the disk, but in flight');
  t.is(request.otlp.toString(), 'in flight\n');
  lane.requeue();
  await waitFor('the disk', () => isReleased);
  t.deepEqual(drain(lane), ['in flight'], 'read from the disk');
});

test('a flipped bit damages one batch and no other', (t) => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 1500 }), fc.integer({ min: 0, max: 7 }), (at, bit) => {
      const directory = temporaryDirectory(t);
      const writer = laneOn(t, directory, { onError: () => {} });
      for (let index = 0; index < 10; index++) void writer.add(line(`${index} PLF1 `.padEnd(150, 'x')), 1);
      const path = join(directory, readdirSync(directory)[0]!);
      const bytes = readFileSync(path);
      bytes[at]! ^= 1 << bit;
      writeFileSync(path, bytes);
      let damaged = 0;
      const lane = laneOn(t, directory, {
        onDamage: (lost) => {
          damaged += lost.length;
        },
        onError: () => {},
      });
      const numbers = drain(lane, 400).map((text) => Number.parseInt(text, 10));
      t.true(numbers.length >= 9, `${numbers}`);
      t.deepEqual(
        numbers,
        [...new Set(numbers)].sort((one, other) => one - other),
      );
      t.is(numbers.length, damaged === 0 ? 10 : 9);
      rmSync(directory, { recursive: true });
    }),
    { numRuns: 300 },
  );
});

test('a truncated segment loses only its last batch', (t) => {
  const directory = temporaryDirectory(t);
  const writer = laneOn(t, directory);
  for (const text of ['one', 'two', 'three']) void writer.add(line(text), 1);
  const path = join(directory, readdirSync(directory)[0]!);
  writeFileSync(path, readFileSync(path).subarray(0, -3));
  let damaged = 0;
  const lane = laneOn(t, directory, { onDamage: () => damaged++ });
  t.deepEqual(drain(lane), ['one', 'two']);
  t.is(damaged, 1);
});

test('a segment has the documented bytes', async (t) => {
  const directory = temporaryDirectory(t);
  const lane = laneOn(t, directory);
  void lane.add(Buffer.from('abc'), 2);
  const bytes = readFileSync(join(directory, '0000000001.seg'));
  // PLS1, offset 12, its CRC-32.
  t.is(bytes.toString('hex', 0, 12), '504c53310c000000756722ef');
  const addedAt = bytes.readDoubleLE(12 + 12);
  t.true(Math.abs(addedAt - Date.now()) < 60_000);
  t.deepEqual(
    bytes.subarray(12),
    Buffer.concat([encodeHeader(Buffer.from('abc'), 2, addedAt), Buffer.from('abc')]),
  );
  // PLF1, 3 bytes, 2 records, 2026-01-01T00:00:00Z, the CRC-32 of all but the magic.
  t.is(
    encodeHeader(Buffer.from('abc'), 2, 1_767_225_600_000).toString('hex'),
    '504c46310300000002000000000080aa6db779426c81146e',
  );
  await lane.close();
});

test('intact batches are found behind damaged bytes', (t) => {
  const frame = (text: string) => {
    const otlp = Buffer.from(text);
    return Buffer.concat([encodeHeader(otlp, 3, 1.5), otlp]);
  };
  const bytes = Buffer.concat([Buffer.from('PLF1 garbage'), frame('one'), Buffer.from('PLF1'), frame('two')]);
  const { frames, damaged } = scanFrames(bytes, 100);
  t.deepEqual(frames, [
    { offset: 112, bytes: 3, count: 3, addedAt: 1.5 },
    { offset: 112 + HEADER_BYTES + 3 + 4, bytes: 3, count: 3, addedAt: 1.5 },
  ]);
  t.is(frameEnd(frames[1]!), 100 + bytes.length);
  t.deepEqual(damaged, [
    { from: 100, to: 112 },
    { from: 112 + HEADER_BYTES + 3, to: 112 + HEADER_BYTES + 3 + 4 },
  ]);
});

function spoolOn(
  t: ExecutionContext,
  options: Partial<SpoolOptions>,
): { spool: Spool; dropped: string[]; errors: string[] } {
  const dropped: string[] = [];
  const errors: string[] = [];
  const spool = new Spool({
    directory: temporaryDirectory(t),
    maxBytes: 20_000_000,
    maxAgeMs: 3_600_000,
    logsWait: true,
    metricsOrder: 'newest',
    onDropped: (lane, count, reason) => dropped.push(`${count} ${lane} ${reason}`),
    onError: (error) => errors.push(String(error)),
    ...options,
  });
  t.teardown(() => spool.close().then(() => {}));
  return { spool, dropped, errors };
}

const MEGABYTE = Buffer.alloc(1_000_000, 'x');
const sum = (dropped: readonly string[], what: string): number =>
  dropped.filter((text) => text.endsWith(what)).reduce((total, text) => total + Number.parseInt(text, 10), 0);

test('a full spool drops metrics first, then traces, then logs for events; logs wait', async (t) => {
  const { spool, dropped } = spoolOn(t, {});
  const { metrics, traces, logs, events } = spool.lanes;
  for (let index = 0; index < 6; index++) void metrics.add(MEGABYTE, 1);
  for (let index = 0; index < 6; index++) void traces.add(MEGABYTE, 1);
  let written = 0;
  for (let index = 0; index < 25; index++) void logs.add(MEGABYTE, 1).then(() => written++);
  t.is(sum(dropped, 'metrics spool_full'), 6);
  t.is(sum(dropped, 'traces spool_full'), 6);
  t.is(sum(dropped, 'logs spool_full'), 0);
  await waitFor('the first logs to be durable', () => written >= 15);
  await new Promise((resolve) => setTimeout(resolve, 500));
  t.true(written < 20, `${written} logs are on the disk, the others wait`);
  for (let index = 0; index < 8; index++) void events.add(MEGABYTE, 1);
  t.is(sum(dropped, 'logs spool_full'), 0, 'events wait in memory while it has space');
  for (let index = 0; index < 3; index++) void events.add(MEGABYTE, 1);
  t.true(sum(dropped, 'logs spool_full') > 0, 'the oldest logs are dropped for an event');
  t.is(sum(dropped, 'events spool_full'), 0);
  t.true(Object.values(spool.lanes).reduce((total, { diskBytes }) => total + diskBytes, 0) <= 20_000_000);
});

test('metrics are dropped when more important batches fill the spool', (t) => {
  const { spool, dropped } = spoolOn(t, { maxBytes: 16_777_216 });
  for (let index = 0; index < 16; index++) void spool.lanes.logs.add(MEGABYTE, 1);
  void spool.lanes.metrics.add(MEGABYTE, 7);
  t.deepEqual(dropped, ['7 metrics spool_full']);
});

test('expired batches are dropped and counted', async (t) => {
  const dropped: string[] = [];
  const lane = laneOn(t, temporaryDirectory(t), {
    onDropped: (count, reason) => dropped.push(`${count} ${reason}`),
  });
  for (let index = 0; index < 12; index++) void lane.add(MEGABYTE, 1);
  lane.dropExpired(Date.now() - 60_000);
  t.deepEqual(dropped, []);
  lane.dropExpired(Date.now() + 1);
  t.is(sum(dropped, 'expired'), 12);
  t.is(lane.waitingBytes, 0);
});

test('without a directory batches wait in memory, and the oldest is dropped above the limit', (t) => {
  const dropped: string[] = [];
  const lane = laneOn(t, undefined, {
    maxMemoryBytes: 20,
    onDropped: (count, reason) => dropped.push(`${count} ${reason}`),
  });
  for (const text of ['12345678', '2', '3', '12345678901']) void lane.add(line(text), 1);
  t.deepEqual(dropped, ['1 memory_full']);
  t.deepEqual(drain(lane), ['2', '3', '12345678901']);
});

test('segments are deleted when their batches are delivered', (t) => {
  const directory = temporaryDirectory(t);
  const lane = laneOn(t, directory);
  for (let index = 0; index < 20; index++) void lane.add(MEGABYTE, 1);
  t.true(readdirSync(directory).length > 3);
  while (lane.dequeue(1) !== undefined) lane.acknowledge();
  t.is(readdirSync(directory).length, 0);
  void lane.add(line('next'), 1);
  t.deepEqual(drain(lane), ['next']);
  const files = readdirSync(directory);
  t.true(files.length <= 1 && files.every((name) => statSync(join(directory, name)).size < 100));
});

test('refused requests are kept for diagnosis up to a size', async (t) => {
  const directory = temporaryDirectory(t);
  const { spool } = spoolOn(t, { directory });
  for (let index = 0; index < 70; index++) spool.quarantineRefused('logs', MEGABYTE);
  const files = readdirSync(join(directory, 'aside'));
  t.true(files.length < 70 && files.length > 60, `${files.length}`);
  t.true(files.every((name) => name.endsWith('.logs.otlp')));
  t.true(existsSync(join(directory, 'logs')));
});

test('empty segments of earlier processes are deleted, and do not stop batches from expiring', async (t) => {
  const directory = temporaryDirectory(t);
  for (let restart = 0; restart < 5; restart++) {
    const lane = laneOn(t, directory);
    void lane.add(MEGABYTE.subarray(500_000), 1);
    lane.dequeue(1);
    lane.acknowledge();
    await lane.close();
  }
  const dropped: string[] = [];
  const lane = laneOn(t, directory, { onDropped: (count, reason) => dropped.push(`${count} ${reason}`) });
  t.is(lane.diskBytes, 0);
  void lane.add(line('old'), 1);
  lane.dropExpired(Date.now() + 1000);
  t.deepEqual(dropped, ['1 expired']);
});

test('an unreachable receiver leaks neither segments nor descriptors', async (t) => {
  const directory = temporaryDirectory(t);
  const open = () => readdirSync('/proc/self/fd').length;
  const before = open();
  for (const order of ['newest', 'oldest'] as const) {
    const lane = laneOn(t, join(directory, order), { order });
    for (let attempt = 0; attempt < 100; attempt++) {
      void lane.add(line(String(attempt)), 1);
      lane.dequeue(1);
      lane.requeue();
    }
    t.is(readdirSync(join(directory, order)).length, 1, order);
    for (let index = 0; index < 40; index++) {
      void lane.add(MEGABYTE, 1);
      if (index % 5 === 0) await new Promise((resolve) => setTimeout(resolve, 150));
    }
    await new Promise((resolve) => setTimeout(resolve, 500));
    t.true(open() - before < 10, `${open() - before} descriptors, ${order} first`);
  }
});

test('writing resumes when a full disk has space again, and sources advance', async (t) => {
  let hasSpace = false;
  const lane = laneOn(t, temporaryDirectory(t), {
    isReplayable: true,
    dropsWhenFull: false,
    freeSpace: () => hasSpace,
  });
  let released = 0;
  for (const text of ['1', '2', '3']) void lane.add(line(text), 1).then(() => released++);
  await new Promise((resolve) => setTimeout(resolve, 500));
  t.is(released, 0);
  hasSpace = true;
  await waitFor('the sources', () => released === 3, 5000);
  t.deepEqual(drain(lane), ['1', '2', '3']);
});

test('a deleted directory is created again, and nothing is dropped', async (t) => {
  const directory = temporaryDirectory(t);
  const errors: string[] = [];
  const lane = laneOn(t, directory, {
    freeSpace: (_, isFull) => {
      t.false(isFull);
      return true;
    },
    onError: (error) => errors.push(String(error)),
  });
  rmSync(directory, { recursive: true });
  void lane.add(line('one'), 1);
  t.true(existsSync(directory), 'the directory is created again');
  t.deepEqual(drain(lane), ['one']);
  t.is(errors.length, 1);
});

test('a slow request does not keep batches from being written, its own included', async (t) => {
  const directory = temporaryDirectory(t);
  const lane = laneOn(t, directory, { isReplayable: true });
  const released: string[] = [];
  const add = (text: string) => void lane.add(line(text), 1).then(() => released.push(text));
  add('1');
  add('2');
  lane.dequeue(1);
  add('3');
  await waitFor('the batches after it', () => released.length === 2);
  t.deepEqual(released, ['2', '3']);
  const [file] = readdirSync(directory);
  t.true(readFileSync(join(directory, file!)).includes('1\n'));
  lane.requeue();
  await undefined;
  t.deepEqual(released, ['2', '3', '1']);
  t.deepEqual(drain(lane), ['1', '2', '3']);
});

test('close releases the source of a batch on the disk, even while it is in flight', async (t) => {
  for (const hasWaited of [false, true]) {
    const directory = temporaryDirectory(t);
    const lane = laneOn(t, directory, { isReplayable: true });
    let released = 0;
    void lane.add(line('1'), 1).then(() => released++);
    lane.dequeue(1);
    void lane.add(line('2'), 1).then(() => released++);
    if (hasWaited) await waitFor('the batch after it', () => released === 1);
    t.is(await lane.close(), 0);
    await undefined;
    t.is(released, 2);
    lane.requeue();
    t.deepEqual(drain(laneOn(t, directory)), ['1', '2']);
  }
});
