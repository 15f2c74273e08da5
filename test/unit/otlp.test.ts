import { createRequire } from 'node:module';
import test from 'ava';
import fc from 'fast-check';
import { encodeFlatJson } from '../../agent/logs/encode-flat-json.ts';
import { attributePrefixes, encodeLine, encodeParsed } from '../../agent/logs/encode-log.ts';
import { parseJson } from '../../agent/logs/parse.ts';
import { catalogue } from '../../collectors/catalogue/index.ts';
import { Points } from '../../collectors/records/points.ts';
import { type AttributeValue, type Point, Severity } from '../../collectors/records/records.ts';
import { decodeLogs, decodeMetrics, decodeResponse } from '../../exporters/otlp/wire/decode.ts';
import { encodeEvent, encodeMetrics, encodeRequest } from '../../exporters/otlp/wire/encode.ts';
import { ProtobufReader } from '../../exporters/otlp/wire/reader.ts';
import { Writer } from '../../exporters/otlp/wire/writer.ts';
import { fakeContainer } from '../support/container.ts';
import { logLine } from '../support/log-line.ts';

const { opentelemetry } = createRequire(import.meta.url)('otlp-protos/build/src/generated/root');
const { logs, metrics } = opentelemetry.proto.collector;
const json = { longs: String, bytes: String, enums: Number, json: true };

const ID = '0123456789ab';

const text = fc.string({ unit: 'binary', maxLength: 300 });
const attribute: fc.Arbitrary<AttributeValue> = fc.oneof(
  text,
  fc.boolean(),
  fc.maxSafeInteger(),
  fc.double({ noNaN: true, noDefaultInfinity: true }).filter((value) => !Object.is(value, -0)),
  fc.array(text, { maxLength: 3 }),
);
const attributes = fc.dictionary(
  text.filter((key) => key !== '__proto__'),
  attribute,
  { maxKeys: 5 },
);

/** Decodes with the code generated from the public definitions, to OTLP/JSON. */
const independent = (type: typeof logs.v1.ExportLogsServiceRequest, bytes: Uint8Array) =>
  JSON.parse(JSON.stringify(type.toObject(type.decode(bytes), json)));

function plain(value: AttributeValue): unknown {
  if (typeof value === 'string') return { stringValue: value };
  if (typeof value === 'boolean') return { boolValue: value };
  if (typeof value === 'number')
    return Number.isSafeInteger(value) ? { intValue: String(value) } : { doubleValue: value };
  return { arrayValue: value.length === 0 ? {} : { values: value.map(plain) } };
}

test('encoded events are decoded by the public definitions', (t) => {
  fc.assert(
    fc.property(
      attributes,
      attributes,
      text,
      text,
      fc.bigInt({ min: 0n, max: 2n ** 63n }),
      (resource, values, name, body, time) => {
        const writer = new Writer(16);
        encodeEvent(
          writer,
          { eventName: name, time, severity: Severity.WARN, body, attributes: values },
          time + 1n,
        );
        const bytes = encodeRequest({ attributes: resource }, 'portlight.events', writer.bytes());
        const decoded = independent(logs.v1.ExportLogsServiceRequest, bytes);
        const [{ resource: about, scopeLogs }] = decoded.resourceLogs;
        const [record] = scopeLogs[0].logRecords;
        const pairs = (given: Record<string, AttributeValue>) =>
          Object.entries(given).map(([key, value]) => ({ key, value: plain(value) }));
        t.deepEqual(about.attributes ?? [], pairs(resource));
        t.deepEqual(record.attributes ?? [], pairs(values));
        t.is(record.timeUnixNano, String(time));
        t.is(record.observedTimeUnixNano, String(time + 1n));
        t.is(record.severityNumber, 13);
        t.is(record.eventName, name);
        t.deepEqual(record.body, { stringValue: body });
      },
    ),
    { numRuns: 300 },
  );
});

test('our decoder agrees with the public definitions, for log lines of any bytes', (t) => {
  fc.assert(
    fc.property(
      fc.array(fc.uint8Array({ maxLength: 20_000 }), { minLength: 1, maxLength: 5 }),
      attributes,
      (lines, resource) => {
        const writer = new Writer(16);
        lines.forEach((line, index) => {
          const facts = { seconds: 1_700_000_000 + index, nanos: 999_999_999, cut: index % 3 ? 0 : 7 };
          encodeLine(writer, logLine(Buffer.from(line), facts), attributePrefixes(ID), index % 2 ? 9 : 0);
        });
        const bytes = encodeRequest({ attributes: resource }, 'portlight.logs', writer.bytes());
        t.deepEqual(
          JSON.parse(JSON.stringify(decodeLogs(bytes))),
          independent(logs.v1.ExportLogsServiceRequest, bytes),
        );
        const records = decodeLogs(bytes).resourceLogs![0]!.scopeLogs![0]!.logRecords!;
        records.forEach(({ body, timeUnixNano }, index) => {
          const line = Buffer.from(lines[index]!);
          const read =
            body?.bytesValue === undefined
              ? Buffer.from(body!.stringValue ?? '')
              : Buffer.from(body.bytesValue, 'base64');
          t.deepEqual(read, line);
          t.is(timeUnixNano, `${1_700_000_000 + index}999999999`);
          const uid = records[index]!.attributes!.find(({ key }) => key === 'log.record.uid');
          t.is(uid!.value!.stringValue, `${ID}-${(1_700_000_000 + index).toString(16)}3b9ac9ff00000000`);
        });
      },
    ),
    { numRuns: 200 },
  );
});

test('times are encoded exactly, from the epoch to the year 2500', (t) => {
  fc.assert(
    fc.property(
      fc.integer({ min: 0, max: 16_725_225_600 }),
      fc.integer({ min: 0, max: 999_999_999 }),
      (seconds, nanos) => {
        const writer = new Writer();
        writer.unixNano(1, seconds, nanos);
        t.is(writer.bytes().readBigUInt64LE(1), BigInt(seconds) * 1_000_000_000n + BigInt(nanos));
      },
    ),
  );
});

test('a parsed record of any JSON is encoded completely', (t) => {
  const object = fc.dictionary(text, fc.jsonValue({ maxDepth: 3 }));
  fc.assert(
    fc.property(object, fc.constantFrom('attributes' as const, 'body' as const), (fields, where) => {
      const writer = new Writer(16);
      const parsed = parseJson(
        JSON.stringify({ ...fields, trace_id: 'a'.repeat(32), span_id: 'b'.repeat(16) }),
      );
      encodeParsed(writer, logLine(''), attributePrefixes(ID), 'the line', parsed, where);
      const bytes = encodeRequest({ attributes: {} }, 'portlight.logs', writer.bytes());
      const decoded = independent(logs.v1.ExportLogsServiceRequest, bytes);
      // OTLP/JSON writes ids in hexadecimal digits.
      const [record] = decoded.resourceLogs[0].scopeLogs[0].logRecords;
      record.traceId = Buffer.from(record.traceId, 'base64').toString('hex');
      record.spanId = Buffer.from(record.spanId, 'base64').toString('hex');
      t.deepEqual(JSON.parse(JSON.stringify(decodeLogs(bytes))), decoded);
      t.is(record.traceId, 'a'.repeat(32));
      t.is(record.spanId, 'b'.repeat(16));
    }),
    { numRuns: 500 },
  );
});

test('flat JSON is encoded to the same bytes as through objects', (t) => {
  const word = fc.stringMatching(/^[ -!#-[\]-~]{0,20}$/);
  const role = fc.constantFrom(
    'msg',
    'message',
    'level',
    'severity',
    'time',
    'ts',
    'trace_id',
    'span_id',
    '__proto__',
  );
  const value = fc.oneof(
    word,
    fc.double({ noNaN: true, noDefaultInfinity: true }),
    fc.integer(),
    fc.bigInt({ min: -(2n ** 60n), max: 2n ** 60n }).map(Number),
    fc.boolean(),
    fc.constantFrom(null, 'info', 'ERROR', 30, 1_795_512_763_733, 1_795_512_763.25, '2026-11-24T05:43:00.5Z'),
    fc.constantFrom('2026-11-24 05:43:00,123', 'a'.repeat(32), 'B'.repeat(16), '0'.repeat(32), 'ü😀'),
  );
  const name = fc.stringMatching(/^[a-f ü]{0,2}$/);
  const objects = fc.array(fc.tuple(fc.oneof(name, role), value), { minLength: 1, maxLength: 10 });
  let read = 0;
  fc.assert(
    fc.property(objects, fc.constantFrom('', ' '), (pairs, space) => {
      const fields = pairs.map(([key, given]) => `${JSON.stringify(key)}:${space}${JSON.stringify(given)}`);
      const written = `{${space}${fields.join(`${space},${space}`)}${space}}`;
      const [fast, slow] = [new Writer(16), new Writer(16)];
      const line = logLine(written, { utf8: true });
      if (!encodeFlatJson(fast, line, attributePrefixes(ID))) return;
      read++;
      encodeParsed(slow, line, attributePrefixes(ID), written, parseJson(written), 'attributes');
      const [own, other] = [fast, slow].map((writer) => {
        const bytes = encodeRequest({ attributes: {} }, 'portlight.logs', writer.bytes());
        const [record] = decodeLogs(bytes).resourceLogs![0]!.scopeLogs![0]!.logRecords!;
        // JavaScript objects list numeric names first.
        record!.attributes!.sort((one, two) => (one.key < two.key ? -1 : 1));
        return record;
      });
      t.deepEqual(own, other, written);
    }),
    { numRuns: 20_000 },
  );
  t.true(read > 5000, `${read}`);
  fc.assert(
    fc.property(
      fc.string({ unit: fc.constantFrom('{', '}', '"', ':', ',', '1', '-', 'true', 'a', '\\', ' ') }),
      (text) => {
        const written = `{${text}`;
        const writer = new Writer(16);
        if (encodeFlatJson(writer, logLine(written, { utf8: true }), attributePrefixes(ID)))
          t.notThrows(() => JSON.parse(written), written);
      },
    ),
    { numRuns: 100_000 },
  );
});

test('encoded metrics keep kind, unit, number type and points', (t) => {
  fc.assert(
    fc.property(
      fc.integer({ min: -(2 ** 53) + 1, max: 2 ** 53 - 1 }),
      fc.double({ noNaN: true, min: 0, max: 1e9 }),
      attributes,
      (bytes, seconds, resource) => {
        const { otlp: encoded } = encodeMetrics([
          {
            resource: { attributes: resource },
            container: fakeContainer(),
            startTime: 5n,
            time: 7n,
            points: Points.from([
              { metric: catalogue.cpuTime, value: seconds, attributes: { 'cpu.mode': 'user' } },
              { metric: catalogue.cpuTime, value: seconds + 1, attributes: { 'cpu.mode': 'system' } },
              { metric: catalogue.memoryUsage, value: bytes },
              { metric: catalogue.uptime, value: seconds },
            ]),
          },
        ]);
        const decoded = independent(metrics.v1.ExportMetricsServiceRequest, encoded);
        const [time, memory, uptime] = decoded.resourceMetrics[0].scopeMetrics[0].metrics;
        t.is(time.name, 'container.cpu.time');
        t.is(time.unit, 's');
        t.is(time.sum.aggregationTemporality, 2);
        t.true(time.sum.isMonotonic);
        t.deepEqual(
          time.sum.dataPoints.map((point: { asDouble: number }) => point.asDouble),
          [seconds, seconds + 1],
        );
        t.is(time.sum.dataPoints[0].startTimeUnixNano, '5');
        t.is(time.sum.dataPoints[0].timeUnixNano, '7');
        t.deepEqual(time.sum.dataPoints[1].attributes, [
          { key: 'cpu.mode', value: { stringValue: 'system' } },
        ]);
        t.is(memory.sum.dataPoints[0].asInt, String(bytes));
        t.falsy(memory.sum.isMonotonic);
        t.is(uptime.gauge.dataPoints[0].asDouble, seconds);
        t.deepEqual(JSON.parse(JSON.stringify(decodeMetrics(encoded))), decoded);
      },
    ),
    { numRuns: 200 },
  );
});

test('containers with different points and attributes are encoded correctly through shared templates', (t) => {
  const rows: Omit<Point, 'value'>[] = [
    { metric: catalogue.cpuTotal, attributes: undefined },
    { metric: catalogue.cpuTime, attributes: { 'cpu.mode': 'user' } },
    { metric: catalogue.cpuTime, attributes: { 'cpu.mode': 'system' } },
    { metric: catalogue.memoryUsage, attributes: undefined },
    { metric: catalogue.uptime, attributes: undefined },
    { metric: catalogue.networkIo, attributes: { 'network.interface.name': 'eth0'.repeat(40) } },
  ];
  const integer = fc.oneof(
    fc.integer({ min: 0, max: 1000 }),
    fc.integer({ min: -(2 ** 53) + 1, max: 2 ** 53 - 1 }),
  );
  const containers = fc.array(
    fc.record({
      chosen: fc.subarray(rows, { minLength: 1 }),
      values: fc.array(integer, { minLength: rows.length, maxLength: rows.length }),
      startTime: fc.bigInt({ min: 0n, max: 2n ** 63n }),
      time: fc.bigInt({ min: 0n, max: 2n ** 63n }),
    }),
    { minLength: 1, maxLength: 8 },
  );
  interface DataPoint {
    readonly startTimeUnixNano: string;
    readonly timeUnixNano: string;
    readonly asInt?: string;
    readonly asDouble?: number;
    readonly attributes?: { readonly value: { readonly stringValue: string } }[];
  }
  fc.assert(
    fc.property(containers, (all) => {
      const { otlp, count } = encodeMetrics(
        all.map(({ chosen, values, startTime, time }) => ({
          resource: { attributes: {} },
          container: fakeContainer(),
          startTime,
          time,
          points: Points.from(chosen.map((each, index) => ({ ...each, value: values[index]! }))),
        })),
      );
      const decoded = independent(metrics.v1.ExportMetricsServiceRequest, otlp);
      const decodedSets = decoded.resourceMetrics.map(
        (resource: {
          scopeMetrics: { metrics?: Record<'sum' | 'gauge', { dataPoints: DataPoint[] }>[] }[];
        }) =>
          (resource.scopeMetrics[0]!.metrics ?? []).flatMap(({ sum, gauge }) =>
            (sum ?? gauge).dataPoints.map((point) => [
              Number(point.asInt ?? point.asDouble),
              point.startTimeUnixNano,
              point.timeUnixNano,
              point.attributes?.[0]?.value.stringValue,
            ]),
          ),
      );
      const wanted = all.map(({ chosen, values, startTime, time }) =>
        chosen.flatMap(({ metric, attributes }, index) =>
          metric === catalogue.cpuTotal
            ? []
            : [[values[index], String(startTime), String(time), Object.values(attributes ?? {})[0]]],
        ),
      );
      t.deepEqual(decodedSets, wanted);
      t.is(count, wanted.flat().length);
    }),
    { numRuns: 500 },
  );
});

test('a partial success is decoded, and malformed protobuf throws a RangeError only', (t) => {
  const response = logs.v1.ExportLogsServiceResponse.encode({
    partialSuccess: { rejectedLogRecords: 3, errorMessage: 'too old' },
  }).finish();
  t.deepEqual(decodeResponse(response), { rejected: 3, message: 'too old' });
  t.deepEqual(decodeResponse(new Uint8Array()), { rejected: 0, message: '' });
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
      try {
        decodeLogs(bytes);
      } catch (error) {
        t.true(error instanceof RangeError);
      }
    }),
    { numRuns: 2000 },
  );
  t.pass();
});

test('the protobuf reader finds fields of every length, and throws a RangeError for a truncated one', (t) => {
  for (const length of [0, 1, 127, 128, 16_383, 16_384, 70_000]) {
    for (const number of [1, 15, 16, 3000]) {
      const writer = new Writer();
      writer.slice(number, Buffer.alloc(length, 'x'), 0, length);
      writer.uint(2, 300);
      const bytes = Buffer.from(writer.bytes());
      const reader = new ProtobufReader(bytes);
      t.true(reader.next());
      t.is(reader.field, number);
      t.is(reader.valueBytes.length, length);
      t.true(reader.valueBytes.every((byte) => byte === 0x78));
      t.is(reader.fieldBytes.length, bytes.length - 3);
      t.true(reader.next());
      t.deepEqual([reader.field, reader.number, reader.bigint], [2, 300, 300n]);
      t.false(reader.next());
      const cut = new ProtobufReader(bytes.subarray(0, bytes.length - 4));
      t.throws(() => cut.next(), { instanceOf: RangeError });
    }
  }
});
