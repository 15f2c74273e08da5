import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import { catalogue, metrics } from '../../collectors/catalogue/index.ts';
import { referencePage } from '../../collectors/catalogue/reference.ts';
import { selectMetrics } from '../../collectors/catalogue/selection.ts';
import type { MetricSet } from '../../collectors/records/points.ts';
import { Points } from '../../collectors/records/points.ts';
import type { Point } from '../../collectors/records/records.ts';
import { compileContainerFilter } from '../../collectors/shared/container-filter.ts';
import { compileWildcards } from '../../collectors/shared/wildcard.ts';
import { DeltaConversion } from '../../exporters/otlp/wire/delta.ts';
import { encodeMetrics } from '../../exporters/otlp/wire/encode.ts';
import { familyName, sanitize } from '../../exporters/prometheus/names.ts';
import { negotiate, render } from '../../exporters/prometheus/text.ts';
import { Translator } from '../../exporters/shared/dialect.ts';
import { fakeContainer } from '../support/container.ts';

const set = (points: Point[], time = 1n, startTime = 0n): MetricSet => {
  const container = fakeContainer();
  return { resource: container.resource, container, startTime, time, points: Points.from(points) };
};

test('docs/metrics.md is up to date with the catalogue (npm run docs)', (t) => {
  t.is(readFileSync(join(import.meta.dirname, '../../docs/metrics.md'), 'utf8'), referencePage());
});

test('names are unique, lower-case and dotted, and every row has a source', (t) => {
  t.is(new Set(metrics.map(({ name }) => name)).size, metrics.length);
  for (const row of metrics) {
    t.regex(row.name, /^[a-z][a-z0-9_]*(\.[a-z0-9_]+)+$/);
    t.true(row.source !== undefined || row.v1.length + row.v2.length + row.tables.length > 0, row.name);
    if (row.dialectOnly) t.true(row.dockerStats.length + row.cadvisor.length > 0, row.name);
  }
});

/** Names, units and kinds of the reference tables that existing dashboards use. */
test("the catalogue has the docker_stats receiver's default metrics and cAdvisor's names", (t) => {
  const docker = new Set(
    metrics.flatMap(({ dockerStats }) =>
      dockerStats.map(({ name, unit, kind }) => `${name} ${unit} ${kind}`),
    ),
  );
  for (const wanted of [
    'container.blockio.io_service_bytes_recursive By counter',
    'container.cpu.usage.total ns counter',
    'container.cpu.usage.usermode ns counter',
    'container.cpu.usage.kernelmode ns counter',
    'container.cpu.utilization 1 gauge',
    'container.memory.usage.total By updowncounter',
    'container.memory.usage.limit By updowncounter',
    'container.memory.percent 1 gauge',
    'container.memory.file By updowncounter',
    'container.memory.total_cache By updowncounter',
    'container.network.io.usage.rx_bytes By counter',
    'container.network.io.usage.tx_bytes By counter',
    'container.network.io.usage.rx_dropped {packets} counter',
    'container.pids.count {pids} updowncounter',
    'container.restarts {restarts} counter',
    'container.uptime s gauge',
  ]) {
    t.true(docker.has(wanted), wanted);
  }
  const cadvisor = new Set(metrics.flatMap((row) => row.cadvisor.map(({ name }) => name)));
  for (const wanted of [
    ...[
      'cpu_usage_seconds_total',
      'cpu_user_seconds_total',
      'cpu_system_seconds_total',
      'cpu_cfs_periods_total',
    ],
    ...[
      'cpu_cfs_throttled_periods_total',
      'cpu_cfs_throttled_seconds_total',
      'fs_reads_bytes_total',
      'fs_writes_bytes_total',
    ],
    ...['fs_reads_total', 'fs_writes_total', 'memory_failcnt', 'memory_failures_total', 'oom_events_total'],
    ...[
      'blkio_device_usage_total',
      'memory_usage_bytes',
      'memory_working_set_bytes',
      'memory_rss',
      'memory_cache',
    ],
    ...[
      'memory_swap',
      'memory_mapped_file',
      'memory_max_usage_bytes',
      'fs_usage_bytes',
      'fs_limit_bytes',
      'processes',
    ],
    ...[
      'threads',
      'threads_max',
      'sockets',
      'file_descriptors',
      'tasks_state',
      'spec_cpu_period',
      'spec_cpu_quota',
    ],
    ...[
      'spec_cpu_shares',
      'spec_memory_limit_bytes',
      'spec_memory_reservation_limit_bytes',
      'spec_memory_swap_limit_bytes',
    ],
    ...['start_time_seconds', 'last_seen', 'health_state'],
    ...['receive', 'transmit'].flatMap((way) =>
      ['bytes', 'packets', 'errors', 'packets_dropped'].map((what) => `network_${way}_${what}_total`),
    ),
    ...['cpu', 'memory', 'io'].flatMap((what) =>
      ['waiting', 'stalled'].map((how) => `pressure_${what}_${how}_seconds_total`),
    ),
  ]) {
    t.true(cadvisor.has(`container_${wanted}`), wanted);
  }
  for (const wanted of ['machine_cpu_cores', 'machine_memory_bytes']) t.true(cadvisor.has(wanted), wanted);
});

test('a dialect renames, scales and relabels points, and drops those without a name', (t) => {
  const read = { 'system.device': 'sda', 'linux.device.id': '8:0', 'disk.io.direction': 'read' };
  const given = set([
    { metric: catalogue.cpuTime, value: 1.5, attributes: { 'cpu.mode': 'user' } },
    { metric: catalogue.diskIo, value: 4096, attributes: read },
    { metric: catalogue.refaults, value: 1 },
  ]);
  const shape = (translated: MetricSet) =>
    [...translated.points].map(({ metric, value, attributes }) => [
      metric.name,
      metric.unit,
      value,
      attributes,
    ]);
  t.deepEqual(shape(new Translator('dockerStats').translate(given)), [
    ['container.cpu.usage.usermode', 'ns', 1_500_000_000, {}],
    [
      'container.blockio.io_service_bytes_recursive',
      'By',
      4096,
      { device_major: '8', device_minor: '0', operation: 'read' },
    ],
  ]);
  t.deepEqual(shape(new Translator('cadvisor').translate(given)), [
    ['container_cpu_user_seconds_total', '', 1.5, {}],
    ['container_fs_reads_bytes_total', '', 4096, { device: '/dev/sda' }],
    ['container_blkio_device_usage_total', '', 4096, { device: '/dev/sda', operation: 'Read' }],
  ]);
  const { count } = encodeMetrics([
    set([
      { metric: catalogue.cpuTotal, value: 1 },
      { metric: catalogue.cpuUsage, value: 2 },
    ]),
  ]);
  t.is(count, 1, 'a metric of dialects only is not exported otherwise');
});

test('a delta is the increase since the last round; a new run starts at 0; gauges stay as they are', (t) => {
  const deltas = new DeltaConversion(0n);
  const round = (value: number, time: bigint, startTime: bigint) => {
    const [converted] = deltas.convert([
      set(
        [
          { metric: catalogue.cpuTime, value },
          { metric: catalogue.memoryUsage, value },
        ],
        time,
        startTime,
      ),
    ]);
    return [converted!.startTime, ...[...converted!.points].map((point) => point.value)];
  };
  t.deepEqual(round(5, 10n, 1n), [1n, 5, 5]);
  t.deepEqual(round(7, 20n, 1n), [10n, 2, 7]);
  t.deepEqual(round(3, 30n, 1n), [20n, 3, 3], 'a counter that decreases was reset');
  t.deepEqual(round(4, 40n, 35n), [35n, 4, 4]);
  const later = new DeltaConversion(5n);
  const points = (value: number, missing = false) =>
    [...later.convert([set(missing ? [] : [{ metric: catalogue.cpuTime, value }], 10n, 1n)])[0]!.points].map(
      (point) => point.value,
    );
  t.deepEqual(points(5), [], 'counts from before the agent started are not exported');
  t.deepEqual(points(7), [2]);
  t.deepEqual(points(0, true), []);
  t.deepEqual(points(8), [1], 'a series continues after a round in which it was missing');
});

test('metrics are selected by name, group and pattern, containers by name, image and label', (t) => {
  const names = (enable: string[], disable: string[]) =>
    new Set(selectMetrics(enable, disable).map(({ name }) => name));
  t.false(names([], []).has('container.memory.slab'));
  t.true(names(['container.memory.slab'], []).has('container.memory.slab'));
  t.true(names(['hugetlb'], []).has('container.hugetlb.usage'));
  t.false(names([], ['container.cpu.*']).has('container.cpu.time'));
  t.false(names(['network'], ['network']).has('container.network.io'));
  t.true(compileWildcards('a.c*')('a.cd'));
  t.false(compileWildcards('a.c')('abc'));
  const container = fakeContainer({
    name: 'web-1',
    image: 'nginx:1.25',
    labels: { team: 'shop', 'portlight.x': '' },
  });
  const selected = (include: string[], exclude: string[] = []) =>
    compileContainerFilter(include, exclude)(container);
  t.true(selected([]));
  t.true(selected(['name=db*', 'image=nginx:*']));
  t.false(selected(['name=db*']));
  t.true(selected(['label=team=shop']));
  t.false(selected(['label=team=other']));
  t.true(selected(['label=portlight.*']));
  t.false(selected([], ['name=web-*']));
});

test("Prometheus names follow OpenTelemetry's rules, and help texts are escaped", (t) => {
  const named = (name: string, unit: string, kind: 'counter' | 'gauge') =>
    familyName({ name, unit, kind }).name;
  t.is(named('container.cpu.time', 's', 'counter'), 'container_cpu_time_seconds');
  t.is(named('container.memory.usage', 'By', 'gauge'), 'container_memory_usage_bytes');
  t.is(named('a.ratio', '1', 'gauge'), 'a_ratio');
  t.is(named('a', '{thing}', 'gauge'), 'a');
  t.is(sanitize('9a-b.c'), '_9a_b_c');
  t.is(negotiate('application/openmetrics-text;version=1.0.0,text/plain;q=0.5'), 'openmetrics');
  t.is(negotiate(undefined), 'prometheus');
  const family = {
    name: 'a_seconds',
    type: 'counter',
    unit: 'seconds',
    help: 'x\ny',
    samples: [{ labels: '', value: 1 }],
  } as const;
  t.is(
    render([{ ...family, samples: [...family.samples] }], 'openmetrics'),
    '# HELP a_seconds x\\ny\n# TYPE a_seconds counter\n# UNIT a_seconds seconds\na_seconds_total 1\n# EOF\n',
  );
  t.is(
    render([{ ...family, samples: [...family.samples] }], 'prometheus'),
    '# HELP a_seconds_total x\\ny\n# TYPE a_seconds_total counter\na_seconds_total 1\n',
  );
});
