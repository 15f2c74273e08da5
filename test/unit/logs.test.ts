import test from 'ava';
import fc from 'fast-check';
import {
  FrameSplitter,
  type LineSplitter,
  type OnLine,
  RawSplitter,
} from '../../collectors/logs/api/frames.ts';
import { formatPosition, parsePosition } from '../../collectors/logs/shared/position.ts';
import { readTimestamp, TIMESTAMP_LENGTH } from '../../collectors/logs/shared/timestamp.ts';

interface Line {
  time: string;
  stream: string;
  body: string;
}

function frame(stream: number, payload: Buffer): Buffer {
  const header = Buffer.alloc(8);
  header[0] = stream;
  header.writeUInt32BE(payload.length, 4);
  return Buffer.concat([header, payload]);
}

const MAX = 1024 * 1024;
const stamp = (second: number) => `2026-11-24T05:43:${String(second).padStart(2, '0')}.582209779Z`;

/** Splits `bytes` that arrive in chunks cut at the given places. */
function split(make: (onLine: OnLine) => LineSplitter, bytes: Buffer, cuts: number[]): Line[] {
  const lines: Line[] = [];
  const splitter = make((time, stream, source, start, end) => {
    lines.push({
      time: `${time.seconds}.${time.nanos}`,
      stream,
      body: Buffer.from(source.subarray(start, end)).toString('latin1'),
    });
  });
  const places = [0, ...cuts.map((cut) => cut % (bytes.length + 1)).sort((a, b) => a - b), bytes.length];
  for (let index = 1; index < places.length; index++) {
    // A copy, so that lines cannot be read from a chunk that is gone.
    const chunk = Buffer.from(bytes.subarray(places[index - 1], places[index]));
    splitter.addChunk(chunk);
  }
  return lines;
}

const withoutNewline = fc
  .uint8Array({ maxLength: 60 })
  .map((bytes) => Buffer.from(bytes.filter((byte) => byte !== 0x0a && byte !== 0x0d)));
const cuts = fc.array(fc.nat(), { maxLength: 30 });

test('frames that are cut anywhere become the written lines, with long lines joined per stream', (t) => {
  // All pieces but the last have the size that the daemon reads.
  const pieces = fc
    .tuple(fc.array(fc.nat(255), { maxLength: 2 }), withoutNewline)
    .map(([full, last]) => [...full.map((byte) => Buffer.alloc(16_384, byte === 10 ? 0 : byte)), last]);
  fc.assert(
    fc.property(
      fc.array(fc.tuple(pieces, fc.constantFrom(1, 2)), { maxLength: 8 }),
      cuts,
      (lines, places) => {
        const frames = lines.flatMap(([parts, stream], index) =>
          parts.map((part, piece) => {
            const ending = piece === parts.length - 1 ? '\n' : '';
            return frame(stream, Buffer.concat([Buffer.from(`${stamp(index)} `), part, Buffer.from(ending)]));
          }),
        );
        const expected = lines.map(([parts, stream], index) => ({
          time: `${Date.parse(`2026-11-24T05:43:${String(index).padStart(2, '0')}Z`) / 1000}.582209779`,
          stream: stream === 2 ? 'stderr' : 'stdout',
          body: Buffer.concat(parts).toString('latin1'),
        }));
        t.deepEqual(
          split((onLine) => new FrameSplitter(onLine, MAX), Buffer.concat(frames), places),
          expected,
        );
      },
    ),
  );
});

test("a terminal's stream that is cut anywhere becomes its lines without CR LF", (t) => {
  fc.assert(
    fc.property(fc.array(withoutNewline, { maxLength: 8 }), cuts, (bodies, places) => {
      const bytes = Buffer.concat(
        bodies.flatMap((body, index) => [Buffer.from(`${stamp(index)} `), body, Buffer.from('\r\n')]),
      );
      const lines = split((onLine) => new RawSplitter(onLine, MAX), bytes, places);
      t.deepEqual(
        lines.map(({ body }) => body),
        bodies.map((body) => body.toString('latin1')),
      );
    }),
  );
});

test('long lines of two interleaved streams are joined separately', (t) => {
  const bytes = Buffer.concat([
    frame(1, Buffer.from(`${stamp(1)} ${'o'.repeat(16_384)}`)),
    frame(2, Buffer.from(`${stamp(2)} ${'E'.repeat(16_384)}`)),
    frame(1, Buffer.from(`${stamp(3)} end\n`)),
    frame(2, Buffer.from(`${stamp(4)} end\n`)),
  ]);
  const lines = split((onLine) => new FrameSplitter(onLine, MAX), bytes, []);
  t.deepEqual(
    lines.map(({ stream, body }) => [stream, body.replace(/(.)\1+/, '$1-')]),
    [
      ['stdout', 'o-end'],
      ['stderr', 'E-end'],
    ],
  );
});

test('a line that is too long is cut, and the number of bytes is reported', (t) => {
  const seen: number[][] = [];
  const splitter = new FrameSplitter((_time, _stream, _source, start, end, cut) => {
    seen.push([end - start, cut]);
  }, MAX);
  const piece = frame(1, Buffer.from(`${stamp(1)} ${'x'.repeat(16_384)}`));
  for (let count = 0; count < 80; count++) splitter.addChunk(piece);
  t.true(splitter.hasPartialLine);
  splitter.addChunk(frame(1, Buffer.from(`${stamp(1)} end\n`)));
  splitter.addChunk(frame(1, Buffer.from(`${stamp(1)} next\n`)));
  t.deepEqual(seen, [
    [MAX, (16 * MAX) / 64 + 3],
    [4, 0],
  ]);
});

test("a stream that is not in the daemon's format is an error", (t) => {
  const splitter = () => new FrameSplitter(() => {}, MAX);
  t.throws(() => splitter().addChunk(frame(7, Buffer.from('x'))), {
    instanceOf: RangeError,
    message: /stream type 7/,
  });
  t.throws(() => splitter().addChunk(frame(1, Buffer.from('no time\n'))), {
    instanceOf: RangeError,
    message: /time stamp/,
  });
});

test('time stamps are parsed to the nanosecond, as Date parses them', (t) => {
  const date = fc.date({ min: new Date(0), max: new Date('2554-07-21'), noInvalidDate: true });
  fc.assert(
    fc.property(date, fc.nat(999_999), (when, rest) => {
      const text = when.toISOString().replace('Z', `${String(rest).padStart(6, '0')}Z`);
      const into = { seconds: 0, nanos: 0 };
      t.is(readTimestamp(Buffer.from(text), 0, into), TIMESTAMP_LENGTH);
      t.is(into.seconds, Math.floor(when.getTime() / 1000));
      t.is(into.nanos, when.getUTCMilliseconds() * 1_000_000 + rest);
    }),
  );
  const short = { seconds: 0, nanos: 0 };
  t.is(readTimestamp(Buffer.from('2026-11-24T05:43:03.58220977Z '), 0, short), 29);
  t.is(short.nanos, 582_209_770);
  t.is(readTimestamp(Buffer.from('2026-11-24T05:43:03Z'), 0, short), 20);
  t.is(short.nanos, 0);
  t.is(readTimestamp(Buffer.from('2026-11-24'), 0, short), 0);
});

test('a position is parsed as it was formatted, and other text is not a position', (t) => {
  for (const offset of [-1, 0, 12_345]) {
    const position = { seconds: 1_795_000_000, nanos: 5, count: 2, offset, check: offset };
    t.deepEqual(parsePosition(formatPosition(position)), position);
  }
  t.is(parsePosition('garbage'), undefined);
});

test('a last line without a newline is emitted: a short one at once, as no piece follows it', (t) => {
  const seen = (make: (onLine: OnLine) => LineSplitter, ...all: Buffer[]) => {
    const bodies: string[] = [];
    const splitter = make((_time, _stream, source, start, end) =>
      bodies.push(source.toString('latin1', start, end)),
    );
    for (const bytes of all) splitter.addChunk(bytes);
    const before = bodies.length;
    splitter.flush();
    splitter.flush();
    return [before, bodies.map((body) => body.replace(/(.)\1+/, '$1-'))];
  };
  const frames = (onLine: OnLine) => new FrameSplitter(onLine, MAX);
  const last = frame(1, Buffer.from(`${stamp(1)} last of a run`));
  const first = frame(1, Buffer.from(`${stamp(2)} first of the next\n`));
  t.deepEqual(seen(frames, last, first), [2, ['last of a run', 'first of the next']]);
  const full = frame(1, Buffer.from(`${stamp(1)} ${'x'.repeat(16_384)}`));
  t.deepEqual(seen(frames, full), [0, ['x-']]);
  t.deepEqual(
    seen((onLine) => new RawSplitter(onLine, MAX), Buffer.from(`${stamp(1)} two`)),
    [0, ['two']],
  );
});

test("a terminal's long line is joined without the time stamps of its pieces", (t) => {
  const lengths = fc.array(fc.integer({ min: 0, max: 60_000 }), { minLength: 1, maxLength: 3 });
  fc.assert(
    fc.property(lengths, cuts, (sizes, places) => {
      const bodies = sizes.map((size, index) => String(index).repeat(size));
      const bytes = bodies.flatMap((body, index) => {
        const text = `${body}\r\n`;
        const pieces: Buffer[] = [];
        for (let start = 0; start < text.length; start += 16_384) {
          pieces.push(Buffer.from(`${stamp(index)} ${text.slice(start, start + 16_384)}`));
        }
        return pieces;
      });
      t.deepEqual(
        split((onLine) => new RawSplitter(onLine, MAX), Buffer.concat(bytes), places).map(({ body }) => body),
        bodies,
      );
    }),
    { numRuns: 50 },
  );
});
