import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import fc from 'fast-check';
import { pino } from 'pino';
import { Round } from '../../agent/rounds/round.ts';
import type { CatalogueEntry, TableReading } from '../../collectors/catalogue/entry.ts';
import { catalogue, metrics } from '../../collectors/catalogue/index.ts';
import { FlatKeyedParser } from '../../collectors/cgroup/flat-keyed-parser.ts';
import { CgroupCollector } from '../../collectors/cgroup/index.ts';
import {
  parseList,
  parseNthValue,
  parsePair,
  parseSingle,
  parseText,
} from '../../collectors/cgroup/parse.ts';
import { parseTable } from '../../collectors/cgroup/table-parser.ts';
import type { Collector } from '../../collectors/records/collector.ts';
import type { Point } from '../../collectors/records/records.ts';
import { containerCgroup, parseMembership, parseMountinfo } from '../../collectors/shared/cgroup-location.ts';
import { descriptorLimit, KernelFiles, kernelBuffer } from '../../collectors/shared/kernel-file.ts';
import { Telemetry } from '../../exporters/shared/telemetry.ts';
import { fakeContainer } from '../support/container.ts';
import { collectedPoints } from '../support/points.ts';
import { type Recording, replay } from '../support/recording.ts';
import { isSameValue, singleFileMetrics } from '../support/single-file-metrics.ts';
import { temporaryDirectory } from '../support/temporary.ts';

const ID = 'd666dc81c5dbdd2d77231a2320a0c15c5a8e294b533627099e5e948ec2dd284d';

const single = (text: string) => parseSingle(Buffer.from(text), text.length);

test('a single value is a number; "max" and the "no limit" of cgroup v1 are absent', (t) => {
  t.is(single('67108864\n'), 67_108_864);
  t.is(single('0\n'), 0);
  t.is(single('max\n'), Number.NaN);
  t.is(single('9223372036854771712\n'), Number.NaN);
  t.is(single(''), Number.NaN);
  t.is(single('-1\n'), Number.NaN);
});

/** The values that one parser of the keys reads from each text in turn. */
function flats(keys: string[], ...texts: string[]): number[][] {
  const parser = new FlatKeyedParser(keys.map((key, slot) => ({ key: Buffer.from(key), slot, scale: 1 })));
  return texts.map((text) => {
    const values = new Float64Array(keys.length).fill(Number.NaN);
    parser.parse(Buffer.from(text), Buffer.byteLength(text), values);
    return [...values];
  });
}

const flat = (text: string, ...keys: string[]): number[] => flats(keys, text)[0]!;

test('a flat-keyed file is read by whole key names, in any order', (t) => {
  const text = 'inactive_file 5\ntotal_inactive_file 7\nfile 3\nlast 1';
  t.deepEqual(flat(text, 'file', 'inactive_file', 'total_inactive_file', 'last'), [3, 5, 7, 1]);
  t.deepEqual(flat(text, 'inactive', 'missing'), [Number.NaN, Number.NaN]);
  t.deepEqual(flat('', 'file'), [Number.NaN]);
});

test('a parser that has learnt the order of keys still reads a file with another order', (t) => {
  const [first, same, longer, shorter, again] = flats(
    ['a', 'c'],
    'a 1\nb 2\nc 3\n',
    'a 4\nb 5\nc 6\n',
    'new 0\na 7\nb 8\nc 9\n',
    'b 1\nc 2\n',
    'a 1\nb 2\nc 3\n',
  );
  t.deepEqual(
    [first, same, longer, shorter, again],
    [
      [1, 3],
      [4, 6],
      [7, 9],
      [Number.NaN, 2],
      [1, 3],
    ],
  );
});

test('positions, pairs, words and lists are parsed', (t) => {
  const bytes = (text: string) => [Buffer.from(text), text.length] as const;
  t.is(parseNthValue(...bytes('50000 100000\n'), 0), 50_000);
  t.is(parseNthValue(...bytes('50000 100000\n'), 1), 100_000);
  t.is(parseNthValue(...bytes('max 100000\n'), 0), Number.NaN);
  t.is(parseNthValue(...bytes('50000\n'), 1), Number.NaN);
  const psi =
    'some avg10=0.01 avg60=7.35 avg300=10.44 total=712501368\nfull avg10=0.00 avg60=0.00 avg300=0.00 total=5\n';
  t.is(parsePair(...bytes(psi), Buffer.from('some'), Buffer.from('total')), 712_501_368);
  t.is(parsePair(...bytes(psi), Buffer.from('full'), Buffer.from('total')), 5);
  t.is(parsePair(...bytes(psi), Buffer.from('full'), Buffer.from('tot')), Number.NaN);
  t.is(parsePair(...bytes(psi), Buffer.from('none'), Buffer.from('total')), Number.NaN);
  t.is(parseText(...bytes('FROZEN\n'), Buffer.from('FROZEN')), 1);
  t.is(parseText(...bytes('THAWED\n'), Buffer.from('FROZEN')), 0);
  t.deepEqual(
    ['0\n', '0-3\n', '0-3,7\n', '0,2,4-5\n', '\n', 'x\n'].map((text) => parseList(...bytes(text))),
    [1, 4, 5, 4, Number.NaN, Number.NaN],
  );
});

test('a table has a cell for each line that has the column', (t) => {
  const io = '8:0 rbytes=4096 wbytes=8192 rios=1 wios=2 dbytes=0 dios=0\n8:16 rbytes=1 wbytes=0\n7:0\n';
  t.deepEqual(parseTable(io, 'pairs', 'wbytes'), [
    { label: '8:0', value: 8192 },
    { label: '8:16', value: 0 },
  ]);
  const blkio = '8:0 Read 10\n8:0 Write 20\n8:0 Total 30\nTotal 30\n';
  t.deepEqual(parseTable(blkio, 'words', 'Write'), [{ label: '8:0', value: 20 }]);
  t.deepEqual(parseTable('Total 0\n', 'words', 'Read'), []);
  t.deepEqual(parseTable('5 6 \n', 'cpus', ''), [
    { label: '0', value: 5 },
    { label: '1', value: 6 },
  ]);
  t.deepEqual(parseTable('sev 3\nsev_es max\n', 'keys', ''), [{ label: 'sev', value: 3 }]);
  t.deepEqual(parseTable('2097152\n', 'value', ''), [{ label: '', value: 2_097_152 }]);
  t.deepEqual(parseTable('max\n', 'value', ''), []);
});

/**
 * Parses a file's text with regular expressions, independently of the parsers: their results are compared
 * with these. NaN and an empty list are absent values.
 */
const oracle = {
  number: (text: string | undefined): number => {
    const digits = /^\d+/.exec(text ?? '')?.[0];
    return digits === undefined || BigInt(digits) >= 2n ** 62n ? Number.NaN : Number(digits);
  },
  lines: (text: string): string[] => text.split('\n'),
  single: (text: string) => oracle.number(text),
  position: (text: string, position: number) => oracle.number(oracle.lines(text)[0]!.split(' ')[position]),
  /** Every value that the file has for the key. */
  flat: (text: string, key: string) =>
    oracle
      .lines(text)
      .filter((line) => line.startsWith(`${key} `))
      .map((line) => oracle.number(line.slice(key.length + 1))),
  pair: (text: string, word: string, key: string) => {
    const line = oracle.lines(text).find((each) => each.startsWith(`${word} `));
    return oracle.number(new RegExp(` ${key}=(\\d*)`).exec(line?.slice(word.length) ?? '')?.[1]);
  },
  list: (text: string) => {
    const line = oracle.lines(text)[0]!;
    if (!/^\d+(-\d+)?(,\d+(-\d+)?)*$/.test(line)) return Number.NaN;
    const ranges = line.split(',').map((range) => range.split('-').map(Number));
    const counts = ranges.map(([first = 0, last = first]) => last - first + 1);
    if (ranges.flat().some((number) => number > Number.MAX_SAFE_INTEGER)) return Number.NaN;
    return counts.some((count) => count < 1) ? Number.NaN : counts.reduce((sum, count) => sum + count, 0);
  },
  table: (text: string, format: TableReading['format'], column: string) => {
    const lines = format === 'value' || format === 'cpus' ? [oracle.lines(text)[0]!] : oracle.lines(text);
    const patterns: Record<TableReading['format'], RegExp> = {
      pairs: new RegExp(`^\\s*(?<label>\\S+)(?:\\s+(?!${column}=)\\S+)*\\s+${column}=(?<value>\\S*)`, 'g'),
      words: new RegExp(`^\\s*(?<label>\\S+)\\s+${column}\\s+(?<value>\\S+)`, 'g'),
      keys: /^\s*(?<label>\S+)\s+(?<value>\S+)/g,
      key: new RegExp(`^\\s*${column}\\s+(?<value>\\S+)`, 'g'),
      value: /^\s*(?<value>\S+)/g,
      cpus: /(?<value>\S+)/g,
    };
    return lines
      .flatMap((line) => [...line.matchAll(patterns[format])])
      .map(({ groups }, index) => ({
        label: groups!.label ?? (format === 'cpus' ? String(index) : ''),
        value: /^\d+(\.\d+)?$/.test(groups!.value!) ? Number(groups!.value) : Number.NaN,
      }))
      .filter(({ value }) => Number.isFinite(value));
  },
};

/** Equal except for the rounding of numbers above 2^53. An absent value equals only another absent one. */
const isSameNumber = (one: number, other: number): boolean =>
  Number.isNaN(one) ? Number.isNaN(other) : Math.abs(one - other) <= Math.abs(other) * 1e-12;

/** Any bytes, and text made of pieces of kernel files. */
const fileContents = fc.oneof(
  fc.uint8Array({ maxLength: 300 }),
  fc
    .array(
      fc.oneof(
        { weight: 3, arbitrary: fc.constantFrom('a', 'a ', ' a=', 'a=', 'b', 'ab ', 'max', '8:0 ') },
        { weight: 3, arbitrary: fc.constantFrom('\n', ' ', '-', ',', '=', '.', '0-3,7', '  ') },
        { weight: 3, arbitrary: fc.nat().map(String) },
        { weight: 1, arbitrary: fc.constantFrom('9223372036854771712', '9'.repeat(400), '-1', '1.5') },
      ),
      { maxLength: 30 },
    )
    .map((pieces) => new Uint8Array(Buffer.from(pieces.join(''), 'latin1'))),
);

const formats = ['pairs', 'words', 'keys', 'key', 'cpus', 'value'] as const;

test('each parser returns the value that the file has, or none, whatever the file contains', (t) => {
  const key = Buffer.from('a');
  let present = 0;
  const isAsExpected = (value: number, expected: number): boolean => {
    if (!Number.isNaN(expected)) present++;
    return isSameNumber(value, expected);
  };
  fc.assert(
    fc.property(fileContents, fileContents, fc.nat(1000), (before, bytes, length) => {
      const used = Math.min(length, bytes.length);
      const text = Buffer.from(bytes.subarray(0, used)).toString('latin1');
      const parser = new FlatKeyedParser([{ key, slot: 0, scale: 1 }]);
      const values = new Float64Array(1);
      // The parser may have learnt the order of keys from this text, or from another one.
      for (const [content, size] of [
        [before, before.length],
        [bytes, used],
        [bytes, used],
      ] as const) {
        const candidates = oracle.flat(Buffer.from(content.subarray(0, size)).toString('latin1'), 'a');
        values[0] = Number.NaN;
        parser.parse(content, size, values);
        t.true(
          candidates.length === 0
            ? Number.isNaN(values[0])
            : candidates.some((each) => isSameNumber(values[0]!, each)),
        );
      }
      t.true(isAsExpected(parseSingle(bytes, used), oracle.single(text)), 'single');
      t.true(isAsExpected(parseNthValue(bytes, used, 1), oracle.position(text, 1)), 'position');
      t.true(isAsExpected(parsePair(bytes, used, key, key), oracle.pair(text, 'a', 'a')), 'pair');
      t.true(isAsExpected(parseList(bytes, used), oracle.list(text)), 'list');
      t.is(parseText(bytes, used, key), text.startsWith('a\n') ? 1 : 0, 'text');
      for (const format of formats) {
        const cells = parseTable(text, format, 'a');
        t.deepEqual(cells, oracle.table(text, format, 'a'), format);
        present += cells.length;
      }
    }),
    { numRuns: 10_000 },
  );
  t.true(present > 1000, `only ${present} values were compared`);
});

test('every key of a flat-keyed file is found', (t) => {
  const entries = fc.uniqueArray(fc.tuple(fc.stringMatching(/^[a-z_]{1,12}$/), fc.nat()), {
    selector: ([key]) => key,
    maxLength: 40,
  });
  fc.assert(
    fc.property(entries, fc.nat(), (pairs, seed) => {
      const text = pairs.map(([key, value]) => `${key} ${value}\n`).join('');
      const wanted = pairs.filter((_, index) => (index + seed) % 2 === 0);
      t.deepEqual(
        flat(text, ...wanted.map(([key]) => key)),
        wanted.map(([, value]) => value),
      );
    }),
  );
});

const HYBRID = `31 23 0:28 / /sys/fs/cgroup rw,relatime - tmpfs tmpfs rw,mode=755
33 31 0:30 / /sys/fs/cgroup/cpu,cpuacct rw,relatime - cgroup cgroup rw,cpu,cpuacct
35 31 0:32 / /sys/fs/cgroup/memory rw,relatime shared:3 master:1 - cgroup cgroup rw,memory
35 31 0:32 /docker /elsewhere\\040with\\040spaces rw,relatime - cgroup cgroup rw,memory
41 31 0:38 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw
`;

test('on a hybrid host each controller is found, on the widest of several mounts', (t) => {
  const { v1, v2 } = parseMountinfo(HYBRID);
  t.deepEqual(v1.get('cpuacct'), { root: '/', point: '/sys/fs/cgroup/cpu,cpuacct' });
  t.deepEqual(v1.get('memory'), { root: '/', point: '/sys/fs/cgroup/memory' });
  t.deepEqual(v2, { root: '/', point: '/sys/fs/cgroup/unified' });
  const [, , , only] = HYBRID.split('\n');
  t.deepEqual(parseMountinfo(only!).v1.get('memory'), { root: '/docker', point: '/elsewhere with spaces' });
});

test("the host's hierarchy is wider than the agent's own, although a cgroup namespace calls that the root", (t) => {
  const own = '812 795 0:26 / /sys/fs/cgroup ro - cgroup2 cgroup2 rw\n';
  const hosts = '813 796 0:26 /../../.. /host/sys/fs/cgroup ro - cgroup2 cgroup2 rw\n';
  for (const text of [own + hosts, hosts + own])
    t.deepEqual(parseMountinfo(text).v2, { root: '/../../..', point: '/host/sys/fs/cgroup' });
});

test("the container's cgroup is the part of the path with its id, whatever is above and below", (t) => {
  t.is(containerCgroup(`/docker/${ID}`, ID), `/docker/${ID}`);
  t.is(containerCgroup(`/system.slice/docker-${ID}.scope`, ID), `/system.slice/docker-${ID}.scope`);
  t.is(containerCgroup(`/docker/${ID}/init.scope`, ID), `/docker/${ID}`);
  t.is(
    containerCgroup(`/machine.slice/libpod-${ID}.scope/container`, ID),
    `/machine.slice/libpod-${ID}.scope`,
  );
  t.is(containerCgroup('/user.slice/session-1.scope', ID), undefined);
  t.is(containerCgroup('/init.scope', ID, ID), '/', "the agent's own container, in its own cgroup namespace");
  t.is(containerCgroup('/../user.slice', ID, ID), undefined);
  t.deepEqual(
    parseMembership(`3:cpu,cpuacct:/a:b\n0::/c\n`),
    new Map([
      ['cpu', '/a:b'],
      ['cpuacct', '/a:b'],
      ['', '/c'],
    ]),
  );
});

const rows: CatalogueEntry[] = [
  catalogue.cpuTime,
  catalogue.cpuUsage,
  catalogue.memoryUsage,
  catalogue.memoryWorkingSet,
  catalogue.memoryLimit,
  catalogue.memoryAvailable,
  catalogue.pidsCount,
];

/** A /proc and a cgroup tree of regular files, which the collector reads like the kernel's. */
function host(
  t: ExecutionContext,
  mountinfo: (cgroupRoot: string) => string,
  membership: string,
  files: Record<string, string>,
  read = rows,
) {
  const root = temporaryDirectory(t);
  const write = (path: string, text: string) => {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), text);
  };
  write('proc/self/mountinfo', mountinfo(join(root, 'cgroup')));
  write('proc/42/cgroup', membership);
  for (const [path, text] of Object.entries(files)) write(`cgroup/${path}`, text);
  const container = fakeContainer({ id: ID, pid: 42 });
  const another = () => new CgroupCollector(join(root, 'proc'), read, new KernelFiles(1000, () => {}));
  const collector = another();
  t.teardown(() => collector.close());
  return { collector, another, container, write };
}

const named = (points: Point[]) =>
  Object.fromEntries(
    points.map(({ metric, value, attributes }) => [
      [metric.name, attributes?.['cpu.mode']].filter(Boolean).join(' '),
      value,
    ]),
  );

test("cgroup v2: every metric is read from its file, in the metric's unit", (t) => {
  const scope = `system.slice/docker-${ID}.scope`;
  const { collector, container, write } = host(
    t,
    (root) => `30 23 0:26 / ${root} rw,nosuid - cgroup2 cgroup2 rw,nsdelegate\n`,
    `0::/${scope}/init.scope\n`,
    {
      [`${scope}/cpu.stat`]: 'usage_usec 3000000\nuser_usec 2000000\nsystem_usec 1000000\nnr_periods 0\n',
      [`${scope}/memory.current`]: '50000000\n',
      [`${scope}/memory.stat`]: 'anon 1\nfile 2\ninactive_file 10000000\n',
      [`${scope}/memory.max`]: '64000000\n',
      [`${scope}/pids.current`]: '3\n',
    },
  );
  collector.attachContainer(container);
  const first = collectedPoints();
  collector.collectContainer(container, first);
  t.deepEqual(named(first), {
    'container.cpu.time user': 2,
    'container.cpu.time system': 1,
    'container.memory.usage': 50_000_000,
    'container.memory.working_set': 40_000_000,
    'container.memory.limit': 64_000_000,
    'container.memory.available': 24_000_000,
    'container.pids.current': 3,
  });
  write(`cgroup/${scope}/memory.max`, 'max\n');
  collector.updateContainer(container);
  write(`cgroup/${scope}/cpu.stat`, 'usage_usec 4000000\nuser_usec 3000000\nsystem_usec 1000000\n');
  const second = collectedPoints();
  collector.collectContainer(container, second);
  const values = named(second);
  t.false('container.memory.limit' in values, '"max" is absent');
  t.false('container.memory.available' in values);
  t.true(values['container.cpu.usage']! > 0);
});

test('cgroup v1: ticks, nanoseconds and totals are converted; a missing file makes its metrics absent', (t) => {
  const { collector, container } = host(
    t,
    (root) =>
      `1 1 0:1 / ${root}/cpuacct rw - cgroup cgroup rw,cpuacct\n2 1 0:2 / ${root}/memory rw - cgroup cgroup rw,memory\n`,
    `2:cpuacct:/docker/${ID}\n4:memory:/docker/${ID}\n0::/\n`,
    {
      [`cpuacct/docker/${ID}/cpuacct.stat`]: 'user 250\nsystem 50\n',
      [`memory/docker/${ID}/memory.usage_in_bytes`]: '1000\n',
      [`memory/docker/${ID}/memory.limit_in_bytes`]: '9223372036854771712\n',
    },
  );
  collector.attachContainer(container);
  const points = collectedPoints();
  collector.collectContainer(container, points);
  t.deepEqual(named(points), {
    'container.cpu.time user': 2.5,
    'container.cpu.time system': 0.5,
    'container.memory.usage': 1000,
  });
});

test('values that only processes change are read in every sixth round while a container is idle', (t) => {
  const scope = `docker/${ID}`;
  const { collector, container, write } = host(
    t,
    (root) => `30 23 0:26 / ${root} rw - cgroup2 cgroup2 rw\n`,
    `0::/${scope}\n`,
    {
      [`${scope}/cpu.stat`]: 'usage_usec 100\nuser_usec 100\nsystem_usec 0\n',
      [`${scope}/memory.current`]: '5000\n',
      [`${scope}/memory.stat`]: 'inactive_file 1000\n',
      [`${scope}/pids.current`]: '1\n',
    },
  );
  collector.attachContainer(container);
  const round = () => {
    const points = collectedPoints();
    collector.collectContainer(container, points);
    const values = named(points);
    return [
      values['container.pids.current'],
      values['container.memory.working_set'],
      collector.isIdle(container),
    ];
  };
  t.deepEqual(round(), [1, 4000, false], 'everything is read in the first round');
  write(`cgroup/${scope}/memory.stat`, 'inactive_file 1500\n');
  t.deepEqual(round(), [1, 3500, false], 'the kernel may have updated the counter late');
  write(`cgroup/${scope}/pids.current`, '2\n');
  write(`cgroup/${scope}/memory.stat`, 'inactive_file 2000\n');
  for (let index = 2; index < 6; index++) t.deepEqual(round(), [1, 3500, true]);
  t.deepEqual(round(), [2, 3000, true], 'the sixth round');
  write(`cgroup/${scope}/pids.current`, '3\n');
  write(`cgroup/${scope}/cpu.stat`, 'usage_usec 101\nuser_usec 101\nsystem_usec 0\n');
  t.deepEqual(round(), [3, 3000, false], 'the container has run');
  write(`cgroup/${scope}/pids.current`, '4\n');
  write(`cgroup/${scope}/memory.current`, '6000\n');
  t.deepEqual(round(), [4, 4000, false], 'its memory usage has changed');
});

test('rarely changing values are read once more when a container becomes idle', (t) => {
  const scope = `system.slice/docker-${ID}.scope`;
  const cpu = (usec: number) => `usage_usec ${usec}\nuser_usec ${usec}\nsystem_usec 0\n`;
  const { collector, container, write } = host(
    t,
    (root) => `30 23 0:26 / ${root} rw,nosuid - cgroup2 cgroup2 rw,nsdelegate\n`,
    `0::/${scope}\n`,
    {
      [`${scope}/cpu.stat`]: cpu(100),
      [`${scope}/memory.current`]: '5000\n',
      [`${scope}/memory.peak`]: '5000\n',
    },
    [catalogue.cpuTime, catalogue.memoryUsage, catalogue.memoryMax],
  );
  collector.attachContainer(container);
  const highest = () => {
    const points = collectedPoints();
    collector.collectContainer(container, points);
    return named(points)['container.memory.usage.max'];
  };
  t.is(highest(), 5000);
  write(`cgroup/${scope}/cpu.stat`, cpu(200));
  write(`cgroup/${scope}/memory.peak`, '9000\n');
  t.is(highest(), 5000, 'not due yet');
  t.is(highest(), 5000, 'the first round without activity');
  t.is(highest(), 9000, 'the second round without activity');
});

test("a process of something else is not measured as the container's", (t) => {
  const { collector, container } = host(
    t,
    (root) => `30 23 0:26 / ${root} rw - cgroup2 cgroup2 rw\n`,
    '0::/user.slice\n',
    { 'user.slice/memory.current': '1\n' },
  );
  collector.attachContainer(container);
  const points = collectedPoints();
  collector.collectContainer(container, points);
  t.is(points.length, 0);
});

test('beyond the budget of descriptors, files are opened for each read, with the same values, and reported once', (t) => {
  const directory = temporaryDirectory(t);
  const path = join(directory, 'value');
  writeFileSync(path, '1\n');
  let reports = 0;
  // 512 are reserved: two can stay open.
  const files = new KernelFiles(514, () => reports++);
  const opened = [1, 2, 3, 4].map(() => files.open(path)!);
  t.is(reports, 1);
  writeFileSync(path, '22\n');
  for (const file of opened) {
    t.is(file.read(), 3);
    t.is(kernelBuffer.toString('latin1', 0, 3), '22\n');
  }
  for (const file of opened) file.close();
  t.is(files.open(join(directory, 'missing')), undefined);
  const again = files.open(path)!;
  rmSync(path);
  t.is(again.read(), 3, 'an open descriptor still reads a removed file');
  again.close();
  t.is(reports, 1);
  t.is(descriptorLimit('Max open files            1024                 4096                 files\n'), 1024);
  t.is(
    descriptorLimit('Max open files            unlimited            unlimited            files\n'),
    Number.POSITIVE_INFINITY,
  );
});

test('an agent in its own cgroup namespace finds the containers beside it', (t) => {
  const scope = `system.slice/docker-${ID}.scope`;
  const { collector, container } = host(
    t,
    (root) => `30 23 0:26 /../.. ${root} ro - cgroup2 cgroup2 rw\n`,
    `0::/../docker-${ID}.scope/init.scope\n`,
    {
      [`${scope}/memory.current`]: '7\n',
      [`${scope}/init.scope/memory.current`]: '3\n',
      'user.slice/memory.current': '1\n',
    },
  );
  collector.attachContainer(container);
  const points = collectedPoints();
  collector.collectContainer(container, points);
  t.is(named(points)['container.memory.usage'], 7);
});

test('cgroups below the container, of an init or of Docker inside it, belong to the container', (t) => {
  const inner = 'a'.repeat(64);
  const { collector, container } = host(
    t,
    (root) => `30 23 0:26 / ${root} rw - cgroup2 cgroup2 rw\n`,
    `0::/custom.slice/${ID}/docker/${inner}\n`,
    {
      [`custom.slice/${ID}/memory.current`]: '9\n',
      [`custom.slice/${ID}/docker/${inner}/memory.current`]: '4\n',
    },
  );
  collector.attachContainer(container);
  const points = collectedPoints();
  collector.collectContainer(container, points);
  t.is(named(points)['container.memory.usage'], 9);
});

const fixtures = join(import.meta.dirname, '../fixtures');
for (const name of readdirSync(fixtures).filter((file) => file.startsWith('cgroup-'))) {
  test(`${name}, recorded on a real host: each metric has the value of its file`, (t) => {
    const recording = JSON.parse(readFileSync(join(fixtures, name), 'utf8')) as Recording;
    const { procfs, pid, read, remove } = replay(recording);
    t.teardown(remove);
    const collector = new CgroupCollector(procfs, metrics, new KernelFiles(1000, () => {}));
    t.teardown(() => collector.close());
    const container = fakeContainer({ id: recording.id, pid });
    collector.attachContainer(container);
    const points = collectedPoints();
    collector.collectContainer(container, points);
    const version = recording.mountinfo.includes(' - cgroup ') ? 1 : 2;
    for (const { metric, controller, file, valueIn, attributes } of singleFileMetrics(version)) {
      const found = points.find(
        (point) =>
          point.metric.name === metric &&
          Object.entries(attributes).every(([key, value]) => point.attributes?.[key] === value),
      );
      const expected = valueIn(read(controller, file));
      t.true(isSameValue(found?.value, expected), `${metric}: ${found?.value}, not ${expected}`);
    }
    t.true(points.length > 40);
  });
}

test('values repeated from the previous round are those that the files have', async (t) => {
  const scope = `system.slice/docker-${ID}.scope`;
  const contents = {
    'cpu.stat': (n: number) => `usage_usec ${3 * n}\nuser_usec ${2 * n}\nsystem_usec ${n}\nnr_periods ${n}\n`,
    'memory.current': (n: number) => `${50_000_000 + n}\n`,
    'memory.stat': (n: number) => `anon 1\nfile ${n}\ninactive_file ${n}\n`,
    'memory.max': (n: number) => (n % 3 === 0 ? 'max\n' : `${64_000_000 + n}\n`),
    'pids.current': (n: number) => `${n}\n`,
    'io.stat': (n: number) => (n === 0 ? '' : `8:0 rbytes=${n} wbytes=${n} rios=1 wios=1\n`),
  };
  const names = Object.keys(contents) as (keyof typeof contents)[];
  // Most rounds change nothing: these are the ones that are repeated.
  const round = fc.oneof(
    { weight: 3, arbitrary: fc.constant([]) },
    {
      weight: 1,
      arbitrary: fc.array(fc.tuple(fc.constantFrom(...names), fc.nat(3)), { minLength: 1, maxLength: 6 }),
    },
  );
  let repeats = 0;
  await fc.assert(
    fc.asyncProperty(fc.array(round, { minLength: 5, maxLength: 40 }), async (rounds) => {
      const { collector, another, container, write } = host(
        t,
        (root) => `30 23 0:26 / ${root} rw,nosuid - cgroup2 cgroup2 rw,nsdelegate\n`,
        `0::/${scope}\n`,
        Object.fromEntries(names.map((name) => [`${scope}/${name}`, contents[name](0)])),
        [...metrics],
      );
      const plain = another();
      const telemetry = new Telemetry(pino({ level: 'silent' }));
      const counted: Collector = {
        name: 'counted',
        collectContainer(about, points) {
          const repeat = () => {
            const isRepeated = points.repeatPrevious();
            if (isRepeated) repeats++;
            return isRepeated;
          };
          collector.collectContainer(about, { push: (point) => points.push(point), repeatPrevious: repeat });
        },
      };
      const repeating = new Round([counted], new Set(metrics), telemetry);
      for (const each of [collector, plain]) each.attachContainer(container);
      let done = 0;
      for (const changes of rounds) {
        for (const [name, n] of changes) write(`cgroup/${scope}/${name}`, contents[name](n));
        // Any activity costs CPU time.
        if (changes.length > 0) write(`cgroup/${scope}/cpu.stat`, contents['cpu.stat'](++done));
        const read = collectedPoints();
        plain.collectContainer(container, read);
        const [set] = await repeating.collect([container]);
        // Rates depend on the time between two rounds, which differs between the two collectors.
        const seen = (points: Iterable<Point>) =>
          [...points].map(({ metric, value, attributes }) => [
            metric.name,
            metric === catalogue.cpuUsage && value > 0 ? 'some' : value,
            attributes,
          ]);
        t.deepEqual(seen(set!.points), seen(read));
      }
      plain.close();
      collector.close();
    }),
    { numRuns: 50 },
  );
  t.true(repeats > 100, `${repeats} were repeated`);
});
