/** The log of a container through the API, from a daemon whose answers end too early. */
import test, { type ExecutionContext } from 'ava';
import type Docker from 'dockerode';
import fc from 'fast-check';
import { ApiFollower } from '../../collectors/logs/api/follower.ts';
import { startPosition } from '../../collectors/logs/shared/position.ts';
import type { Container, LogLine, LogPosition } from '../../collectors/records/records.ts';
import { fakeDaemon } from '../support/fake-daemon.ts';

interface Entry {
  readonly nanos: number;
  readonly stream: 'stdout' | 'stderr';
  readonly body: string;
}

const SECOND = 1_700_000_000;

function frameOf({ nanos, stream, body }: Entry): Buffer {
  const time = new Date(SECOND * 1000).toISOString().replace('.000Z', `.${String(nanos).padStart(9, '0')}Z`);
  const payload = Buffer.from(`${time} ${body}\n`);
  const header = Buffer.alloc(8);
  header[0] = stream === 'stdout' ? 1 : 2;
  header.writeUInt32BE(payload.length, 4);
  return Buffer.concat([header, payload]);
}

/** Answers with the lines from `since` on, as the daemon does. @param ends after how many lines each answer ends */
async function daemonWith(t: ExecutionContext, log: readonly Entry[], ends: readonly number[]) {
  let answers = 0;
  return fakeDaemon(t, (request, response) => {
    if (request.url === '/_ping') return response.end('OK');
    const query = new URL(request.url!, 'http://daemon').searchParams;
    const [seconds, nanos] = query.get('since')!.split('.').map(Number);
    const until = log.slice(0, ends[answers++] ?? log.length);
    response.writeHead(200);
    const wanted = until.filter((entry) => SECOND > seconds! || entry.nanos >= nanos!);
    response.end(Buffer.concat(wanted.map(frameOf)));
  });
}

async function followed(docker: Docker, position: LogPosition): Promise<string[]> {
  const lines: string[] = [];
  const follower = new ApiFollower({
    docker,
    container: { id: 'c', tty: false, pid: 0 } as Container,
    position,
    onError: (error) => {
      throw error;
    },
    sink: {
      maxLineBytes: 1 << 20,
      wantsFileOffset: false,
      addLine: ({ source, start, end, stream, nanos, ordinal }: LogLine) =>
        void lines.push(`${stream} ${nanos}#${ordinal} ${source.subarray(start, end)}`),
      checkpoint: () => {},
      waitForCapacity: () => undefined,
      flush: () => {},
      finishRecord: () => {},
    },
  });
  await follower.finished;
  return lines;
}

/** Logs as the daemon writes them: each stream in order, and lines behind newer ones of the other stream. */
const logs = fc
  .array(fc.record({ gap: fc.integer({ min: 0, max: 3 }), late: fc.integer({ min: 0, max: 4 }) }), {
    maxLength: 90,
  })
  .map((parts) => {
    let nanos = 1;
    const entries = parts.map(({ gap, late }, index) => {
      nanos += gap;
      const stream = late === 0 ? ('stdout' as const) : ('stderr' as const);
      return { nanos, stream, body: `line ${index}`, place: index + late * 1.5 };
    });
    const places = { stdout: 0, stderr: 0 };
    for (const entry of entries)
      entry.place = places[entry.stream] = Math.max(entry.place, places[entry.stream] + 0.01);
    return entries.sort((a, b) => a.place - b.place);
  });

const bodiesOf = (lines: readonly string[]) => lines.map((line) => line.split(' ').slice(2).join(' '));

test('each line of two interleaved streams is emitted once, wherever the answer ends', async (t) => {
  await fc.assert(
    fc.asyncProperty(logs, fc.nat(90), async (log, end) => {
      const docker = await daemonWith(t, log, [end]);
      const lines = await followed(docker, startPosition());
      t.deepEqual(
        bodiesOf(lines),
        log.map(({ body }) => body),
      );
    }),
    { numRuns: 200 },
  );
});

test('lines that an earlier agent emitted are skipped, in the second answer too', async (t) => {
  const log: Entry[] = [1, 2, 2, 2, 5].map((nanos, index) => ({
    nanos,
    stream: 'stdout',
    body: `line ${index}`,
  }));
  const docker = await daemonWith(t, log, []);
  const position = { ...startPosition(), seconds: SECOND, nanos: 2, count: 2 };
  t.deepEqual(await followed(docker, position), ['stdout 2#2 line 3', 'stdout 5#0 line 4']);
  t.like(position, { nanos: 5, count: 1 });
});

test('an older line behind a newer one does not move the position back', async (t) => {
  const log: Entry[] = [
    { nanos: 1, stream: 'stdout', body: 'first' },
    { nanos: 3, stream: 'stdout', body: 'third' },
    { nanos: 2, stream: 'stderr', body: 'second' },
  ];
  const docker = await daemonWith(t, log, []);
  const position = startPosition();
  t.deepEqual(bodiesOf(await followed(docker, position)), ['first', 'third', 'second']);
  t.like(position, { nanos: 3, count: 1 });
});
