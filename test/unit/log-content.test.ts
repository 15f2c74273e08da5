/** Processing of lines between the log and the batch. */

import { setTimeout as sleep, setImmediate as turn } from 'node:timers/promises';
import { stripVTControlCharacters } from 'node:util';
import test from 'ava';
import fc from 'fast-check';
import { isReceiver } from '../../agent/logs/is-receiver.ts';
import { type LogBatchSink, LogBuffer } from '../../agent/logs/log-buffer.ts';
import { compileLogProcessing, type LogProcessing } from '../../agent/logs/log-processing.ts';
import { parseJson, parseLine, parseLogfmt, parseTime } from '../../agent/logs/parse.ts';
import { compileRedaction } from '../../agent/logs/redact.ts';
import { severityOfText, severityOfValue } from '../../agent/logs/severity.ts';
import { loadConfig } from '../../agent/process/load-config.ts';
import type { LogLine, LogPosition } from '../../collectors/records/records.ts';
import { decodeLogs } from '../../exporters/otlp/wire/decode.ts';
import { encodeRequest } from '../../exporters/otlp/wire/encode.ts';
import { fakeContainer } from '../support/container.ts';
import { logLine } from '../support/log-line.ts';

interface Record {
  body: string | undefined;
  severity: number | undefined;
  attributes: { [key: string]: unknown };
  time: string | undefined;
}

/** A log buffer as labels configure it, and what comes out of it. */
async function configure(labels: { [label: string]: string }) {
  const { config } = await loadConfig({}, undefined, {});
  const mistakes: string[] = [];
  const processing: LogProcessing = compileLogProcessing(
    config.logs,
    Object.fromEntries(Object.entries(labels).map(([key, value]) => [`portlight.logs.${key}`, value])),
    (mistake) => mistakes.push(mistake),
  );
  const records: Record[] = [];
  const saved: LogPosition[] = [];
  const dropped: { [reason: string]: number } = {};
  const container = fakeContainer();
  /** What each batch waits for, in their order. */
  const waits: Promise<void>[] = [];
  const batches: LogBatchSink = {
    async emitLogRecords(_container, bytes) {
      const otlp = encodeRequest({ attributes: {} }, 'portlight.logs', bytes);
      for (const record of decodeLogs(otlp).resourceLogs![0]!.scopeLogs![0]!.logRecords!) {
        const attributes = Object.fromEntries(
          (record.attributes ?? []).map(({ key, value }) => [key, Object.values(value ?? {})[0]]),
        );
        records.push({
          body: record.body?.stringValue ?? record.body?.bytesValue,
          severity: record.severityNumber,
          attributes,
          time: record.timeUnixNano,
        });
      }
      await waits.shift();
    },
    flushSoon: () => {},
    waitForCapacity: () => undefined,
    reportError: (_collector, error) => {
      throw error;
    },
    countDropped: (_container, reason, count) => {
      dropped[reason] = (dropped[reason] ?? 0) + count;
    },
  };
  const position: LogPosition = { seconds: 0, nanos: 0, count: 0, offset: 0, check: -1 };
  const positions = { save: (_container: unknown, position: LogPosition) => void saved.push(position) };
  const buffer = new LogBuffer({ container, position, positions, processing, batches });
  let written = 0;
  const write = (body: Buffer | string, facts: Partial<LogLine> = {}) => {
    written++;
    buffer.addLine(logLine(body, { seconds: written, utf8: typeof body === 'string', ...facts }));
    position.seconds = written;
    position.offset = written;
  };
  const flush = () => {
    buffer.checkpoint();
    buffer.flush();
  };
  return { buffer, write, flush, records, saved, dropped, mistakes, position, waits };
}

const bodies = (records: Record[]) => records.map(({ body }) => body);

test('JSON: message, level, time and trace become fields of the record, the rest attributes', async (t) => {
  const { write, flush, records } = await configure({});
  write(
    '{"level":30,"time":1795512763733,"msg":"hello","pid":7,"err":{"code":"E"},"tags":["a",1],"trace_id":"0af7651916cd43dd8448eb211c80319c","span_id":"b7ad6b7169203331"}',
  );
  write(
    '{"severity":"WARNING","timestamp":"2026-11-24T05:43:00.5+01:00","traceparent":"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"}',
  );
  write('{"broken":');
  flush();
  t.is(records[0]!.body, 'hello');
  t.is(records[0]!.severity, 9);
  t.is(records[0]!.time, '1795512763733000000');
  t.is(records[0]!.attributes.pid, '7');
  t.deepEqual(records[0]!.attributes.err, { values: [{ key: 'code', value: { stringValue: 'E' } }] });
  t.is(records[1]!.severity, 13);
  t.is(records[1]!.time, String(BigInt(Date.parse('2026-11-24T04:43:00.500Z')) * 1_000_000n));
  t.regex(records[1]!.body!, /^\{"severity"/);
  t.is(records[2]!.body, '{"broken":');
  t.is(records[2]!.severity, undefined);
});

test('a position is saved when its batch is acknowledged, and not before', async (t) => {
  const { write, flush, saved, waits } = await configure({});
  const acknowledged = Promise.withResolvers<void>();
  waits.push(acknowledged.promise);
  write('one');
  flush();
  await turn();
  t.deepEqual(saved, []);
  acknowledged.resolve();
  await turn();
  t.deepEqual(
    saved.map(({ offset }) => offset),
    [1],
  );
});

test('dropped lines move the position too, after the batches before them', async (t) => {
  const { write, flush, saved, waits } = await configure({ drop: 'noise' });
  write('noise');
  flush();
  const acknowledged = Promise.withResolvers<void>();
  waits.push(acknowledged.promise);
  write('one');
  flush();
  write('noise');
  flush();
  await turn();
  t.deepEqual(
    saved.map(({ offset }) => offset),
    [1],
  );
  acknowledged.resolve();
  await turn();
  t.is(saved.at(-1)!.offset, 3);
});

test('the position does not move back when a batch is acknowledged after later ones', async (t) => {
  const { write, flush, saved, waits } = await configure({});
  const first = Promise.withResolvers<void>();
  waits.push(first.promise);
  write('one');
  flush();
  write('two');
  flush();
  await turn();
  t.deepEqual(
    saved.map(({ offset }) => offset),
    [2],
  );
  first.resolve();
  await turn();
  t.deepEqual(
    saved.map(({ offset }) => offset),
    [2],
  );
  write('three');
  flush();
  await turn();
  t.deepEqual(
    saved.map(({ offset }) => offset),
    [2, 3],
  );
});

test('fields: body puts the fields into the body', async (t) => {
  const { write, flush, records } = await configure({ fields: 'body' });
  write('{"level":"info","msg":"hello","a":1}');
  flush();
  t.is(records[0]!.body, undefined);
  t.is(records[0]!.attributes.a, undefined);
});

test('logfmt and levels in plain text are parsed; other text stays as it is', async (t) => {
  const { write, flush, records } = await configure({});
  write('level=error msg="it \\"broke\\"" code=7');
  write('2026-11-24 05:43:00 WARN something');
  write('plain');
  write('a=b only looks like it');
  flush();
  t.deepEqual(bodies(records), [
    'it "broke"',
    '2026-11-24 05:43:00 WARN something',
    'plain',
    'a=b only looks like it',
  ]);
  t.deepEqual(
    records.map(({ severity }) => severity),
    [17, 13, undefined, undefined],
  );
  t.is(records[0]!.attributes.code, '7');
});

test('severities are recognised as programs spell them', (t) => {
  for (const [text, severity] of [
    ['I1124 05:43:00.582209       1 main.go:12] started', 9],
    ['E1124 05:43:00.582209       1 main.go:12] failed', 17],
    ['<34>1 2026-11-24T05:43:00Z host su - - failed', 18],
    ['2026/11/24 05:43:00 [error] 7#7: *1 open() failed', 17],
    ['[2026-11-24 05:43:00,123] ERROR in app', 17],
    ['WARNING:root:careful', 13],
    ['05:43:00.123 [main] DEBUG com.example.Main - x', 5],
    ['panic: runtime error', 21],
    ['time=now level=warning x', 13],
    ['[notice] started', 10],
    ['no errors were found', 0],
    ['Information is power', 0],
    ['', 0],
  ] as const)
    t.is(severityOfText(text), severity, text);
  for (const [value, severity] of [
    [30, 9],
    [60, 21],
    [3, 17],
    ['ERROR', 17],
    ['W', 13],
    ['50', 17],
    ['unknown', 0],
    [1e9, 0],
    [null, 0],
  ] as const)
    t.is(severityOfValue(value), severity, String(value));
});

test('times are parsed in seconds, milli-, micro- and nanoseconds', (t) => {
  t.deepEqual(parseTime(1795512763.5), { seconds: 1_795_512_763, nanos: 500_000_000 });
  t.deepEqual(parseTime(1795512763733), { seconds: 1_795_512_763, nanos: 733_000_000 });
  t.deepEqual(parseTime(1795512763733000), { seconds: 1_795_512_763, nanos: 733_000_000 });
  t.deepEqual(parseTime('2026-11-24 05:43:00,123456'), {
    seconds: Date.parse('2026-11-24T05:43:00Z') / 1000,
    nanos: 123_456_000,
  });
  t.is(parseTime('yesterday'), undefined);
  t.is(parseTime(5), undefined);
});

test('no text is an error for a parser or a redaction rule', (t) => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary', maxLength: 300 }), (text) => {
      for (const parser of ['auto', 'json', 'logfmt', 'none'] as const) parseLine(parser, text);
      severityOfText(text);
      compileRedaction(['bearer', 'url_password', 'password', 'email', 'card'])!(text);
    }),
    { numRuns: 100_000 },
  );
  fc.assert(
    fc.property(
      fc.dictionary(fc.stringMatching(/^[a-z]{1,8}$/), fc.string({ unit: 'grapheme' })),
      (record) => {
        const written = Object.entries(record).map(
          ([key, value]) => `x${key}=${JSON.stringify(value).replaceAll('\\n', '\\n')}`,
        );
        const parsed = parseLogfmt(written.join(' '));
        t.is(parsed === undefined, written.length === 0);
      },
    ),
  );
  t.is(parseJson('[1]'), undefined);
});

const TRACES: { [preset: string]: [string[], string[]] } = {
  java: [
    [
      '2026-11-24 05:43:00 ERROR failed',
      'java.lang.IllegalStateException: no',
      '\tat com.example.Main.run(Main.java:7)',
      'Caused by: java.io.IOException: disk',
      '\t... 12 more',
    ],
    ['2026-11-24 05:43:01 INFO next'],
  ],
  python: [
    [
      'ERROR:root:failed',
      'Traceback (most recent call last):',
      '  File "a.py", line 1, in <module>',
      '    1 / 0',
      'ZeroDivisionError: division by zero',
      '',
      'During handling of the above exception, another exception occurred:',
    ],
    ['INFO:root:next'],
  ],
  go: [
    ['panic: boom', '', 'goroutine 1 [running]:', 'main.main()', '\t/src/main.go:7 +0x1d', 'exit status 2'],
    ['2026/11/24 05:43:00 next'],
  ],
  node: [
    ['Error: boom', '    at run (file:///app/a.js:1:7)', '    at async main {', "  code: 'E'", '}'],
    ['next'],
  ],
  ruby: [["a.rb:1:in `run': boom (RuntimeError)", '\tfrom a.rb:7:in `main'], ['next']],
  dotnet: [
    [
      'Unhandled exception. System.Exception: boom',
      ' ---> System.IO.IOException: disk',
      '   at Main.Run() in /src/Main.cs:line 7',
      '   --- End of inner exception stack trace ---',
    ],
    ['next'],
  ],
  indent: [['one', '  two', '\tthree'], ['four']],
};

for (const [preset, [first, second]] of Object.entries(TRACES)) {
  test(`a stack trace of ${preset} is one record, and the next line is another`, async (t) => {
    const { write, flush, records, buffer } = await configure({ multiline: preset });
    for (const line of [...first, ...second]) write(line);
    buffer.finishRecord();
    flush();
    t.deepEqual(bodies(records), [first.join('\n'), second.join('\n')]);
  });
}

test('joined lines keep their text and order, with and without colours', async (t) => {
  const blanks = fc.constantFrom(
    '',
    ' ',
    '\t',
    ' \t ',
    '\u001b[0m',
    '\u001b[31m  ',
    '  \u001b[31m',
    '\u001b]0;title',
  );
  const texts = fc.constantFrom('', 'x', 'é😀', 'one two', '\u0001', 'end\u0007', `long ${'ü'.repeat(600)}`);
  const lines = fc.array(
    fc.tuple(blanks, texts).map(([blank, text]) => blank + text),
    { maxLength: 20 },
  );
  await fc.assert(
    fc.asyncProperty(lines, fc.boolean(), async (written, isStripped) => {
      const seen = isStripped ? written.map((line) => stripVTControlCharacters(line)) : written;
      const expected: string[] = [];
      for (const [index, line] of seen.entries())
        if (index > 0 && /^[ \t]+\S/.test(line)) expected.push(`${expected.pop()}\n${line}`);
        else expected.push(line);
      const { write, buffer, records } = await configure({
        multiline: 'indent',
        strip_ansi: String(isStripped),
      });
      for (const line of written) write(line);
      buffer.finishRecord();
      t.deepEqual(bodies(records), expected);
    }),
  );
});

test('the pattern of a first line matches the first 512 characters of a line, in any script', async (t) => {
  const { write, buffer, records } = await configure({ multiline_start: '^\\[.*\\] END$' });
  const first = `[${'é'.repeat(400)}] END`;
  for (const line of [first, 'more', first]) write(line);
  buffer.finishRecord();
  t.deepEqual(bodies(records), [`${first}\nmore`, first]);
});

test('a record that is too long is cut between characters, and counted once', async (t) => {
  const { write, buffer, records, dropped } = await configure({ multiline: 'indent', max_line: '1KiB' });
  write('x'.repeat(1000));
  write(`  ${'😀'.repeat(20)}`);
  write(' a line that comes too late for it');
  buffer.finishRecord();
  const [record] = records;
  t.is(record!.body, `${'x'.repeat(1000)}\n  ${'😀'.repeat(5)}`);
  t.is(Number(record!.attributes['portlight.log.truncated_bytes']), 15 * 4);
  t.is(records.length, 2);
  t.deepEqual(dropped, { truncated: 1 });
  write('next', { cut: 4 });
  write(`  ${'x'.repeat(1022)}`);
  buffer.finishRecord();
  t.deepEqual(dropped, { truncated: 2 });
});

test('a record waits for more lines until its timeout, and its position until it is complete', async (t) => {
  const { write, flush, records, saved } = await configure({
    multiline: 'indent',
    multiline_timeout: '50ms',
  });
  write('one');
  write('  more');
  flush();
  await sleep(1);
  t.deepEqual(bodies(records), []);
  t.deepEqual(
    saved.map(({ offset }) => offset),
    [0],
    'lines that wait are not covered',
  );
  await sleep(80);
  flush();
  await sleep(1);
  t.deepEqual(bodies(records), ['one\n  more']);
  t.is(saved.at(-1)!.offset, 2);
});

test('lines of two interleaved streams are joined separately', async (t) => {
  const { write, records, buffer, flush } = await configure({ multiline_start: '^\\d' });
  write('1 out');
  write('1 err', { stream: 'stderr' });
  write('more out');
  write('more err', { stream: 'stderr' });
  buffer.finishRecord();
  flush();
  t.deepEqual(bodies(records), ['1 out\nmore out', '1 err\nmore err']);
});

test('keep, drop, min_severity, strip_ansi and rate_limit apply, and dropped lines are counted', async (t) => {
  const rules = await configure({
    drop: 'noise|health',
    keep: 'a',
    min_severity: 'warn',
    strip_ansi: 'true',
  });
  rules.write('a noise');
  rules.write('b');
  rules.write('INFO a');
  rules.write('\u001b[31mERROR\u001b[0m a');
  rules.write('a plain');
  rules.flush();
  t.deepEqual(bodies(rules.records), ['ERROR a', 'a plain']);
  t.deepEqual(rules.dropped, { filter: 3 });
  const limited = await configure({ rate_limit: '5' });
  for (let line = 0; line < 20; line++) limited.write(`${line}`);
  limited.buffer.finishRecord();
  limited.flush();
  t.deepEqual(bodies(limited.records).slice(0, 5), ['0', '1', '2', '3', '4']);
  t.regex(limited.records.at(-1)!.body!, /^15 lines withheld/);
  t.is(limited.records.at(-1)!.attributes['portlight.log.withheld'], '15');
  t.deepEqual(limited.dropped, { rate_limit: 15 });
});

test('secrets are redacted before a line is parsed or stored: in text, in JSON, and in what is not UTF-8', async (t) => {
  const { write, flush, records } = await configure({
    redact: 'bearer,url_password,password,email,card,/(id=)\\d+/$1X/',
  });
  write('Authorization: Bearer abcdef0123456789 for me@example.com');
  write('postgres://user:pa55@db/x id=1234');
  write('{"password":"a\\"b","msg":"login","pan":"4111 1111 1111 1111"}');
  write('4111 1111 1111 1112 is no card number');
  write(Buffer.from([0xff, ...Buffer.from(' password=hunter2')]));
  flush();
  const all = JSON.stringify(records);
  for (const secret of [
    'abcdef0123456789',
    'me@example',
    'pa55',
    '1234"',
    'a\\"b',
    '4111 1111 1111 1111',
    'hunter2',
  ])
    t.false(all.includes(secret), secret);
  t.is(records[1]!.body, 'postgres://user:[redacted]@db/x id=X');
  t.is(records[2]!.body, 'login');
  t.is(records[2]!.attributes.password, '[redacted]');
  t.true(records[3]!.body!.startsWith('4111 1111 1111 1112'));
  t.is(Buffer.from(records[4]!.body!, 'base64').toString('latin1'), 'ÿ password=[redacted]');
});

test('no redaction preset takes quadratic time', (t) => {
  const size = 1024 * 1024;
  const start = performance.now();
  for (const text of [
    'a.',
    'a@',
    'http://a:',
    '1 ',
    'password="',
    'bearer ',
    'x'.repeat(100),
    '((((',
    '\\"password\\":',
  ])
    compileRedaction(['bearer', 'url_password', 'password', 'email', 'card'])!(
      text.repeat(size / text.length),
    );
  // A quadratic one takes minutes.
  t.true(performance.now() - start < 60_000);
});

test('secrets are redacted in all their common forms', (t) => {
  const redact = compileRedaction(['bearer', 'url_password', 'password', 'email', 'card'])!;
  for (const [text, secret] of [
    ['POSTGRES_PASSWORD=hunter2', 'hunter2'],
    ['DB_PASSWORD: hunter2', 'hunter2'],
    ['client_secret=hunter2', 'hunter2'],
    ['{"log":"{\\"password\\":\\"hunter2\\"}"}', 'hunter2'],
    ['https:\\/\\/user:hunter2@host', 'hunter2'],
    ['4111111111111111 123', '4111111111111111'],
    ['4111 1111 1111 1111 12/25', '1111 1111'],
    ['"password":"hunter2', 'hunter2'],
    ['{"password":12345}', '12345'],
  ] as const)
    t.false(redact(text).includes(secret), redact(text));
  t.deepEqual(JSON.parse(redact('{"password":12345,"a":1}')), { password: '[redacted]', a: 1 });
  t.deepEqual(JSON.parse(redact('{"password":"a\\"b","a":1}')), { password: '[redacted]', a: 1 });
  t.is(redact('at 1795512763733000000 id 12345678901234'), 'at 1795512763733000000 id 12345678901234');
});

test('secrets in escaped text are redacted after parsing', async (t) => {
  const { write, flush, records } = await configure({ redact: 'email,url_password' });
  write('{"msg":"to me\\u0040example.com","deep":{"url":"https:\\/\\/u:hunter2\\u0040h"}}');
  flush();
  t.false(JSON.stringify(records).includes('example.com'));
  t.false(JSON.stringify(records).includes('hunter2'));
});

test('a line that is nested too deeply stays text, and the next is parsed', async (t) => {
  const { write, flush, records } = await configure({});
  write(`{"a":${'['.repeat(50_000)}${']'.repeat(50_000)}}`);
  write('{"msg":"next"}');
  flush();
  t.is(records[0]!.body!.length, 100_006);
  t.is(records[1]!.body, 'next');
});

test('a line that is too long is cut between characters', async (t) => {
  for (const cut of [1, 2, 3]) {
    const { write, flush, records } = await configure({ parser: 'none' });
    const source = Buffer.from('x😀'.repeat(10));
    write('', { source, start: 0, end: source.length - cut, cut });
    flush();
    t.true('x😀'.repeat(10).startsWith(records[0]!.body!), records[0]!.body);
    t.is(Number(records[0]!.attributes['portlight.log.truncated_bytes']), 4);
  }
});

test('the number of lines that the rate limit withheld is reported', async (t) => {
  const { write, records, buffer } = await configure({ rate_limit: '1' });
  for (let line = 0; line < 5; line++) write(`${line}`);
  t.is(records.length, 0);
  buffer.finishRecord();
  t.true(records.some(({ body }) => body?.startsWith('4 lines withheld')));
});

test('a label that is not valid is reported, and the others apply', async (t) => {
  const { mistakes } = await configure({
    parser: 'xml',
    multilin: 'java',
    rate_limit: '-1',
    multiline: 'java',
  });
  t.is(mistakes.length, 3);
  t.regex(mistakes[0]!, /^label portlight\.logs\.parser: "xml" is not allowed; expected one of auto/);
});

test('file_place adds the path and the offset of the log file', async (t) => {
  for (const parser of ['none', 'auto', 'json']) {
    const { write, flush, records, buffer } = await configure({ file_place: 'true', parser });
    t.true(buffer.wantsFileOffset);
    write('{"a":1}', { path: '/var/x-json.log', offset: 70 });
    flush();
    t.is(records[0]!.attributes['log.file.path'], '/var/x-json.log');
    t.is(records[0]!.attributes['log.file.offset'], '70');
  }
});

test('cut lines are marked and counted', async (t) => {
  const { write, flush, records, dropped } = await configure({ parser: 'none' });
  write('begin', { cut: 70 });
  write('next');
  flush();
  t.is(records[0]!.attributes['portlight.log.truncated_bytes'], '70');
  t.is(records[1]!.attributes['portlight.log.truncated_bytes'], undefined);
  t.deepEqual(dropped, { truncated: 1 });
});

test('the receiver is recognised by its names, addresses and ports', (t) => {
  const container = fakeContainer({ reachedBy: ['otel', '172.18.0.2', ':4318'] });
  for (const endpoint of ['http://otel:4318', 'http://172.18.0.2:4318', 'http://localhost:4318/v1/logs'])
    t.true(isReceiver(container, new URL(endpoint)), endpoint);
  for (const endpoint of ['http://other:4318', 'http://127.0.0.1:4317', 'http://localhost'])
    t.false(isReceiver(container, new URL(endpoint)), endpoint);
  t.false(isReceiver(container, undefined));
});
