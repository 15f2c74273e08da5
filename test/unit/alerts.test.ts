import test from 'ava';
import { parseRules } from '../../agent/alerts/parse-rules.ts';
import { catalogue } from '../../collectors/catalogue/index.ts';
import type { Point } from '../../collectors/records/records.ts';
import { toEventRecord } from '../../exporters/alerts/record.ts';
import { formatValue } from '../../exporters/alerts/text.ts';
import {
  AlertSimulation,
  alertConfig,
  alertContainer,
  INTERVAL_MS,
  memoryPoints,
} from '../support/alerts.ts';
import { MEBIBYTE } from '../support/units.ts';

const web = alertContainer('web');

test('a rule fires once after its "for", with evidence, and resolves with hysteresis', async (t) => {
  const scene = new AlertSimulation();
  const rounds = (used: number, count: number) => {
    for (let round = 0; round < count; round++) scene.playRound([[web, memoryPoints(used)]]);
  };
  rounds(50, 3);
  t.deepEqual(scene.states, []);
  rounds(91, 3);
  t.deepEqual(
    scene.states.map(({ status }) => status),
    ['pending'],
  );
  t.deepEqual(scene.emissions, []);
  rounds(92, 1);
  t.deepEqual(scene.emissions, ['firing memory']);
  const [alert] = scene.emitted;
  t.is(alert!.value, 0.92);
  t.is(alert!.limit, 100 * MEBIBYTE);
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
  t.deepEqual(scene.emissions, ['firing memory']);
  rounds(84, 1);
  t.deepEqual(scene.emissions, ['firing memory', 'resolved memory']);
  t.true(scene.emitted[1]!.endsAt! > scene.emitted[1]!.startsAt);
  await undefined;
  rounds(50, 89);
  t.is(scene.states.length, 1);
  rounds(50, 2);
  t.is(scene.states.length, 0);
  t.is([...scene.stored.keys()].length, 0);
});

test('a condition met for less than "for" fires nothing', (t) => {
  const scene = new AlertSimulation();
  for (const used of [95, 95, 95, 50, 95, 95, 95, 50]) scene.playRound([[web, memoryPoints(used)]]);
  t.deepEqual(scene.emissions, []);
});

test('a counter is evaluated as its increase; a ratio of no periods is unknown', (t) => {
  const scene = new AlertSimulation();
  const round = (periods: number, throttled: number) =>
    scene.playRound([
      [
        web,
        [
          { metric: catalogue.cpuPeriods, value: periods },
          { metric: catalogue.cpuThrottledPeriods, value: throttled },
        ],
      ],
    ]);
  for (let at = 0; at < 40; at++) round(at * 100, at * 20);
  t.deepEqual(scene.emissions, []);
  let throttled = 800;
  let at = 40;
  const held = () => {
    throttled += 30;
    round(at++ * 100, throttled);
  };
  // At most one minute until the ratio of the last minute is 25 %, and 5 minutes of "for".
  for (let count = 0; count < 30; count++) held();
  t.deepEqual(scene.emissions, []);
  for (let count = 0; count < 7; count++) held();
  t.deepEqual(scene.emissions, ['firing cpu_throttled']);
  for (let count = 0; count < 10; count++) round((at - 1) * 100, throttled);
  t.deepEqual(scene.emissions, ['firing cpu_throttled', 'resolved cpu_throttled']);
});

test('an event fires at once, further events are counted, and the alert resolves by itself', (t) => {
  const scene = new AlertSimulation();
  const die = (ago = 0) =>
    scene.playEvent(
      web,
      'docker.container.die',
      { 'portlight.exit.reason': 'error', 'process.exit.code': 3 },
      ago,
    );
  scene.playRound([[web, []]]);
  scene.playEvent(web, 'docker.container.die', {
    'portlight.exit.reason': 'stopped',
    'process.exit.code': 137,
  });
  scene.playEvent(web, 'docker.container.start');
  t.deepEqual(scene.emissions, []);
  die();
  t.deepEqual(scene.emissions, ['firing exit']);
  t.is(scene.emitted[0]!.annotations.summary, 'web exited with code 3');
  scene.now += 1000;
  die();
  // The container is gone. The alert of its exit keeps firing for 5 minutes.
  for (let count = 0; count < 29; count++) scene.playRound([]);
  t.deepEqual(scene.emissions, ['firing exit']);
  t.is(scene.states[0]!.value, 2);
  scene.playRound([]);
  scene.playRound([]);
  t.deepEqual(scene.emissions, ['firing exit', 'resolved exit']);
  // Events that the daemon repeats are ignored.
  die(310_000);
  die(301_000);
  t.is(scene.emitted.length, 2);
});

test('a restarted agent repeats no alert, and resolves those of its predecessor', async (t) => {
  const before = new AlertSimulation();
  for (let count = 0; count < 5; count++) before.playRound([[web, memoryPoints(95)]]);
  before.playEvent(web, 'docker.container.oom');
  await undefined;
  t.deepEqual(before.emissions, ['firing memory', 'firing oom_kill']);

  const after = new AlertSimulation({}, before);
  for (let count = 0; count < 5; count++) after.playRound([[web, memoryPoints(95)]]);
  t.deepEqual(after.emissions, []);
  t.deepEqual(
    after.states.map(({ rule, status }) => `${rule} ${status}`),
    ['memory firing', 'oom_kill firing'],
  );
  t.deepEqual(after.states[0]!.evidence, before.emitted[0]!.evidence);
  after.playRound([[web, memoryPoints(50)]]);
  t.deepEqual(after.emissions, ['resolved memory']);
  await undefined;

  // The rule was disabled meanwhile.
  const without = new AlertSimulation({ disable: ['oom_kill'] }, after);
  without.playRound([[web, memoryPoints(50)]]);
  t.deepEqual(without.emissions, ['resolved oom_kill']);
});

test('an alert that exporters did not accept is emitted again after a restart, with the same uid', (t) => {
  const before = new AlertSimulation();
  before.isAccepting = false;
  for (let count = 0; count < 5; count++) before.playRound([[web, memoryPoints(95)]]);
  t.deepEqual(before.emissions, ['firing memory']);
  const after = new AlertSimulation({}, before);
  after.playRound([[web, memoryPoints(95)]]);
  t.deepEqual(after.emissions, ['firing memory']);
  const uid = (scene: AlertSimulation) => toEventRecord(scene.emitted[0]!).attributes['log.record.uid'];
  t.is(uid(after), uid(before));
});

test('"for" continues across a restart', (t) => {
  const before = new AlertSimulation();
  for (let count = 0; count < 3; count++) before.playRound([[web, memoryPoints(95)]]);
  const after = new AlertSimulation({}, before);
  after.playRound([[web, memoryPoints(95)]]);
  t.deepEqual(after.emissions, ['firing memory']);
});

test('after a restart, a firing rule waits for its history, but not for an exited container', async (t) => {
  const rules = [
    { name: 'cpu_throttled', for: '0s' },
    { name: 'memory', for: '0s' },
  ];
  const throttled = (at: number): Point[] => [
    { metric: catalogue.cpuPeriods, value: at * 100 },
    { metric: catalogue.cpuThrottledPeriods, value: at * 100 },
    ...memoryPoints(95),
  ];
  const before = new AlertSimulation({ rules });
  for (let at = 0; at < 10; at++) before.playRound([[web, throttled(at)]]);
  t.deepEqual(before.emissions.sort(), ['firing cpu_throttled', 'firing memory']);
  await undefined;
  const after = new AlertSimulation({ rules }, before);
  after.playRound([[web, throttled(10)]]);
  t.deepEqual(after.emissions, []);
  after.playRound([[{ ...web, pid: 0 }, []]]);
  t.deepEqual(after.emissions.sort(), ['resolved cpu_throttled', 'resolved memory']);
});

test('metric alerts of a removed container are resolved', (t) => {
  const scene = new AlertSimulation();
  for (let count = 0; count < 5; count++) scene.playRound([[web, memoryPoints(95)]]);
  scene.playRound([]);
  t.deepEqual(scene.emissions, ['firing memory', 'resolved memory']);
});

test('container labels override rules', (t) => {
  const scene = new AlertSimulation();
  const relaxed = alertContainer('relaxed', { 'portlight.alert.memory': '98% for 10s' });
  const mute = alertContainer('mute', { 'portlight.alert.memory': 'off', 'portlight.alert.exit': 'off' });
  const wrong = alertContainer('wrong', { 'portlight.alert.memory': '9x', 'portlight.alert.memry': '9%' });
  const round = (used: number) =>
    scene.playRound([relaxed, mute, wrong].map((container) => [container, memoryPoints(used)] as const));
  for (let count = 0; count < 6; count++) round(95);
  scene.playEvent(mute, 'docker.container.die', { 'portlight.exit.reason': 'error' });
  t.deepEqual(
    scene.emitted.map(({ container }) => container!.name),
    ['wrong'],
  );
  round(99);
  round(99);
  t.deepEqual(
    scene.emitted.map(({ container }) => container!.name),
    ['wrong', 'relaxed'],
  );
  t.is(scene.emitted[1]!.threshold, 0.98);
  // The resolve threshold changes in proportion.
  round(93);
  t.is(scene.emitted.length, 2);
  round(92);
  t.is(scene.emitted.at(-1)!.status, 'resolved');
  t.deepEqual(scene.warnings, [
    'container wrong: label portlight.alert.memory: "9x" is not allowed; expected off, or a percentage such as 90%, optionally with an operator before it and "for 5m" after it',
    `container wrong: label portlight.alert.memry: there is no such rule; expected one of ${[...parseRules(alertConfig()).rules.map(({ name }) => name), 'no_memory_limit'].join(', ')}`,
  ]);
});

test('custom rules: containers, ratio, rate, host, preconditions, labels and texts', (t) => {
  const scene = new AlertSimulation({
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
      value: 7 * MEBIBYTE,
      attributes: { 'network.io.direction': 'receive', 'network.interface.name': 'eth0' },
    },
    ...['eth0', 'eth1'].map((name) => ({
      metric: catalogue.networkIo,
      value: (mib / 2) * MEBIBYTE,
      attributes: { 'network.io.direction': 'transmit', 'network.interface.name': name },
    })),
  ];
  const other = alertContainer('other');
  const host = (available: number): Point[] => [
    { metric: catalogue.systemMemoryLimit, value: 1000 * MEBIBYTE },
    { metric: catalogue.systemMemoryAvailable, value: available * MEBIBYTE },
  ];
  for (let at = 0; at < 6; at++) {
    scene.playRound(
      [
        [web, sent(at * 20)],
        [other, [...sent(at * 20), { metric: catalogue.memoryWorkingSet, value: 200 * MEBIBYTE }]],
      ],
      host(500),
    );
  }
  t.deepEqual(scene.emissions, ['firing sends']);
  const [alert] = scene.emitted;
  t.is(alert!.unit, 'By/s');
  t.is(alert!.value, 2 * MEBIBYTE);
  t.deepEqual(alert!.labels, { team: 'shop', page: 'no' });
  t.is(alert!.annotations.summary, 'web sends 2 MiB/s, more than 1 MiB/s: no');

  scene.emitted.length = 0;
  const limited = alertContainer('limited');
  const large: Point = { metric: catalogue.memoryWorkingSet, value: 200 * MEBIBYTE };
  for (let at = 0; at < 10; at++) {
    scene.playRound(
      [
        [other, [large]],
        [limited, [large, { metric: catalogue.memoryLimit, value: 500 * MEBIBYTE }]],
      ],
      host(40),
    );
  }
  t.deepEqual(
    scene.emitted.map(({ rule, container, status }) => `${status} ${rule} ${container?.name ?? 'host'}`),
    ['firing host_memory host', 'resolved sends web', 'firing no_memory_limit other'],
  );
});

test('an invalid rule is reported with what is expected, and the others work', (t) => {
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

test('the firing record contains evidence, the resolved one the duration', (t) => {
  const scene = new AlertSimulation();
  for (const used of [95, 95, 95, 95, 50]) scene.playRound([[web, memoryPoints(used)]]);
  const [firing, resolved] = scene.emitted.map(toEventRecord);
  t.is(firing!.eventName, 'portlight.alert.firing');
  t.is(firing!.severity, 13);
  t.is(firing!.body, 'alert memory: web uses 95 % of its memory limit of 100 MiB');
  t.like(firing!.attributes, {
    'portlight.alert.rule': 'memory',
    'portlight.alert.severity': 'warning',
    'portlight.alert.value': 0.95,
    'portlight.alert.threshold': 0.9,
    'portlight.alert.limit': 100 * MEBIBYTE,
    'portlight.alert.memory.anon': 1,
    'portlight.alert.log': ['last line of id-of-web'],
  });
  t.is((JSON.parse(String(firing!.attributes['portlight.alert.series'])) as unknown[]).length, 3);
  t.is(resolved!.eventName, 'portlight.alert.resolved');
  t.is(resolved!.severity, 9);
  t.is(resolved!.attributes['portlight.alert.duration'], INTERVAL_MS / 1000);
  t.false('portlight.alert.series' in resolved!.attributes);
});

test('a resolved forecast has a finite value, also after a restart', async (t) => {
  const before = new AlertSimulation();
  for (let index = 0; index < 70; index++) before.playRound([[web, memoryPoints(40 + index * 0.7)]]);
  t.deepEqual(before.emissions, ['firing memory_forecast']);
  for (let index = 0; index < 90; index++) before.playRound([[web, memoryPoints(60)]]);
  t.deepEqual(before.emissions, ['firing memory_forecast', 'resolved memory_forecast']);
  t.true(before.emitted.every(({ value }) => Number.isFinite(value)));
  t.notThrows(() => before.emitted.map(toEventRecord));
  await undefined;
  const after = new AlertSimulation({}, before);
  after.playRound([[web, memoryPoints(60)]]);
  t.true(after.states.every(({ value }) => Number.isFinite(value)));
});

test('the disk rule fires only for the container that writes', (t) => {
  const scene = new AlertSimulation();
  const layer = (usage: number, available: number): Point[] => [
    { metric: catalogue.filesystemUsage, value: usage },
    { metric: catalogue.filesystemAvailable, value: available },
  ];
  const writer = alertContainer('writer');
  for (let index = 0; index < 400; index++) {
    const available = Math.max(0, 400 - index) * MEBIBYTE;
    scene.playRound([
      [web, layer(4096, available)],
      [writer, layer(index * MEBIBYTE, available)],
    ]);
  }
  t.deepEqual([...new Set(scene.emitted.map(({ container }) => container!.name))], ['writer']);
});

test('a forecast with a long window does not affect the history of others', (t) => {
  const long = {
    name: 'year',
    metric: 'container.memory.usage',
    over: 'container.memory.limit',
    forecast: '24h',
    window: '24h',
  };
  const scene = new AlertSimulation({ rules: [long] });
  for (let index = 0; index < 400; index++)
    scene.playRound([
      [
        web,
        [
          { metric: catalogue.filesystemUsage, value: index * MEBIBYTE },
          { metric: catalogue.filesystemAvailable, value: 1000 * MEBIBYTE },
        ],
      ],
    ]);
  t.deepEqual(scene.emissions, ['firing disk']);
});

test('values missing for a few rounds do not resolve an alert', (t) => {
  const scene = new AlertSimulation();
  for (let count = 0; count < 20; count++) scene.playRound([[web, memoryPoints(95)]]);
  scene.playRound([[web, []]]);
  scene.existingIds.add(web.id);
  scene.playRound([]);
  scene.playRound([[web, memoryPoints(95)]]);
  t.deepEqual(scene.emissions, ['firing memory']);
  for (let count = 0; count < 5; count++) scene.playRound([[web, []]]);
  t.deepEqual(scene.emissions, ['firing memory', 'resolved memory']);
});

test('a throttled container does not fire cpu_pressure as well', (t) => {
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
  const scene = new AlertSimulation();
  const starved = alertContainer('starved');
  for (let at = 0; at < 60; at++)
    scene.playRound([
      [web, pressed(at, 60)],
      [starved, pressed(at, 0)],
    ]);
  t.deepEqual(
    scene.emitted.map(({ rule, container, value }) => [rule, container!.name, Number(value.toFixed(2))]),
    [
      ['cpu_pressure', 'starved', 0.6],
      ['cpu_throttled', 'web', 0.6],
    ],
  );
});

test('two events of one OOM kill count once; an event after the clock was set back counts again', (t) => {
  const scene = new AlertSimulation();
  for (let count = 0; count < 10; count++) scene.playRound([[web, memoryPoints(70)]]);
  scene.playEvent(web, 'docker.container.oom');
  scene.playEvent(web, 'docker.container.die', { 'portlight.exit.reason': 'oom_killed' }, -500);
  t.is(scene.states.at(-1)!.value, 1);
  t.is(scene.emitted[0]!.limit, 100 * MEBIBYTE);
  t.is(scene.emitted[0]!.evidence.series.length, 10);
  for (let count = 0; count < 70; count++) scene.playRound([[web, memoryPoints(70)]]);
  t.deepEqual(scene.emissions, ['firing oom_kill', 'resolved oom_kill']);
  scene.playEvent(web, 'docker.container.oom', {}, 700_000);
  t.is(scene.emitted.length, 2);
  scene.setClockBack(3_600_000);
  scene.playEvent(web, 'docker.container.oom');
  t.deepEqual(scene.emissions, ['firing oom_kill', 'resolved oom_kill', 'firing oom_kill']);
});

test('thresholds of labels are applied, also with another operator', (t) => {
  const scene = new AlertSimulation({ rules: [{ name: 'log_rate', resolve: '<= 0' }] });
  const labels = { 'portlight.alert.memory': '95', 'portlight.alert.log_rate': '5' };
  const other = alertContainer('other', labels);
  const down = alertContainer('down', { 'portlight.alert.memory': '< 50% for 0s' });
  const lost = (value: number): Point => ({
    metric: catalogue.logDropped,
    value,
    attributes: { reason: 'rate_limit' },
  });
  for (let at = 0; at < 20; at++)
    scene.playRound([
      [other, [lost(at * 100)]],
      [down, memoryPoints(40)],
    ]);
  t.deepEqual(scene.emissions, ['firing memory', 'firing log_rate']);
  for (let at = 0; at < 60; at++)
    scene.playRound([
      [other, [lost(2000)]],
      [down, memoryPoints(60)],
    ]);
  t.deepEqual(scene.emissions.slice(2).sort(), ['resolved log_rate', 'resolved memory']);
  t.is(scene.warnings.length, 1);
  t.regex(
    scene.warnings[0]!,
    /portlight\.alert\.memory: "95" is not allowed; expected off, or a percentage such as 90%/,
  );
});

test('values are formatted for people', (t) => {
  t.is(formatValue(0.934, '1'), '93 %');
  t.is(formatValue(0.0123, '1'), '1.2 %');
  t.is(formatValue(1536 * 1024, 'By'), '1.5 MiB');
  t.is(formatValue(700, 's'), '11m 40s');
  t.is(formatValue(Number.POSITIVE_INFINITY, 's'), 'never');
  t.is(formatValue(1234.5, '{pid}'), '1235');
  t.is(formatValue(0.1234, '{cpu}'), '0.123');
});
