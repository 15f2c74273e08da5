/** Terminal output: tables, bars, charts, keys. */

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import fc from 'fast-check';
import { alertRow } from '../../agent/commands/alerts.ts';
import { commandsPage } from '../../agent/setup/commands-page.ts';
import {
  bar,
  chart,
  hasUnicode,
  joinColumns,
  roundUp,
  roundUpBytes,
  rule,
} from '../../agent/views/terminal/draw.ts';
import { nameOfKey } from '../../agent/views/terminal/screen.ts';
import { describeState, orderBy, type sorts } from '../../agent/views/top/columns.ts';
import { TextInput } from '../../agent/views/top/view.ts';
import { compareTime, formatTime, severityName } from '../../agent/views/watch/log-line.ts';
import type { AlertJson } from '../../exporters/alerts/alert.ts';
import { formatTable } from '../../exporters/console/table.ts';
import { pad, stripControls, toSingleLine, truncate, width } from '../../exporters/console/text.ts';
import type { ContainerSummary } from '../../exporters/dashboard/api.ts';

/** Characters that can control a terminal. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
const CONTROL = /[\u0000-\u0008\u000a-\u001f\u007f-\u009f\u200e\u200f\u2028-\u202e\u2066-\u2069]/;

/** Text with control sequences, wide characters, zero-width characters, and lone surrogates. */
const hostile = fc
  .array(
    fc.oneof(
      fc.string({ unit: 'binary' }),
      fc.constantFrom(
        '\u001b[2J',
        '\u001b]0;x\u0007',
        '\u009b31m',
        '\u202e',
        '日本',
        '🎉',
        '👩‍👩‍👧',
        'e\u0301',
        '\ud800',
        '\t',
      ),
    ),
  )
  .map((parts) => parts.join(''));

test('no text controls a terminal', (t) => {
  fc.assert(
    fc.property(hostile, (text) => {
      t.notRegex(stripControls(text), CONTROL);
      t.false(toSingleLine(text).includes('\t'));
    }),
  );
  t.is(stripControls('naïve\tdéjà vu ✓ 日本語'), 'naïve\tdéjà vu ✓ 日本語');
  t.is(stripControls('\u001b[31mred\u001b[0m \u009b2Jx \u001b]8;;http://x\u0007link'), 'red x link');
});

test('truncated and padded text has the exact width', (t) => {
  fc.assert(
    fc.property(hostile, fc.integer({ min: 0, max: 40 }), (text, columns) => {
      const shown = toSingleLine(text);
      t.true(width(truncate(shown, columns)) <= columns, JSON.stringify([shown, columns]));
      t.is(width(pad(shown, columns)), columns, JSON.stringify([shown, columns]));
      if (width(shown) <= columns) t.is(truncate(shown, columns), shown);
    }),
  );
  t.is(truncate('日本語', 5), '日本…');
  t.is(truncate('日本語', 6), '日本語');
  t.is(truncate('👩‍👩‍👧👩‍👩‍👧', 3), '👩‍👩‍👧…');
  t.is(pad('7', 3, 'right'), '  7');
  t.is(truncate('x'.repeat(10_000_000), 4), 'xxx…');
});

test('a table cuts its widest column first, and never numbers', (t) => {
  const head = ['NAME', 'IMAGE', 'SIZE'];
  const rows = [
    ['a-rather-long-name-of-something', 'an-image-that-is-longer-than-that-name:latest', '1.5 GiB'],
    ['日本語', '\u001b[2Jimage\n', '2 B'],
  ];
  const whole = formatTable(head, rows, ['SIZE']);
  t.is(whole[1], 'a-rather-long-name-of-something   an-image-that-is-longer-than-that-name:latest   1.5 GiB');
  t.is(whole[2], `日本語${' '.repeat(25 + 3)}image${' '.repeat(40 + 3 + 4)}2 B`);
  const narrow = formatTable(head, rows, ['SIZE'], 60);
  t.true(narrow.every((line) => width(line) <= 60));
  t.regex(narrow[1]!, /^a-rather-\S+… {3}an-image-\S+… {3}1\.5 GiB$/);
  t.true(formatTable(head, rows, ['SIZE'], 12).every((line) => width(line) <= 12));
});

test('a bar has a resolution of an eighth of a column', (t) => {
  t.is(bar(0, 4, true), '    ');
  t.is(bar(1, 4, true), '████');
  t.is(bar(7, 4, true), '████');
  t.is(bar(0.5, 3, true), '█▌ ');
  t.is(bar(0.001, 4, true), '▏   ', 'any usage is visible');
  t.is(bar(null, 2, true), '  ');
  t.is(bar(0.3, 4, false), '##  ');
});

test('a chart has two values per column and four levels per row, newest on the right', (t) => {
  t.deepEqual(chart([0, 1, 2, 4, 8], { columns: 3, rows: 2 }, 8, true), ['  ⢸', '⢀⣠⣿']);
  t.deepEqual(chart([8, 8], { columns: 2, rows: 2 }, 8, true), [' ⣿', ' ⣿']);
  t.deepEqual(chart([4, 8], { columns: 1, rows: 2 }, 8, true), ['⢸', '⣿']);
  t.deepEqual(chart([null, 1], { columns: 1, rows: 1 }, 4, true), ['⢀'], 'empty without a value');
  t.deepEqual(chart([], { columns: 2, rows: 1 }, 1, true), ['  ']);
  t.deepEqual(chart([1, 2], { columns: 2, rows: 1 }, 4, false), ['_#']);
  fc.assert(
    fc.property(
      fc.array(fc.option(fc.double({ min: 0, noNaN: true })), { maxLength: 300 }),
      fc.integer({ min: 1, max: 60 }),
      fc.integer({ min: 1, max: 12 }),
      fc.boolean(),
      (values, columns, rows, unicode) => {
        const lines = chart(values, { columns, rows }, 100, unicode);
        t.is(lines.length, rows);
        t.true(lines.every((line) => width(line) === columns));
      },
    ),
  );
});

test('scales are round; rules and joined columns have the exact width', (t) => {
  t.deepEqual([0, 0.07, 1, 1.2, 4, 7, 180].map(roundUp), [1, 0.1, 1, 2, 5, 10, 200]);
  t.deepEqual([0, 1, 1000, 70_000].map(roundUpBytes), [1, 1, 1024, 131_072]);
  t.is(rule('log', 12, true), '── log ─────');
  t.is(rule('a title that is too long', 12, false).length, 12);
  t.deepEqual(
    joinColumns(
      [
        ['a', 'b'],
        ['c', 'd'],
      ],
      ' ',
    ),
    ['a c', 'b d'],
  );
});

test('charts are ASCII if the locale or the terminal has no Unicode', (t) => {
  t.true(hasUnicode({ LANG: 'de_DE.UTF-8' }));
  t.true(hasUnicode({}));
  t.false(hasUnicode({ LANG: 'C' }));
  t.false(hasUnicode({ LANG: 'de_DE.UTF-8', LC_ALL: 'POSIX' }));
  t.false(hasUnicode({ LANG: 'C.UTF-8', TERM: 'linux' }));
});

test('keys have names; characters are their own names', (t) => {
  t.is(nameOfKey('q', { name: 'q', sequence: 'q' }), 'q');
  t.is(nameOfKey('ü', { sequence: 'ü' }), 'ü');
  t.is(nameOfKey('日', { sequence: '日' }), '日');
  t.is(nameOfKey('\r', { name: 'return', sequence: '\r' }), 'return');
  t.is(nameOfKey(undefined, { name: 'up', sequence: '\u001b[A' }), 'up');
  t.is(nameOfKey('\u0003', { name: 'c', ctrl: true, sequence: '\u0003' }), 'ctrl-c');
  t.is(nameOfKey('\u007f', { name: 'backspace', sequence: '\u007f' }), 'backspace');
});

test('a filter can be edited, restored and cleared', (t) => {
  const entry = new TextInput('shop');
  t.true(entry.matches('My-SHOP-1'));
  entry.open();
  for (const key of ['s', 'ü', 'backspace', 'return']) entry.key(key);
  t.is(entry.text, 'shops');
  t.false(entry.isOpen);
  entry.open();
  for (const key of ['ctrl-u', 'x', 'escape']) entry.key(key);
  t.is(entry.text, 'shops', 'the previous text is restored');
  entry.open();
  entry.key('escape');
  t.is(entry.text, '', 'cleared');
});

const container = (name: string, rest: Partial<ContainerSummary> = {}): ContainerSummary => ({
  id: name,
  name,
  image: 'image',
  project: null,
  service: null,
  status: 'running',
  health: null,
  restarts: 0,
  exitCode: null,
  oomKilled: false,
  createdAt: 0,
  startedAt: 0,
  finishedAt: null,
  figures: null,
  alerts: [],
  ...rest,
});

test('sorting puts unknown values last, and breaks ties by name', (t) => {
  const figures = {
    ...{
      time: 1,
      cpu: 0.5,
      cpuLimit: null,
      throttled: null,
      memory: 5,
      memoryLimit: 10,
      pids: 3,
      pidsLimit: null,
    },
    ...{ receive: 1, transmit: 2, read: 0, write: null },
  };
  const all = [container('c'), container('b', { figures }), container('a', { startedAt: null })];
  const namesBy = (sort: (typeof sorts)[number]) => all.toSorted(orderBy(sort, 100)).map(({ name }) => name);
  t.deepEqual(namesBy('name'), ['a', 'b', 'c']);
  for (const sort of ['cpu', 'memory', 'share', 'network', 'disk', 'pids'] as const)
    t.deepEqual(namesBy(sort), ['b', 'a', 'c'], sort);
  t.deepEqual(namesBy('up'), ['b', 'c', 'a']);
  t.deepEqual(
    [
      describeState(container('a', { health: 'unhealthy' })),
      describeState(container('a', { status: 'exited', exitCode: 137, oomKilled: true })),
      describeState(container('a', { status: 'exited', exitCode: 0 })),
      describeState(container('a', { status: 'paused' })),
    ].map(({ text, style }) => `${text} ${String(style)}`),
    ['unhealthy red', 'OOM-killed red', 'exited 0 dim', 'paused yellow'],
  );
});

test('lines are ordered by nanoseconds', (t) => {
  const line = (seconds: number, nanos: number) => ({
    ...{ container: 'a', stream: 'stdout' as const, text: '', severity: 0 },
    seconds,
    nanos,
  });
  t.true(compareTime(line(1, 2), line(1, 3)) < 0);
  t.true(compareTime(line(2, 0), line(1, 999_999_999)) > 0);
  t.is(formatTime(line(0, 5)), '1970-01-01T00:00:00.000000005Z');
  t.deepEqual([0, 1, 9, 10, 17, 24].map(severityName), [
    undefined,
    'trace',
    'info',
    'info',
    'error',
    'fatal',
  ]);
});

test('a firing alert shows its value, a resolved one its duration', (t) => {
  const firing: AlertJson = {
    ...{ key: 'cpu/a', rule: 'cpu', severity: 'warning', status: 'firing', resource: {}, labels: {} },
    ...{ value: 0.93, unit: '1', threshold: 0.9, limit: undefined, limitUnit: '1' },
    ...{ startsAt: '2026-01-01T00:00:00.000Z', endsAt: null },
    container: { id: 'a', name: 'shop', image: 'image' },
    annotations: { summary: 'uses 93 %' },
    evidence: {
      ...{ series: [], seriesUnit: '1', seriesBound: undefined },
      ...{ log: [], events: [], memory: {} },
    },
  };
  const now = Date.parse('2026-01-01T00:10:00Z');
  t.deepEqual(alertRow(firing, now), ['firing', 'warning', 'cpu', 'shop', '10m ago', '93 %', 'uses 93 %']);
  const resolved: AlertJson = {
    ...firing,
    ...{ status: 'resolved', value: 0.02, endsAt: '2026-01-01T00:07:30.000Z' },
  };
  t.deepEqual(alertRow(resolved, now).slice(4), ['2m 30s ago', 'lasted 7m 30s', 'uses 93 %']);
});

test('docs/commands.md is up to date (npm run docs)', (t) => {
  t.is(readFileSync(join(import.meta.dirname, '../../docs/commands.md'), 'utf8'), commandsPage());
});
