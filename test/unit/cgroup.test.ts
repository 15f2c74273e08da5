import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import fc from 'fast-check';
import { metrics } from '../../agent/catalogue.ts';
import type { Container, Point } from '../../agent/records.ts';
import { CgroupCollector } from '../../collectors/cgroup/index.ts';
import { containerCgroup, parseMembership, parseMountinfo } from '../../collectors/cgroup/locate.ts';
import { parseFlat, parseSingle } from '../../collectors/cgroup/parse.ts';

const ID = 'd666dc81c5dbdd2d77231a2320a0c15c5a8e294b533627099e5e948ec2dd284d';

const single = (text: string) => parseSingle(Buffer.from(text), text.length);

test('a single value is a number; "max" and the "no limit" of cgroup v1 are none', (t) => {
  t.is(single('67108864\n'), 67_108_864);
  t.is(single('0\n'), 0);
  t.is(single('max\n'), Number.NaN);
  t.is(single('9223372036854771712\n'), Number.NaN);
  t.is(single(''), Number.NaN);
  t.is(single('-1\n'), Number.NaN);
});

function flat(text: string, ...keys: string[]): number[] {
  const values = new Float64Array(keys.length).fill(Number.NaN);
  parseFlat(
    Buffer.from(text),
    Buffer.byteLength(text),
    keys.map((key, slot) => ({ key: Buffer.from(key), slot, scale: 1 })),
    values,
  );
  return [...values];
}

test('a flat-keyed file gives the wanted keys, whole names only, in any order', (t) => {
  const text = 'inactive_file 5\ntotal_inactive_file 7\nfile 3\nlast 1';
  t.deepEqual(flat(text, 'file', 'inactive_file', 'total_inactive_file', 'last'), [3, 5, 7, 1]);
  t.deepEqual(flat(text, 'inactive', 'missing'), [Number.NaN, Number.NaN]);
  t.deepEqual(flat('', 'file'), [Number.NaN]);
});

test('any bytes are a value or none, never an error', (t) => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 500 }), fc.nat(500), (bytes, length) => {
      const values = new Float64Array(2).fill(Number.NaN);
      const used = Math.min(length, bytes.length);
      parseFlat(
        bytes,
        used,
        [
          { key: Buffer.from('a'), slot: 0, scale: 1 },
          { key: Buffer.from(''), slot: 1, scale: 1 },
        ],
        values,
      );
      return !(values[0]! < 0) && !(parseSingle(bytes, used) < 0);
    }),
    { numRuns: 5000 },
  );
  t.pass();
});

test('every key that a kernel prints is found again', (t) => {
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

test('mounts of a hybrid host: each controller where it is, the widest of several mounts', (t) => {
  const { v1, v2 } = parseMountinfo(HYBRID);
  t.deepEqual(v1.get('cpuacct'), { root: '/', point: '/sys/fs/cgroup/cpu,cpuacct' });
  t.deepEqual(v1.get('memory'), { root: '/', point: '/sys/fs/cgroup/memory' });
  t.deepEqual(v2, { root: '/', point: '/sys/fs/cgroup/unified' });
  const [, , , only] = HYBRID.split('\n');
  t.deepEqual(parseMountinfo(only!).v1.get('memory'), { root: '/docker', point: '/elsewhere with spaces' });
});

test('the container is the part of the path that bears its id, whatever lies below and above', (t) => {
  t.is(containerCgroup(`/docker/${ID}`, ID), `/docker/${ID}`);
  t.is(containerCgroup(`/system.slice/docker-${ID}.scope`, ID), `/system.slice/docker-${ID}.scope`);
  t.is(containerCgroup(`/docker/${ID}/init.scope`, ID), `/docker/${ID}`);
  t.is(
    containerCgroup(`/machine.slice/libpod-${ID}.scope/container`, ID),
    `/machine.slice/libpod-${ID}.scope`,
  );
  t.is(containerCgroup('/user.slice/session-1.scope', ID), undefined);
  t.deepEqual(
    parseMembership(`3:cpu,cpuacct:/a:b\n0::/c\n`),
    new Map([
      ['cpu', '/a:b'],
      ['cpuacct', '/a:b'],
      ['', '/c'],
    ]),
  );
});

/** A /proc and a cgroup tree of files; the collector reads them as it reads the kernel's. */
function host(
  t: ExecutionContext,
  mountinfo: (cgroupRoot: string) => string,
  membership: string,
  files: Record<string, string>,
) {
  const root = mkdtempSync(join(tmpdir(), 'portlight-test-'));
  t.teardown(() => rmSync(root, { recursive: true }));
  const write = (path: string, text: string) => {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), text);
  };
  write('proc/self/mountinfo', mountinfo(join(root, 'cgroup')));
  write('proc/42/cgroup', membership);
  for (const [path, text] of Object.entries(files)) write(`cgroup/${path}`, text);
  const container: Container = {
    id: ID,
    name: 'c',
    image: 'i',
    labels: {},
    resource: { attributes: {} },
    pid: 42,
    startedAt: 1n,
    tty: false,
  };
  const collector = new CgroupCollector(join(root, 'proc'), metrics);
  t.teardown(() => collector.stop());
  return { collector, container, write };
}

const named = (points: Point[]) =>
  Object.fromEntries(
    points.map(({ metric, value, attributes }) => [
      [metric.name, attributes?.['cpu.mode']].filter(Boolean).join(' '),
      value,
    ]),
  );

test("cgroup v2: every metric from its file, in the metric's unit", (t) => {
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
  collector.attach(container);
  const first: Point[] = [];
  collector.collect(container, first);
  t.deepEqual(named(first), {
    'container.cpu.time user': 2,
    'container.cpu.time system': 1,
    'container.memory.usage': 50_000_000,
    'container.memory.working_set': 40_000_000,
    'container.memory.limit': 64_000_000,
    'container.memory.available': 24_000_000,
    'container.pids.count': 3,
  });
  write(`cgroup/${scope}/memory.max`, 'max\n');
  write(`cgroup/${scope}/cpu.stat`, 'usage_usec 4000000\nuser_usec 3000000\nsystem_usec 1000000\n');
  const second: Point[] = [];
  collector.collect(container, second);
  const values = named(second);
  t.false('container.memory.limit' in values, 'no limit is absent');
  t.false('container.memory.available' in values);
  t.true(values['container.cpu.usage']! > 0);
});

test('cgroup v1: ticks, nanoseconds and totals; a file that is missing leaves its metrics absent', (t) => {
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
  collector.attach(container);
  const points: Point[] = [];
  collector.collect(container, points);
  t.deepEqual(named(points), {
    'container.cpu.time user': 2.5,
    'container.cpu.time system': 0.5,
    'container.memory.usage': 1000,
  });
});

test("a process that is not the container's is refused", (t) => {
  const { collector, container } = host(
    t,
    (root) => `30 23 0:26 / ${root} rw - cgroup2 cgroup2 rw\n`,
    '0::/user.slice\n',
    { 'user.slice/memory.current': '1\n' },
  );
  t.throws(() => collector.attach(container), { message: /no cgroup of process 42/ });
});
