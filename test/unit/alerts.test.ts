import test from 'ava';
import { parseRules } from '../../agent/alerts/parse-rules.ts';
import { catalogue } from '../../collectors/catalogue/index.ts';
import type { Point } from '../../collectors/records/records.ts';
import { toEventRecord } from '../../exporters/alerts/record.ts';
import { formatValue } from '../../exporters/alerts/text.ts';
import { alertConfig, INTERVAL_MS, MIB, memory, Scene, watchedContainer } from '../support/alerts.ts';

const web = watchedContainer('web');

test('a rule fires when it has held for its time, once, with its evidence, and ends with hysteresis', async (t) => {
  const scene = new Scene();
  const rounds = (used: number, count: number) => {
    for (let round = 0; round < count; round++) scene.round([[web, memory(used)]]);
  };
  rounds(50, 3);
  t.deepEqual(scene.state, []);
  rounds(91, 3);
  t.deepEqual(
    scene.state.map(({ status }) => status),
    ['pending'],
  );
  t.deepEqual(scene.story, []);
  rounds(92, 1);
  t.deepEqual(scene.story, ['firing memory']);
  const [alert] = scene.told;
  t.is(alert!.value, 0.92);
  t.is(alert!.limit, 100 * MIB);
  t.is(alert!.threshold, 0.9);
  t.is(alert!.severity, 'warning');
  t.is(alert!.annotations.summary, 'web uses 92 % of its memory limit of 100 MiB');
  t.deepEqual(alert!.evidence.log, ['last line of id-of-web']);
  t.deepEqual(
    alert!.evidence.series.map(([, value]) => value),
    [0.5, 0.5, 0.5, 0.91, 0.91, 0.91],
  );
  t.deepEqual(alert!.container, { id: 'id-of-web', name: 'web', image: 'web:1' });

  rounds(88, 10);
  t.deepEqual(scene.story, ['firing memory']);
  rounds(84, 1);
  t.deepEqual(scene.story, ['firing memory', 'resolved memory']);
  t.true(scene.told[1]!.endsAt! > scene.told[1]!.startsAt);
  await undefined;
  rounds(50, 89);
  t.is(scene.state.length, 1);
  rounds(50, 2);
  t.is(scene.state.length, 0);
  t.is([...scene.kept.keys()].length, 0);
});

test('what holds for too short a time is forgotten', (t) => {
  const scene = new Scene();
  for (const used of [95, 95, 95, 50, 95, 95, 95, 50]) scene.round([[web, memory(used)]]);
  t.deepEqual(scene.story, []);
});

test('a counter is looked at as its change; periods that did not pass are no share', (t) => {
  const scene = new Scene();
  const round = (periods: number, throttled: number) =>
    scene.round([
      [
        web,
        [
          { metric: catalogue.cpuPeriods, value: periods },
          { metric: catalogue.cpuThrottledPeriods, value: throttled },
        ],
      ],
    ]);
  for (let at = 0; at < 40; at++) round(at * 100, at * 20);
  t.deepEqual(scene.story, []);
  let throttled = 800;
  let at = 40;
  const held = () => {
    throttled += 30;
    round(at++ * 100, throttled);
  };
  // A minute until its share of the last minute is a quarter at the latest, and five that it has to last.
  for (let count = 0; count < 30; count++) held();
  t.deepEqual(scene.story, []);
  for (let count = 0; count < 7; count++) held();
  t.deepEqual(scene.story, ['firing cpu_throttled']);
  for (let count = 0; count < 10; count++) round((at - 1) * 100, throttled);
  t.deepEqual(scene.story, ['firing cpu_throttled', 'resolved cpu_throttled']);
});

test('an event fires at once, is counted while it fires, and ends by itself', (t) => {
  const scene = new Scene();
  const die = (ago = 0) =>
    scene.event(
      web,
      'docker.container.die',
      { 'portlight.exit.reason': 'error', 'process.exit.code': 3 },
      ago,
    );
  scene.round([[web, []]]);
  scene.event(web, 'docker.container.die', { 'portlight.exit.reason': 'stopped', 'process.exit.code': 137 });
  scene.event(web, 'docker.container.start');
  t.deepEqual(scene.story, []);
  die();
  t.deepEqual(scene.story, ['firing exit']);
  t.is(scene.told[0]!.annotations.summary, 'web exited with code 3');
  scene.now += 1000;
  die();
  // The container is gone: its end is told all the same, for as long as it is news.
  for (let count = 0; count < 29; count++) scene.round([]);
  t.deepEqual(scene.story, ['firing exit']);
  t.is(scene.state[0]!.value, 2);
  scene.round([]);
  scene.round([]);
  t.deepEqual(scene.story, ['firing exit', 'resolved exit']);
  // What the daemon repeats is no news.
  die(310_000);
  die(301_000);
  t.is(scene.told.length, 2);
});

test('a restarted agent tells nothing twice, and ends what it told', async (t) => {
  const before = new Scene();
  for (let count = 0; count < 5; count++) before.round([[web, memory(95)]]);
  before.event(web, 'docker.container.oom');
  await undefined;
  t.deepEqual(before.story, ['firing memory', 'firing oom_kill']);

  const after = new Scene({}, before);
  for (let count = 0; count < 5; count++) after.round([[web, memory(95)]]);
  t.deepEqual(after.story, []);
  t.deepEqual(
    after.state.map(({ rule, status }) => `${rule} ${status}`),
    ['memory firing', 'oom_kill firing'],
  );
  t.deepEqual(after.state[0]!.evidence, before.told[0]!.evidence);
  after.round([[web, memory(50)]]);
  t.deepEqual(after.story, ['resolved memory']);
  await undefined;

  // A rule that was taken out, and a container that was removed meanwhile.
  const without = new Scene({ disable: ['oom_kill'] }, after);
  without.round([[web, memory(50)]]);
  t.deepEqual(without.story, ['resolved oom_kill']);
});

test('what exporters had not taken charge of is told again, with the same uid', (t) => {
  const before = new Scene();
  before.delivers = false;
  for (let count = 0; count < 5; count++) before.round([[web, memory(95)]]);
  t.deepEqual(before.story, ['firing memory']);
  const after = new Scene({}, before);
  after.round([[web, memory(95)]]);
  t.deepEqual(after.story, ['firing memory']);
  const uid = (scene: Scene) => toEventRecord(scene.told[0]!).attributes['log.record.uid'];
  t.is(uid(after), uid(before));
});

test('a time that a rule has held goes on across a restart', (t) => {
  const before = new Scene();
  for (let count = 0; count < 3; count++) before.round([[web, memory(95)]]);
  const after = new Scene({}, before);
  after.round([[web, memory(95)]]);
  t.deepEqual(after.story, ['firing memory']);
});

test('a firing rule that needs a history waits for it after a restart, and not for a container that has ended', async (t) => {
  const rules = [
    { name: 'cpu_throttled', for: '0s' },
    { name: 'memory', for: '0s' },
  ];
  const throttled = (at: number): Point[] => [
    { metric: catalogue.cpuPeriods, value: at * 100 },
    { metric: catalogue.cpuThrottledPeriods, value: at * 100 },
    ...memory(95),
  ];
  const before = new Scene({ rules });
  for (let at = 0; at < 10; at++) before.round([[web, throttled(at)]]);
  t.deepEqual(before.story.sort(), ['firing cpu_throttled', 'firing memory']);
  await undefined;
  const after = new Scene({ rules }, before);
  after.round([[web, throttled(10)]]);
  t.deepEqual(after.story, []);
  after.round([[{ ...web, pid: 0 }, []]]);
  t.deepEqual(after.story.sort(), ['resolved cpu_throttled', 'resolved memory']);
});

test('a container that is gone has no alerts of its figures left', (t) => {
  const scene = new Scene();
  for (let count = 0; count < 5; count++) scene.round([[web, memory(95)]]);
  scene.round([]);
  t.deepEqual(scene.story, ['firing memory', 'resolved memory']);
});

test("a container's labels change its rules", (t) => {
  const scene = new Scene();
  const relaxed = watchedContainer('relaxed', { 'portlight.alert.memory': '98% for 10s' });
  const mute = watchedContainer('mute', { 'portlight.alert.memory': 'off', 'portlight.alert.exit': 'off' });
  const wrong = watchedContainer('wrong', { 'portlight.alert.memory': '9x', 'portlight.alert.memry': '9%' });
  const round = (used: number) =>
    scene.round([relaxed, mute, wrong].map((container) => [container, memory(used)] as const));
  for (let count = 0; count < 6; count++) round(95);
  scene.event(mute, 'docker.container.die', { 'portlight.exit.reason': 'error' });
  t.deepEqual(
    scene.told.map(({ container }) => container!.name),
    ['wrong'],
  );
  round(99);
  round(99);
  t.deepEqual(
    scene.told.map(({ container }) => container!.name),
    ['wrong', 'relaxed'],
  );
  t.is(scene.told[1]!.threshold, 0.98);
  // The distance between the two thresholds goes with them.
  round(93);
  t.is(scene.told.length, 2);
  round(92);
  t.is(scene.told.at(-1)!.status, 'resolved');
  t.deepEqual(scene.warnings, [
    'container wrong: label portlight.alert.memory: "9x" is not allowed; expected off, or a percentage such as 90%, optionally with an operator before it and "for 5m" after it',
    `container wrong: label portlight.alert.memry: there is no such rule; expected one of ${[...parseRules(alertConfig()).rules.map(({ name }) => name), 'no_memory_limit'].join(', ')}`,
  ]);
});

test('rules of a user: scope, ratio, rate, the host, what else has to hold, labels and texts', (t) => {
  const scene = new Scene({
    labels: 'team=shop',
    enable: ['no_memory_limit'],
    rules: [
      {
        name: 'sends',
        metric: 'container.network.io',
        attributes: { 'network.io.direction': 'transmit' },
        window: '30s',
        condition: '> 1MiB/s',
        containers: { include: ['name=w*'] },
        labels: { page: 'no' },
        annotations: {
          summary: '{{container.name}} sends {{value}}, more than {{threshold}}: {{labels.page}}',
        },
      },
      {
        name: 'host_memory',
        metric: 'system.memory.linux.available',
        over: 'system.memory.limit',
        condition: '< 5%',
        severity: 'critical',
      },
    ],
  });
  const sent = (mib: number): Point[] => [
    {
      metric: catalogue.networkIo,
      value: 7 * MIB,
      attributes: { 'network.io.direction': 'receive', 'network.interface.name': 'eth0' },
    },
    ...['eth0', 'eth1'].map((name) => ({
      metric: catalogue.networkIo,
      value: (mib / 2) * MIB,
      attributes: { 'network.io.direction': 'transmit', 'network.interface.name': name },
    })),
  ];
  const other = watchedContainer('other');
  const host = (available: number): Point[] => [
    { metric: catalogue.systemMemoryLimit, value: 1000 * MIB },
    { metric: catalogue.systemMemoryAvailable, value: available * MIB },
  ];
  for (let at = 0; at < 6; at++) {
    scene.round(
      [
        [web, sent(at * 20)],
        [other, [...sent(at * 20), { metric: catalogue.memoryWorkingSet, value: 200 * MIB }]],
      ],
      host(500),
    );
  }
  t.deepEqual(scene.story, ['firing sends']);
  const [alert] = scene.told;
  t.is(alert!.unit, 'By/s');
  t.is(alert!.value, 2 * MIB);
  t.deepEqual(alert!.labels, { team: 'shop', page: 'no' });
  t.is(alert!.annotations.summary, 'web sends 2 MiB/s, more than 1 MiB/s: no');

  scene.told.length = 0;
  const limited = watchedContainer('limited');
  const large: Point = { metric: catalogue.memoryWorkingSet, value: 200 * MIB };
  for (let at = 0; at < 10; at++) {
    scene.round(
      [
        [other, [large]],
        [limited, [large, { metric: catalogue.memoryLimit, value: 500 * MIB }]],
      ],
      host(40),
    );
  }
  t.deepEqual(
    scene.told.map(({ rule, container, status }) => `${status} ${rule} ${container?.name ?? 'host'}`),
    ['firing host_memory host', 'resolved sends web', 'firing no_memory_limit other'],
  );
});

test('a rule that is wrong is named, with what would be right, and the others are there', (t) => {
  const { rules, problems } = parseRules(
    alertConfig({
      rules: [
        { name: 'one', metric: 'container.memory.workingset', condition: '> 1' },
        {
          name: 'two',
          metric: 'container.memory.usage',
          over: 'container.memory.limit',
          condition: '> 90MiB',
        },
        { name: 'three', metric: 'container.memory.usage', condition: '> 90MiB', resolve: '> 80MiB' },
        { name: 'four', metric: 'container.memory.usage' },
        { name: 'five', metric: 'container.memory.usage', condition: '> 1', for: '5 minutes' },
        { name: 'six', metric: 'container.memory.usage', condition: '> 1', severty: 'info' },
        {
          name: 'seven',
          metric: 'container.memory.usage',
          condition: '> 1',
          annotations: { summary: '{{nme}}' },
        },
        { metric: 'container.memory.usage', condition: '> 1' },
        { name: 'memory', condition: '>= 80%' },
        { name: 'eight', events: [{ name: 'x' }], for: '1m' },
        'nine',
        { name: 'good', metric: 'container.memory.usage', condition: '> 90MiB' },
        { name: 'good', metric: 'container.memory.usage', condition: '> 90MiB' },
        { name: 'ten', metric: 'system.memory.usage', over: 'container.memory.limit', condition: '> 1' },
        { name: 'eleven', metric: 'container.cpu.time', forecast: '5m', over: 'container.cpu.limit' },
        { name: 'long', metric: 'container.network.io', condition: '> 1', window: '1h' },
        { name: 'level', metric: 'container.memory.usage', condition: '> 1', window: '1m' },
        { name: 'bare', metric: 'container.memory.usage', over: 'container.memory.limit', condition: '> 90' },
        {
          name: 'twelve',
          metric: 'container.memory.usage',
          condition: '> 1',
          when: [{ metric: 'x', condition: '> 1' }],
        },
      ],
    }),
  );
  t.deepEqual(
    problems.map(({ message }) => message.replace(/^alerts\.rules/, '')),
    [
      '[0] (one): metric: "container.memory.workingset" is not a known metric (see portlight metrics list); did you mean container.memory.working_set?',
      '[1] (two): condition: "> 90MiB" is not allowed; expected an operator (>=, >, <=, <, ==, !=) and a percentage such as 90%',
      '[2] (three): resolve: "> 80MiB" is not allowed; expected the opposite of the condition, with the same or a further threshold',
      '[3] (four): requires condition: an operator and a size such as 100MiB',
      '[4] (five): for: "5 minutes" is not allowed; expected a duration between 0s and 24h with its unit, such as 5m',
      '[5] (six): severty: is not a known key; did you mean severity?',
      '[6] (seven): annotations.summary: {{nme}} is not a known variable',
      '[7]: name: is required; expected letters, digits and _',
      '[9] (eight): for: cannot be combined with events',
      '[10]: "nine" is not a rule; expected name, metric and condition',
      '[12] (good): name: "good" is defined twice',
      '[13] (ten): over: container.memory.limit is a container metric, but system.memory.usage is a host metric',
      '[14] (eleven): metric: container.cpu.time is a counter; a forecast requires another kind',
      '[15] (long): window: is limited to 10m, except with forecast',
      '[16] (level): window: is for counters and forecasts; container.memory.usage is not a counter',
      '[17] (bare): condition: "> 90" is not allowed; expected an operator (>=, >, <=, <, ==, !=) and a percentage such as 90%',
      '[18] (twelve): when[0].metric: "x" is not a known metric (see portlight metrics list)',
    ],
  );
  const memoryRule = rules.find(({ name }) => name === 'memory');
  t.like(memoryRule, { condition: { threshold: 0.8 }, forMs: 30_000 });
  t.true(memoryRule?.kind === 'metric' && Math.abs(memoryRule.resolve!.threshold - 0.7556) < 0.001);
  t.true(rules.some(({ name }) => name === 'good'));
});

test('the record bears the evidence when it fires, and how long it was when it ends', (t) => {
  const scene = new Scene();
  for (const used of [95, 95, 95, 95, 50]) scene.round([[web, memory(used)]]);
  const [firing, resolved] = scene.told.map(toEventRecord);
  t.is(firing!.eventName, 'portlight.alert.firing');
  t.is(firing!.severity, 13);
  t.is(firing!.body, 'alert memory: web uses 95 % of its memory limit of 100 MiB');
  t.like(firing!.attributes, {
    'portlight.alert.rule': 'memory',
    'portlight.alert.severity': 'warning',
    'portlight.alert.value': 0.95,
    'portlight.alert.threshold': 0.9,
    'portlight.alert.limit': 100 * MIB,
    'portlight.alert.memory.anon': 1,
    'portlight.alert.log': ['last line of id-of-web'],
  });
  t.is((JSON.parse(String(firing!.attributes['portlight.alert.series'])) as unknown[]).length, 3);
  t.is(resolved!.eventName, 'portlight.alert.resolved');
  t.is(resolved!.severity, 9);
  t.is(resolved!.attributes['portlight.alert.duration'], INTERVAL_MS / 1000);
  t.false('portlight.alert.series' in resolved!.attributes);
});

test('a forecast that ends is told with a number, and survives a restart', async (t) => {
  const before = new Scene();
  for (let index = 0; index < 70; index++) before.round([[web, memory(40 + index * 0.7)]]);
  t.deepEqual(before.story, ['firing memory_forecast']);
  for (let index = 0; index < 90; index++) before.round([[web, memory(60)]]);
  t.deepEqual(before.story, ['firing memory_forecast', 'resolved memory_forecast']);
  t.true(before.told.every(({ value }) => Number.isFinite(value)));
  t.notThrows(() => before.told.map(toEventRecord));
  await undefined;
  const after = new Scene({}, before);
  after.round([[web, memory(60)]]);
  t.true(after.state.every(({ value }) => Number.isFinite(value)));
});

test('a full disk is not the fault of who does not write to it', (t) => {
  const scene = new Scene();
  const layer = (usage: number, available: number): Point[] => [
    { metric: catalogue.filesystemUsage, value: usage },
    { metric: catalogue.filesystemAvailable, value: available },
  ];
  const writer = watchedContainer('writer');
  for (let index = 0; index < 400; index++) {
    const available = Math.max(0, 400 - index) * MIB;
    scene.round([
      [web, layer(4096, available)],
      [writer, layer(index * MIB, available)],
    ]);
  }
  t.deepEqual([...new Set(scene.told.map(({ container }) => container!.name))], ['writer']);
});

test('a trend over a day takes no other one its history', (t) => {
  const long = {
    name: 'year',
    metric: 'container.memory.usage',
    over: 'container.memory.limit',
    forecast: '24h',
    window: '24h',
  };
  const scene = new Scene({ rules: [long] });
  for (let index = 0; index < 400; index++)
    scene.round([
      [
        web,
        [
          { metric: catalogue.filesystemUsage, value: index * MIB },
          { metric: catalogue.filesystemAvailable, value: 1000 * MIB },
        ],
      ],
    ]);
  t.deepEqual(scene.story, ['firing disk']);
});

test('figures that are missing for a moment are no end', (t) => {
  const scene = new Scene();
  for (let count = 0; count < 20; count++) scene.round([[web, memory(95)]]);
  scene.round([[web, []]]);
  scene.existing.add(web.id);
  scene.round([]);
  scene.round([[web, memory(95)]]);
  t.deepEqual(scene.story, ['firing memory']);
  for (let count = 0; count < 5; count++) scene.round([[web, []]]);
  t.deepEqual(scene.story, ['firing memory', 'resolved memory']);
});

test('what is throttled by its quota is not told to lack a CPU besides', (t) => {
  const pressed = (at: number, throttled: number): Point[] => [
    { metric: catalogue.cpuPeriods, value: at * 100 },
    { metric: catalogue.cpuThrottledPeriods, value: at * throttled },
    {
      metric: catalogue.cpuPressure,
      value: at * 6,
      attributes: { 'container.pressure.stall': 'full' },
    },
    {
      metric: catalogue.cpuPressure,
      value: at * 9,
      attributes: { 'container.pressure.stall': 'some' },
    },
  ];
  const scene = new Scene();
  const starved = watchedContainer('starved');
  for (let at = 0; at < 60; at++)
    scene.round([
      [web, pressed(at, 60)],
      [starved, pressed(at, 0)],
    ]);
  t.deepEqual(
    scene.told.map(({ rule, container, value }) => [rule, container!.name, Number(value.toFixed(2))]),
    [
      ['cpu_pressure', 'starved', 0.6],
      ['cpu_throttled', 'web', 0.6],
    ],
  );
});

test('a kill that two events tell counts once; one after a clock was set back is another', (t) => {
  const scene = new Scene();
  for (let count = 0; count < 10; count++) scene.round([[web, memory(70)]]);
  scene.event(web, 'docker.container.oom');
  scene.event(web, 'docker.container.die', { 'portlight.exit.reason': 'oom_killed' }, -500);
  t.is(scene.state.at(-1)!.value, 1);
  t.is(scene.told[0]!.limit, 100 * MIB);
  t.is(scene.told[0]!.evidence.series.length, 10);
  for (let count = 0; count < 70; count++) scene.round([[web, memory(70)]]);
  t.deepEqual(scene.story, ['firing oom_kill', 'resolved oom_kill']);
  scene.event(web, 'docker.container.oom', {}, 700_000);
  t.is(scene.told.length, 2);
  scene.setBack(3_600_000);
  scene.event(web, 'docker.container.oom');
  t.deepEqual(scene.story, ['firing oom_kill', 'resolved oom_kill', 'firing oom_kill']);
});

test('a threshold from a label is what it is meant to be', (t) => {
  const scene = new Scene({ rules: [{ name: 'log_rate', resolve: '<= 0' }] });
  const labels = { 'portlight.alert.memory': '95', 'portlight.alert.log_rate': '5' };
  const other = watchedContainer('other', labels);
  const down = watchedContainer('down', { 'portlight.alert.memory': '< 50% for 0s' });
  const lost = (value: number): Point => ({
    metric: catalogue.logDropped,
    value,
    attributes: { reason: 'rate_limit' },
  });
  for (let at = 0; at < 20; at++)
    scene.round([
      [other, [lost(at * 100)]],
      [down, memory(40)],
    ]);
  t.deepEqual(scene.story, ['firing memory', 'firing log_rate']);
  for (let at = 0; at < 60; at++)
    scene.round([
      [other, [lost(2000)]],
      [down, memory(60)],
    ]);
  t.deepEqual(scene.story.slice(2).sort(), ['resolved log_rate', 'resolved memory']);
  t.is(scene.warnings.length, 1);
  t.regex(
    scene.warnings[0]!,
    /portlight\.alert\.memory: "95" is not allowed; expected off, or a percentage such as 90%/,
  );
});

test('numbers are written as a person reads them', (t) => {
  t.is(formatValue(0.934, '1'), '93 %');
  t.is(formatValue(0.0123, '1'), '1.2 %');
  t.is(formatValue(1536 * 1024, 'By'), '1.5 MiB');
  t.is(formatValue(700, 's'), '11m 40s');
  t.is(formatValue(Number.POSITIVE_INFINITY, 's'), 'never');
  t.is(formatValue(1234.5, '{pid}'), '1235');
  t.is(formatValue(0.1234, '{cpu}'), '0.123');
});
