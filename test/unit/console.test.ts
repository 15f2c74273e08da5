import { Writable } from 'node:stream';
import test from 'ava';
import { attributePrefixes, encodeLine } from '../../agent/logs/encode-log.ts';
import { catalogue } from '../../collectors/catalogue/index.ts';
import { Points } from '../../collectors/records/points.ts';
import { formatBytes, formatDuration, formatPercent } from '../../exporters/console/format.ts';
import { ConsoleExporter } from '../../exporters/console/index.ts';
import { encodeRequest } from '../../exporters/otlp/wire/encode.ts';
import { Writer } from '../../exporters/otlp/wire/writer.ts';
import { fakeContainer } from '../support/container.ts';
import { logLine } from '../support/log-line.ts';

class Memory extends Writable {
  text = '';
  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    this.text += chunk.toString('utf8');
    done();
  }
}

const resource = { attributes: { 'container.name': 'web' } };

test('numbers are formatted for people', (t) => {
  t.deepEqual([0, 1023, 1536, 67_108_864, 1.5 * 1024 ** 4].map(formatBytes), [
    '0 B',
    '1023 B',
    '1.5 KiB',
    '64 MiB',
    '1.5 TiB',
  ]);
  t.is(formatBytes(undefined), '-');
  t.deepEqual([0.4949, 2].map(formatPercent), ['49.5 %', '200.0 %']);
  t.deepEqual([0, 59, 60, 3725, 90_000].map(formatDuration), ['0s', '59s', '1m', '1h 2m', '1d 1h']);
});

test('a log line is printed with time and name, and cannot control the terminal', async (t) => {
  const out = new Memory();
  const writer = new Writer();
  const line = Buffer.from('\u001b[2Jhello');
  encodeLine(writer, logLine(line, { seconds: 0, nanos: 1_000_000 }), attributePrefixes('c'));
  const otlp = encodeRequest(resource, 'portlight.logs', writer.bytes());
  await new ConsoleExporter(out).export({ signal: 'logs', kind: 'log', resource, count: 1, otlp });
  t.is(out.text, '00:00:00.001 web | hello\n');
});

test('a round is printed as a table, with a dash for missing values', async (t) => {
  const out = new Memory();
  const container = fakeContainer({ name: 'web' });
  const points = [
    { metric: catalogue.memoryWorkingSet, value: 32 * 1024 * 1024 },
    { metric: catalogue.memoryLimit, value: 64 * 1024 * 1024 },
    { metric: catalogue.uptime, value: 61 },
  ];
  const set = {
    resource: container.resource,
    container,
    startTime: 0n,
    time: 0n,
    points: Points.from(points),
  };
  await new ConsoleExporter(out).export({
    signal: 'metrics',
    sets: [set],
    resources: [container.resource],
    isLast: true,
    count: 3,
    otlp: Buffer.alloc(0),
  });
  t.is(
    out.text,
    [
      '',
      'NAME   CPU   MEMORY    LIMIT    MEM %   PIDS      UP',
      'web      -   32 MiB   64 MiB   50.0 %      -   1m 1s',
      '',
      '',
    ].join('\n'),
  );
});

const eventBatch = (otlp: Buffer) => ({ signal: 'logs', kind: 'event', resource, count: 1, otlp }) as const;

test('a closed pipe ends the output, not the agent', async (t) => {
  let writes = 0;
  const out = new Writable({
    write(_chunk, _encoding, done) {
      writes++;
      done(Object.assign(new Error('write EPIPE'), { code: 'EPIPE' }));
    },
  });
  const exporter = new ConsoleExporter(out);
  const writer = new Writer();
  encodeLine(writer, logLine(Buffer.from('hello'), { seconds: 0, nanos: 0 }), attributePrefixes('c'));
  const otlp = encodeRequest(resource, 'portlight.logs', writer.bytes());
  await exporter.export({ signal: 'logs', kind: 'log', resource, count: 1, otlp });
  await exporter.export({ signal: 'logs', kind: 'log', resource, count: 1, otlp });
  t.is(writes, 1);
});

test('a batch that cannot be decoded rejects, and does not throw synchronously', async (t) => {
  const exporter = new ConsoleExporter(new Memory());
  const exported = exporter.export(eventBatch(Buffer.from([0x0a, 0xff])));
  await t.throwsAsync(exported, { instanceOf: RangeError });
});
