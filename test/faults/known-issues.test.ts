/** Faults that users of other log agents report. None of them may happen here. */
import { setTimeout as sleep } from 'node:timers/promises';
import test, { type ExecutionContext } from 'ava';
import { spawnAgent } from '../support/agent.ts';
import { daemonProxy } from '../support/daemon-proxy.ts';
import { docker, ensureImage, runContainer, uniqueName } from '../support/docker.ts';
import { bodiesOf, linesOf, numbered } from '../support/logs.ts';
import { Receiver } from '../support/receiver.ts';
import { temporaryDirectory } from '../support/temporary.ts';
import { waitFor } from '../support/wait.ts';

test.before(ensureImage);

async function observe(t: ExecutionContext, variables: Record<string, string> = {}) {
  const receiver = await Receiver.start();
  t.teardown(() => receiver.stop());
  const dataDirectory = temporaryDirectory(t);
  const start = () =>
    spawnAgent(t, {
      variables: { OTEL_EXPORTER_OTLP_ENDPOINT: receiver.endpoint('http'), ...variables },
      dataDirectory,
    });
  return { receiver, start };
}

/** A script that writes the number of its container's run. */
const RUNS =
  'n=$(cat /n 2> /dev/null || echo 0); n=$((n+1)); echo $n > /n; echo "line $n"; sleep 1.5; echo "late $n"; exec sleep 600';

for (const driver of ['json-file', 'local']) {
  test(`${driver}: logs continue after a restart (loki#5259), and none are sent again (loki#7103, agent#6200, alloy#7026)`, async (t) => {
    const { receiver, start } = await observe(t);
    const agent = await start();
    const name = uniqueName('restarted');
    const container = await runContainer(t, {
      name,
      script: RUNS,
      host: { LogConfig: { Type: driver, Config: {} } },
    });
    for (let run = 1; run <= 4; run++) {
      await waitFor(`run ${run}`, () => bodiesOf(receiver, name).includes(`late ${run}`));
      if (run % 2 === 0) await container.restart({ t: 0 });
      else {
        await container.stop({ t: 0 });
        await sleep(300);
        await container.start();
      }
    }
    await waitFor('the last run', () => bodiesOf(receiver, name).includes('late 5'));
    agent.kill('SIGTERM');
    await agent.exit;
    await container.stop({ t: 0 });
    await start();
    await sleep(1500);
    await container.start();
    await waitFor('a run after all that', () => bodiesOf(receiver, name).includes('late 6'));
    t.deepEqual(
      bodiesOf(receiver, name),
      numbered(6).flatMap((line) => [line, line.replace('line', 'late')]),
    );
  });
}

test('lines from before the agent started, and from while it was down, arrive (vector#7358, vector#20121)', async (t) => {
  const { receiver, start } = await observe(t);
  const name = uniqueName('down');
  await runContainer(t, {
    name,
    script: 'i=0; while [ $i -lt 200 ]; do i=$((i+1)); echo "line $i"; sleep 0.02; done; exec sleep 600',
  });
  await sleep(500);
  const first = await start();
  await waitFor('some', () => bodiesOf(receiver, name).length > 50);
  first.kill('SIGTERM');
  await first.exit;
  await sleep(1000);
  await start();
  await waitFor('the last', () => bodiesOf(receiver, name).includes('line 200'));
  t.deepEqual(bodiesOf(receiver, name), numbered(200));
});

test('a log stream that breaks repeats and loses no line (vector#26023)', async (t) => {
  const { host, cut } = await daemonProxy(t, process.env.DOCKER_HOST!);
  const { receiver, start } = await observe(t, { DOCKER_HOST: host });
  await start();
  const names = new Map<string, string>();
  for (const driver of ['local', 'json-file']) {
    const name = uniqueName(`broken-${driver}`);
    names.set(driver, name);
    await runContainer(t, {
      name,
      script: 'i=0; while [ $i -lt 400 ]; do i=$((i+1)); echo "line $i"; sleep 0.01; done; exec sleep 600',
      host: { LogConfig: { Type: driver, Config: {} } },
    });
  }
  for (let time = 0; time < 5; time++) {
    await sleep(600);
    cut();
  }
  for (const [driver, name] of names) {
    await waitFor(`the last line of ${driver}`, () => bodiesOf(receiver, name).includes('line 400'));
    t.deepEqual(bodiesOf(receiver, name), numbered(400), driver);
  }
});

test('lines of two interleaved streams arrive in the order of their times (vector#17747)', async (t) => {
  const { receiver, start } = await observe(t);
  await start();
  const name = uniqueName('streams');
  await runContainer(t, {
    name,
    script:
      'i=0; while [ $i -lt 300 ]; do i=$((i+1)); if [ $((i % 2)) -eq 0 ]; then echo "line $i" >&2; else echo "line $i"; fi; done; exec sleep 600',
  });
  await waitFor('all', () => bodiesOf(receiver, name).length === 300);
  const lines = linesOf(receiver, name);
  const written = (await docker.getContainer(name).logs({ stdout: true, stderr: true, timestamps: true }))
    .toString('latin1')
    .match(/line \d+/g);
  t.deepEqual(
    lines.map(({ body }) => body),
    written,
  );
});
