/** Log files as the json-file driver writes them, against a model of the lines that must be emitted. */

import {
  appendFileSync,
  existsSync,
  openSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import test, { type ExecutionContext } from 'ava';
import fc from 'fast-check';
import { JsonFileEntry } from '../../collectors/logs/files/entry.ts';
import { FileTail, type FileTailOptions } from '../../collectors/logs/files/tail.ts';
import { startPosition } from '../../collectors/logs/shared/position.ts';
import type { IoStream, LogLine, LogPosition } from '../../collectors/records/records.ts';
import { temporaryDirectory } from '../support/temporary.ts';
import { waitFor } from '../support/wait.ts';

const CHUNK = Buffer.alloc(64 * 1024);

/** As Go's encoder writes a string: control characters, quotes, and HTML's special characters are escaped. */
const goString = (text: string): string =>
  JSON.stringify(text).replaceAll(
    /[<>&\u2028\u2029]/g,
    (special) => `\\u${special.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );

/** RFC 3339 with as many fractional digits as needed, as Go writes it. */
const goTime = (nanos: bigint): string => {
  const fraction = String(nanos % 1_000_000_000n)
    .padStart(9, '0')
    .replace(/0+$/, '');
  const whole = new Date(Number(nanos / 1_000_000n)).toISOString().slice(0, 19);
  return `${whole}${fraction === '' ? '' : `.${fraction}`}Z`;
};

const entryOf = (text: string, stream: IoStream, nanos: bigint, attributes = ''): string =>
  `{"log":${goString(text)},"stream":"${stream}"${attributes},"time":"${goTime(nanos)}"}\n`;

test('entries are parsed as they were written, whatever is escaped in them', (t) => {
  const entry = new JsonFileEntry();
  const texts = fc.oneof(
    fc.string({ unit: 'binary', maxLength: 200 }),
    fc.string({
      unit: fc.constantFrom('\\', '"', '\n', 'n', '\u001b', '<', '\u2028', 'ü', '😀'),
      maxLength: 40,
    }),
    fc.json({ maxDepth: 2 }),
  );
  const times = fc.bigInt({ min: 0n, max: 4_000_000_000_000_000_000n });
  fc.assert(
    fc.property(
      texts,
      fc.boolean(),
      fc.constantFrom('stdout' as const, 'stderr' as const),
      times,
      fc.boolean(),
      (text, whole, stream, nanos, hasAttributes) => {
        const attributes = hasAttributes ? ',"attrs":{"time":"\\"time\\":\\"x"}' : '';
        const written = entryOf(whole ? `${text}\n` : text, stream, nanos, attributes);
        const bytes = Buffer.from(`garbage${written}more`);
        const start = 'garbage'.length;
        t.true(entry.parse(bytes, start, start + Buffer.byteLength(written) - 1), written);
        const expected = whole || !text.endsWith('\n') ? text : text.slice(0, -1);
        t.is(entry.source.toString('utf8', entry.start, entry.end), Buffer.from(expected).toString());
        t.is(entry.endsLine, whole || text.endsWith('\n'));
        t.is(entry.stream, stream);
        t.is(BigInt(entry.time.seconds) * 1_000_000_000n + BigInt(entry.time.nanos), nanos);
      },
    ),
    { numRuns: 20_000 },
  );
});

test('no bytes are an error for the parser', (t) => {
  const entry = new JsonFileEntry();
  const valid = entryOf('some "text"\n', 'stdout', 1_700_000_000_000_000_000n);
  fc.assert(
    fc.property(
      fc.nat(valid.length),
      fc.nat(valid.length),
      fc.uint8Array({ maxLength: 8 }),
      (from, to, bytes) => {
        const spoilt = Buffer.concat([
          Buffer.from(valid.slice(0, from)),
          bytes,
          Buffer.from(valid.slice(to)),
        ]);
        t.notThrows(() => entry.parse(spoilt, 0, spoilt.length));
      },
    ),
    { numRuns: 100_000 },
  );
});

test('a lone surrogate becomes U+FFFD, a pair one character', (t) => {
  const entry = new JsonFileEntry();
  const read = (escaped: string) => {
    const bytes = Buffer.from(`{"log":"${escaped}\\n","stream":"stdout","time":"2026-11-24T05:43:00Z"}`);
    t.true(entry.parse(bytes, 0, bytes.length));
    return entry.source.toString('utf8', entry.start, entry.end);
  };
  t.is(read('\\ud83d\\ude00'), '😀');
  t.is(read('\\ud83dx'), '\ufffdx');
  t.is(read('a\\u0000b'), 'a\0b');
});

/** What this process has open, as the kernel names it. */
const openFiles = (): string[] =>
  readdirSync('/proc/self/fd').flatMap((descriptor) => {
    try {
      return [readlinkSync(`/proc/self/fd/${descriptor}`)];
    } catch {
      return [];
    }
  });

/** A log that is written and read, and the lines that were emitted. */
class Host {
  readonly path: string;
  /** Lines in order; the key is what the uid is made from. */
  readonly lines: { text: string; key: string; stream: string; cut: number; malformed: boolean }[] = [];
  position: LogPosition = startPosition();
  truncated = 0;
  readonly errors: string[] = [];
  tail: FileTail | undefined;
  private nanos = 1_700_000_000_000_000_000n;
  private readonly sink = {
    maxLineBytes: 1024 * 1024,
    wantsFileOffset: false,
    addLine: (line: LogLine) => {
      this.lines.push({
        text: line.source.toString(line.utf8 ? 'utf8' : 'latin1', line.start, line.end),
        key: `${line.seconds}.${line.nanos}#${line.ordinal}`,
        stream: line.stream,
        cut: line.cut,
        malformed: line.malformed,
      });
    },
    checkpoint: () => {},
    waitForCapacity: () => undefined,
    flush() {},
    finishRecord: () => {},
  };

  constructor(t: ExecutionContext) {
    const directory = temporaryDirectory(t);
    this.path = join(directory, 'id-json.log');
    t.teardown(() => {
      this.tail?.close();
      rmSync(directory, { recursive: true });
    });
  }

  write(text: string, stream: IoStream = 'stdout', step = 1n): void {
    this.nanos += step;
    appendFileSync(this.path, entryOf(text, stream, this.nanos));
  }

  raw(bytes: string | Buffer): void {
    appendFileSync(this.path, bytes);
  }

  /** Rotates as the driver does: renames each file to the next name, and compresses the first. */
  rotate(files: number, compress: boolean): void {
    const name = (age: number) => (age === 0 ? this.path : `${this.path}.${age}`);
    for (let age = files - 1; age > 0; age--) {
      for (const suffix of ['', '.gz']) {
        const from = name(age - 1) + suffix;
        if (existsSync(from)) renameSync(from, name(age) + suffix);
      }
    }
    writeFileSync(this.path, '');
    if (compress && existsSync(name(1))) {
      writeFileSync(`${name(1)}.gz`, gzipSync(readFileSync(name(1))));
      rmSync(name(1));
    }
  }

  open(fromEnd = false, more: Partial<FileTailOptions> = {}): void {
    this.tail = new FileTail({
      path: this.path,
      sink: this.sink,
      position: this.position,
      fromEnd,
      tty: false,
      maxFileBytes: 0,
      nameCheckMs: 0,
      onError: (error) => this.errors.push(String(error)),
      onTruncated: () => this.truncated++,
      ...more,
    });
  }

  /** Reads until there is nothing more, checks of the name included. */
  async drain(): Promise<void> {
    await this.tail!.opened;
    let isFinished = false;
    void this.tail!.finished.then(() => {
      isFinished = true;
    });
    await undefined;
    for (let idle = 0; idle < 12; ) {
      // A compressed file is being unpacked.
      const isWaiting = !isFinished && this.tail!.isWaiting;
      idle = this.tail!.readPiece(CHUNK) || isWaiting ? 0 : idle + 1;
      await new Promise((resolve) => setImmediate(resolve));
    }
  }

  /** As after kill -9: only a position is left, perhaps an old one. */
  restart(kept: LogPosition): void {
    this.tail?.close();
    this.position = { ...kept };
    this.open();
  }

  get texts(): string[] {
    return this.lines.map(({ text }) => text);
  }
}

test('writing, rotation, compression and kills in any order: each line is emitted, with one uid', async (t) => {
  const action = fc.oneof(
    {
      weight: 6,
      arbitrary: fc.record({
        do: fc.constant('write' as const),
        lines: fc.integer({ min: 1, max: 4 }),
        same: fc.boolean(),
      }),
    },
    { weight: 2, arbitrary: fc.record({ do: fc.constant('piece' as const) }) },
    { weight: 2, arbitrary: fc.record({ do: fc.constant('drain' as const) }) },
    { weight: 1, arbitrary: fc.record({ do: fc.constant('rotate' as const), compress: fc.boolean() }) },
    { weight: 1, arbitrary: fc.record({ do: fc.constant('kill' as const), keep: fc.boolean() }) },
  );
  await fc.assert(
    fc.asyncProperty(fc.array(action, { maxLength: 25 }), async (actions) => {
      const host = new Host(t);
      const expected: string[] = [];
      let kept: LogPosition = { ...host.position };
      let count = 0;
      const write = (text: string, step: bigint) => {
        host.write(`${text}\n`, count % 3 ? 'stdout' : 'stderr', step);
        expected.push(text);
      };
      writeFileSync(host.path, '');
      host.open();
      for (const step of actions) {
        switch (step.do) {
          case 'write':
            for (let line = 0; line < step.lines; line++)
              write(`line ${count++}`, step.same && line > 0 ? 0n : 1n);
            break;
          case 'piece': {
            // A long line in two pieces, with a line of the other stream between them.
            const text = `${count++} `.padEnd(16 * 1024, 'x');
            host.write(text, 'stdout');
            host.write(`between ${count}\n`, 'stderr');
            host.write(`end ${count}\n`, 'stdout');
            expected.push(`between ${count}`, `${text}end ${count}`);
            break;
          }
          case 'drain':
            await host.drain();
            kept = { ...host.position };
            break;
          case 'rotate':
            host.rotate(30, step.compress);
            break;
          case 'kill':
            await host.drain();
            if (step.keep) kept = { ...host.position };
            host.restart(kept);
            break;
        }
      }
      await host.drain();
      const short = (text: string) => text.replace(/x+/, 'x');
      t.deepEqual(
        [...new Set(host.texts.map(short))].sort(),
        expected.map(short).sort(),
        JSON.stringify(actions),
      );
      const byKey = new Map(host.lines.map(({ key, text }) => [key, text]));
      t.is(
        byKey.size,
        expected.length,
        `a line has one uid, and no other line has it: ${JSON.stringify(actions)} ${JSON.stringify(host.lines.map(({ key, text }) => [key.slice(-8), short(text)]))}`,
      );
      t.is(host.truncated, 0);
      t.deepEqual(host.errors, []);
      host.tail!.close();
    }),
    { numRuns: 1000 },
  );
});

test('a file that was emptied and has grown past the position is read from its start', async (t) => {
  const host = new Host(t);
  for (let line = 10; line < 30; line++) host.write(`line ${line}\n`);
  host.open();
  await host.drain();
  truncateSync(host.path);
  for (let line = 30; line < 70; line++) host.write(`line ${line}\n`);
  await host.drain();
  t.deepEqual(
    host.texts,
    Array.from({ length: 60 }, (_, index) => `line ${index + 10}`),
  );
  t.is(host.truncated, 1);
});

test('files that are renamed while they are opened are read before the one that was opened early', async (t) => {
  const host = new Host(t);
  for (let line = 0; line < 10; line++) host.write(`line ${line}\n`);
  host.open();
  await host.drain();
  for (let line = 10; line < 20; line++) host.write(`line ${line}\n`);
  host.rotate(5, true);
  host.write('line 20\n');
  host.tail!.close();
  host.position = { ...host.position };
  host.open(false, { earlyDescriptor: openSync(host.path, 'r') });
  // The search for the position unpacks the compressed file, which is not done at once.
  host.rotate(5, true);
  host.write('line 21\n');
  await host.drain();
  t.deepEqual(
    host.texts,
    Array.from({ length: 22 }, (_, index) => `line ${index}`),
  );
});

test('a damaged compressed file is read as far as it can be unpacked, and the next files are read', async (t) => {
  const host = new Host(t);
  for (let line = 0; line < 2000; line++) host.write(`line ${line} ${Math.random()}\n`);
  host.rotate(5, true);
  const packed = readFileSync(`${host.path}.1.gz`);
  writeFileSync(`${host.path}.1.gz`, packed.subarray(0, packed.length / 2));
  host.write('after\n');
  host.open();
  await host.drain();
  t.true(host.texts.length > 100);
  t.is(host.texts[0]!.slice(0, 7), 'line 0 ');
  t.is(host.texts.at(-1), 'after');
  t.is(host.errors.length, 1);
});

test('the name of a full file is checked at once, however quiet the log is', async (t) => {
  const host = new Host(t);
  host.open(false, { nameCheckMs: 60_000, maxFileBytes: 100 });
  host.write('one, long enough to be full\n');
  host.write('two, long enough to be full\n');
  await host.drain();
  host.rotate(5, false);
  host.write('three\n');
  await host.drain();
  t.is(host.texts.at(-1), 'three');
});

test('a clock that was set back after a long line, and equal times that are not consecutive, repeat no uid', async (t) => {
  const host = new Host(t);
  host.write('x'.repeat(16 * 1024));
  host.write('end of a long line\n');
  host.open();
  await host.drain();
  host.restart(host.position);
  host.write('an hour before\n', 'stdout', -3_600_000_000_000n);
  host.write('then again\n', 'stdout', 1n);
  host.write('back\n', 'stdout', -1n);
  await host.drain();
  t.deepEqual(host.texts.slice(1), ['an hour before', 'then again', 'back']);
  t.is(new Set(host.lines.map(({ key }) => key)).size, 4);
});

test('a byte that is not UTF-8 does not affect the lines around it', async (t) => {
  const host = new Host(t);
  host.write('grüße\n');
  host.raw(
    Buffer.concat([
      Buffer.from('{"log":"'),
      Buffer.from([0xff]),
      Buffer.from('\\n","stream":"stdout","time":"2026-11-24T05:43:00Z"}\n'),
    ]),
  );
  host.write('grüße\n');
  host.open();
  await host.drain();
  t.deepEqual(host.texts, ['grüße', 'ÿ', 'grüße']);
});

test('an emptied file is read from its start, and reported', async (t) => {
  const host = new Host(t);
  for (const text of ['one', 'two', 'three']) host.write(`${text}\n`);
  host.open();
  await host.drain();
  truncateSync(host.path);
  host.write('four\n');
  await host.drain();
  t.deepEqual(host.texts, ['one', 'two', 'three', 'four']);
  t.is(host.truncated, 1);
});

test('a file that was deleted or replaced is read to its end', async (t) => {
  const host = new Host(t);
  host.write('one\n');
  host.open();
  await host.drain();
  host.write('two\n');
  rmSync(host.path);
  await host.drain();
  host.write('three\n');
  await host.drain();
  t.deepEqual(host.texts, ['one', 'two', 'three']);
  t.regex(host.errors.join(), /was rotated away while it was read/);
});

test('bytes that are not an entry are emitted as they are, marked as malformed, each with its own uid', async (t) => {
  const host = new Host(t);
  host.write('one\n');
  host.raw('{"log":"torn when the daemon crashed');
  host.write('two\n');
  host.raw('not JSON at all\n');
  host.raw(Buffer.from([0, 0, 0, 0xff, 0x0a]));
  host.raw(`${'y'.repeat(200_000)}\n`);
  host.write('three\n');
  host.raw('{"log":"half');
  host.open();
  await host.drain();
  host.tail!.containerEnded(true);
  await host.drain();
  await host.tail!.finished;
  const emitted = host.lines.map(({ text, malformed }) => [malformed, text.replaceAll(/y+/g, 'y')]);
  t.deepEqual(
    emitted.filter(([, text]) => text !== 'y'),
    [
      [false, 'one'],
      [true, '{"log":"torn when the daemon crashed'],
      [false, 'two'],
      [true, 'not JSON at all'],
      [true, '\0\0\0ÿ'],
      [false, 'three'],
      [true, '{"log":"half'],
    ],
  );
  const long = host.lines.filter(({ text }) => text.startsWith('y')).map(({ text }) => text.length);
  t.is(
    long.reduce((sum, size) => sum + size, 0),
    200_000,
  );
  t.is(new Set(host.lines.map(({ key }) => key)).size, host.lines.length);
});

test('a tail opens a file that is created late, switches files at a rotation, and closes at the end', async (t) => {
  const host = new Host(t);
  host.open();
  t.is(host.tail!.state, 'opening');
  await host.tail!.opened;
  t.is(host.tail!.state, 'missing');
  host.write('one\n');
  await host.drain();
  t.is(host.tail!.state, 'reading');
  host.rotate(5, false);
  host.write('two\n');
  while (host.tail!.readPiece(CHUNK));
  t.is(host.tail!.state, 'switching');
  await host.drain();
  t.is(host.tail!.state, 'reading');
  host.tail!.containerEnded(false);
  await host.drain();
  t.is(host.tail!.state, 'closed');
  t.deepEqual(host.texts, ['one', 'two']);
});

// Serial, because other tests unpack files in the same process.
test.serial(
  'a tail that is closed while it opens a compressed file leaves no file open, and emits nothing',
  async (t) => {
    const host = new Host(t);
    for (let line = 0; line < 100; line++) host.write(`line ${line}\n`);
    host.rotate(5, true);
    const isOpen = () => openFiles().some((name) => /portlight-[\w-]+\.log/.test(name));
    host.open();
    await waitFor('the unpacked file', isOpen);
    host.tail!.close();
    await host.tail!.opened;
    t.is(host.tail!.state, 'closed');
    t.false(isOpen());
    t.false(host.tail!.readPiece(CHUNK));
    t.deepEqual(host.texts, []);
  },
);

test('a last piece without a newline is a line when the container has ended', async (t) => {
  const host = new Host(t);
  host.write('x'.repeat(16 * 1024));
  host.write('no newline');
  host.write('y'.repeat(16 * 1024));
  host.open();
  await host.drain();
  t.deepEqual(host.texts, [`${'x'.repeat(16 * 1024)}no newline`]);
  host.tail!.containerEnded(false);
  await host.drain();
  await host.tail!.finished;
  t.is(host.texts[1], 'y'.repeat(16 * 1024));
});

test('a log that is read from its end: only new lines, also after a kill before the first line', async (t) => {
  const host = new Host(t);
  host.write('before\n');
  host.open(true);
  await host.drain();
  host.write('after\n');
  host.restart(host.position);
  await host.drain();
  t.deepEqual(host.texts, ['after']);
});

test('a line of 100 MB takes no more memory than max_line', async (t) => {
  const host = new Host(t);
  const piece = entryOf('x'.repeat(16 * 1024), 'stdout', 1_700_000_000_000_000_000n);
  for (let block = 0; block < 64; block++) host.raw(piece.repeat(100));
  host.write('end\n');
  host.write('next\n');
  host.open();
  await host.drain();
  t.deepEqual(
    host.lines.map(({ text, cut }) => [text.length, cut]),
    [
      [1024 * 1024, 6400 * 16 * 1024 + 3 - 1024 * 1024],
      [4, 0],
    ],
  );
});

test('a line that is too long is cut, and the next is complete', async (t) => {
  const host = new Host(t);
  const pieces = 80;
  for (let piece = 0; piece < pieces; piece++) host.write('x'.repeat(16 * 1024));
  host.write('end\n');
  host.write('next\n');
  host.open();
  await host.drain();
  t.is(host.lines[0]!.text.length, 1024 * 1024);
  t.is(host.lines[0]!.cut, (pieces - 64) * 16 * 1024 + 3);
  t.is(host.lines[1]!.text, 'next');
});

test('a clock that was set back loses and repeats no line', async (t) => {
  const host = new Host(t);
  host.write('one\n');
  host.write('two\n', 'stdout', -3_600_000_000_000n);
  host.open();
  await host.drain();
  host.write('three\n', 'stdout', -60_000_000_000n);
  host.restart(host.position);
  await host.drain();
  t.deepEqual(host.texts, ['one', 'two', 'three']);
});
