/** Every line once: real containers with rotation, restarts and removal, and an agent that is killed. */
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import test, { type ExecutionContext } from 'ava';
import { spawnAgent } from '../support/agent.ts';
import {
  docker,
  ensureImage,
  FLOOD,
  IMAGE,
  LABEL,
  pause,
  runContainer,
  uniqueName,
} from '../support/docker.ts';
import { numbered, linesOf as recordsOf } from '../support/logs.ts';
import { Receiver } from '../support/receiver.ts';
import { temporaryDirectory } from '../support/temporary.ts';
import { waitFor } from '../support/wait.ts';

test.before(ensureImage);

interface Received {
  body: string;
  uid: string;
  stream: string;
}

// Serial: on a busy machine, a container can be gone before the daemon reports it.

/** The log records of a container, in the order they came. */
const linesOf = (receiver: Receiver, name: string): Received[] =>
  recordsOf(receiver, name).map(({ body, attributes }) => ({
    body: String(body),
    uid: String(attributes['log.record.uid']),
    stream: String(attributes['log.iostream']),
  }));

/** The bodies without records whose uid came before. */
function withoutRepeats(lines: readonly Received[]): string[] {
  const byUid = new Map<string, string>();
  for (const { uid, body } of lines) if (!byUid.has(uid)) byUid.set(uid, body);
  return [...byUid.values()];
}

/** A script that writes numbered lines in bursts, with pauses between them. */
const writing = (count: number, burst: number, pause: string) =>
  `i=0; while [ $i -lt ${count} ]; do i=$((i+1)); echo "line $i"; [ $((i % ${burst})) -eq 0 ] && sleep ${pause}; done; exec sleep 600`;

const observe = async (t: ExecutionContext, variables: Record<string, string> = {}) => {
  const receiver = await Receiver.start();
  t.teardown(() => receiver.stop());
  const dataDirectory = temporaryDirectory(t);
  const start = () =>
    spawnAgent(t, {
      variables: {
        OTEL_EXPORTER_OTLP_ENDPOINT: receiver.endpoint('http'),
        PORTLIGHT_METRICS_DISABLE: 'cpu,memory,network,host,state,pids,disk,filesystem,daemon',
        PORTLIGHT_CONTAINERS_EXCLUDE: '',
        ...variables,
      },
      dataDirectory,
    });
  return { receiver, start };
};

test.serial(
  '50 containers with rotation and pauses, and an agent that is killed 20 times: every line, once',
  async (t) => {
    const { receiver, start } = await observe(t);
    let agent = await start();
    const LINES = 4000;
    const RATES = [
      [400, '0.2'],
      [100, '0.1'],
      [1000, '1'],
      [4000, '0'],
    ] as const;
    const names: string[] = [];
    const containers = await Promise.all(
      Array.from({ length: 50 }, async (_, index) => {
        const [burst, pause] = RATES[index % RATES.length]!;
        const name = uniqueName('soak');
        names.push(name);
        return runContainer(t, {
          name,
          script: writing(LINES, burst, pause),
          labels: { [FLOOD]: '1' },
          host: {
            LogConfig: {
              Type: 'json-file',
              Config: { 'max-size': '100k', 'max-file': '20', ...(index % 2 === 0 && { compress: 'true' }) },
            },
          },
        });
      }),
    );
    const kills = (async () => {
      for (let kill = 0; kill < 20; kill++) {
        await sleep(100 + Math.random() * 900);
        agent.kill('SIGKILL');
        await agent.exit;
        agent = await start();
      }
    })();
    // Paused containers wait. A restart would begin the numbers again.
    for (const container of containers.slice(0, 8)) {
      await pause(container);
      await sleep(50);
      await container.unpause();
    }
    await kills;
    for (const name of names) {
      await waitFor(
        `the last line of ${name}`,
        () => linesOf(receiver, name).some(({ body }) => body === `line ${LINES}`),
        120_000,
      );
    }
    await sleep(1000);
    let repeats = 0;
    for (const name of names) {
      const lines = linesOf(receiver, name);
      const unique = withoutRepeats(lines);
      repeats += lines.length - unique.length;
      const wrong = unique.findIndex((body, index) => body !== `line ${index + 1}`);
      const uids = lines.filter(({ body }) => body === unique[wrong]).map(({ uid }) => uid);
      t.is(wrong, -1, `${name}: ${unique[wrong]} instead of line ${wrong + 1}; ${uids.join(' and ')}`);
      t.is(unique.length, LINES, name);
    }
    t.log(`${repeats} repeats in ${names.length * LINES} lines after 20 kills`);
  },
);

test.serial('a container that is removed while it writes: no gap up to the last line', async (t) => {
  const { receiver, start } = await observe(t);
  await start();
  const names: string[] = [];
  for (let count = 0; count < 8; count++) {
    const name = uniqueName('removed');
    names.push(name);
    const container = await runContainer(t, { name, script: writing(1e6, 50, '0.01') });
    await sleep(300);
    await container.remove({ force: true });
  }
  await sleep(1500);
  for (const name of names) {
    const bodies = linesOf(receiver, name).map(({ body }) => body);
    t.true(bodies.length > 50, `${bodies.length} lines`);
    t.deepEqual(bodies, numbered(bodies.length));
  }
});

test.serial('short-lived containers with --rm lose no line', async (t) => {
  const { receiver, start } = await observe(t);
  await start();
  const COUNT = Number(process.env.PORTLIGHT_TEST_SHORT_LIVES ?? 100);
  const names: string[] = [];
  const runOne = async () => {
    while (names.length < COUNT) {
      const name = uniqueName('brief');
      names.push(name);
      const container = await docker.createContainer({
        name,
        Image: IMAGE,
        Labels: { [LABEL]: '1', [FLOOD]: '1' },
        Cmd: ['sh', '-c', 'for i in 1 2 3 4 5 6 7 8 9 10; do echo "line $i"; done'],
        HostConfig: { AutoRemove: true },
      });
      const gone = container.wait({ condition: 'removed' });
      await container.start();
      await gone;
    }
  };
  await Promise.all(Array.from({ length: 4 }, runOne));
  await sleep(1500);
  const incomplete = names
    .map((name) => `${name}: ${linesOf(receiver, name).length}`)
    .filter((count) => !count.endsWith(': 10'));
  t.deepEqual(incomplete, [], `${incomplete.length} of ${names.length} are incomplete`);
  for (const name of names)
    t.deepEqual(
      linesOf(receiver, name).map(({ body }) => body),
      numbered(10),
    );
});

test.serial(
  'each log driver is read: json-file, local, and the cache of others; long lines are cut',
  async (t) => {
    const { receiver, start } = await observe(t);
    await start();
    const script = 'for i in 1 2 3; do echo "line $i"; done; echo oops >&2; printf "no newline"; sleep 1';
    const drivers = ['json-file', 'local', 'syslog'] as const;
    // The daemon does not cache a line that its driver could not send.
    const syslog = createSocket('udp4').bind(0, '127.0.0.1');
    t.teardown(() => syslog.close());
    await once(syslog, 'listening');
    const names = new Map<string, string>();
    for (const driver of drivers) {
      const name = uniqueName(`driver-${driver}`);
      names.set(driver, name);
      const options =
        driver === 'syslog' ? { 'syslog-address': `udp://127.0.0.1:${syslog.address().port}` } : {};
      await runContainer(t, { name, script, host: { LogConfig: { Type: driver, Config: options } } });
    }
    for (const [driver, name] of names) {
      await waitFor(`all of ${driver}`, () => linesOf(receiver, name).length >= 5);
      const lines = linesOf(receiver, name);
      t.deepEqual(
        lines.filter(({ stream }) => stream === 'stdout').map(({ body }) => body),
        [...numbered(3), 'no newline'],
        driver,
      );
      t.deepEqual(
        lines.filter(({ stream }) => stream === 'stderr').map(({ body }) => body),
        ['oops'],
        driver,
      );
    }
    const long = uniqueName('long');
    await runContainer(t, {
      name: long,
      script: 'head -c 3000000 /dev/zero | tr "\\0" x; echo; echo next; exec sleep 600',
    });
    await waitFor('what follows a long line', () => linesOf(receiver, long).length === 2);
    const [first, second] = recordsOf(receiver, long);
    t.is(String(first!.body).length, 1024 * 1024);
    t.is(first!.attributes['portlight.log.truncated_bytes'], 3_000_000 - 1024 * 1024);
    t.is(second!.body, 'next');
  },
);

test.serial('a driver that stores no logs: new lines arrive by attaching', async (t) => {
  const { receiver, start } = await observe(t);
  await start();
  const name = uniqueName('none');
  const container = await runContainer(t, {
    name,
    script: 'sleep 2; for i in 1 2 3; do echo "line $i"; sleep 0.1; done; printf "no newline"; sleep 0.5',
    host: { LogConfig: { Type: 'none', Config: {} } },
  });
  const all = [...numbered(3), 'no newline'];
  const bodies = () => linesOf(receiver, name).map(({ body }) => body);
  await waitFor('all lines', () => bodies().length === 4);
  t.deepEqual(bodies(), all);
  await container.start();
  await waitFor('lines of another run', () => bodies().length === 8);
  t.deepEqual(bodies(), [...all, ...all]);
});

test.serial('labels configure logs: not read, stack traces joined, JSON parsed', async (t) => {
  const { receiver, start } = await observe(t);
  await start();
  const quiet = uniqueName('quiet');
  const java = uniqueName('java');
  const json = uniqueName('json');
  await runContainer(t, {
    name: quiet,
    script: 'echo hidden; exec sleep 600',
    labels: { 'portlight.logs': 'false' },
  });
  await runContainer(t, {
    name: java,
    script:
      'printf "ERROR failed\\njava.lang.Error: no\\n\\tat a.B.c(B.java:7)\\n"; sleep 0.3; echo "INFO next"; exec sleep 600',
    labels: { 'portlight.logs.multiline': 'java' },
  });
  await runContainer(t, {
    name: json,
    script: `echo '{"level":"warn","msg":"low","free":7}'; exec sleep 600`,
  });
  await waitFor('both records', () => linesOf(receiver, java).length === 2);
  t.deepEqual(
    linesOf(receiver, java).map(({ body }) => body),
    ['ERROR failed\njava.lang.Error: no\n\tat a.B.c(B.java:7)', 'INFO next'],
  );
  await waitFor('the parsed line', () => linesOf(receiver, json).length === 1);
  const [parsed] = recordsOf(receiver, json);
  t.is(parsed!.body, 'low');
  t.is(parsed!.severityNumber, 13);
  t.is(parsed!.attributes.free, 7);
  t.deepEqual(linesOf(receiver, quiet), []);
});

test.serial(
  'lines that a container wrote before the agent first ran, and while it was down, arrive',
  async (t) => {
    const { receiver, start } = await observe(t);
    const name = uniqueName('before');
    const container = await runContainer(t, { name, script: 'echo "line 1"; exec sleep 600' });
    await waitFor('its line', async () => (await container.logs({ stdout: true })).length > 0);
    await container.stop({ t: 0 });
    const first = await start();
    const count = () => withoutRepeats(linesOf(receiver, name)).length;
    await waitFor('the line of a container that had ended', () => count() === 1);
    await sleep(700);
    first.kill('SIGKILL');
    await first.exit;
    await container.start();
    await sleep(500);
    await container.stop({ t: 0 });
    await start();
    await waitFor('the line of the time between', () => count() === 2);
    await container.start();
    await waitFor('the line of another run', () => count() === 3);
    t.pass();
  },
);
