/** `npm start`. */
import { type ChildProcess, spawn } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { temporaryDirectory } from '../support/temporary.ts';
import { waitFor } from '../support/wait.ts';

const root = join(import.meta.dirname, '../..');

interface Started {
  readonly child: ChildProcess;
  output(): string;
  readonly code: Promise<number | null>;
}

function npmStart(t: ExecutionContext, args: readonly string[], variables: NodeJS.ProcessEnv): Started {
  // A separate process group, as in a terminal: Ctrl-C signals all of it.
  const child = spawn('npm', ['start', '--', '--listen', '127.0.0.1:0', ...args], {
    cwd: root,
    env: { ...process.env, ...variables },
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true,
  });
  let output = '';
  for (const stream of [child.stdout!, child.stderr!])
    stream.setEncoding('utf8').on('data', (text) => (output += text));
  t.teardown(() => {
    if (child.exitCode === null && child.signalCode === null) process.kill(-child.pid!, 'SIGTERM');
  });
  return { child, output: () => output, code: new Promise((resolve) => child.on('close', resolve)) };
}

const ctrlC = ({ child }: Started) => process.kill(-child.pid!, 'SIGINT');

/** Running commands with a text in their command line. */
const running = (text: string): string[] =>
  readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map((pid) => {
      try {
        return readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ');
      } catch {
        return '';
      }
    })
    .filter((command) => command.includes(text));

test('npm start observes an existing daemon, and stops on Ctrl-C', async (t) => {
  const data = temporaryDirectory(t);
  const started = npmStart(t, ['--data-dir', data], {});
  await waitFor(
    `the agent; so far: ${started.output()}`,
    () => started.output().includes('portlight started'),
    60_000,
  );
  t.true(started.output().includes(process.env.DOCKER_HOST!));
  ctrlC(started);
  await started.code;
  t.deepEqual(running(data), []);
});

test('npm start without a daemon starts one with three demo containers; Ctrl-C removes all of it', async (t) => {
  const before = readdirSync(tmpdir()).filter((name) => name.startsWith('portlight-dockerd-'));
  const started = npmStart(t, ['--interval', '1s'], { DOCKER_HOST: 'unix:///nonexistent/docker.sock' });
  const demos = ['demo-chatty', 'demo-memory', 'demo-web'];
  await waitFor(
    'a table with all three',
    () => demos.every((name) => new RegExp(`^${name} +\\d`, 'm').test(started.output())),
    120_000,
  );
  await waitFor(
    'lines and namespaces',
    () => /demo-web \| GET/.test(started.output()) && /demo-web namespaces pid/.test(started.output()),
  );
  t.regex(
    started.output(),
    /no Docker daemon answers at unix:\/\/\/nonexistent\/docker\.sock \(DOCKER_HOST\)/,
  );
  t.regex(
    started.output(),
    /This installs the Debian packages docker\.io and busybox-static if they are missing/,
  );
  const socket = /unix:\/\/(\S+portlight-dockerd-\w+)/.exec(started.output())![1]!;
  t.true(running(socket).length > 0);
  ctrlC(started);
  await started.code;
  await waitFor('its processes to end', () => running(socket).length === 0);
  await waitFor(
    'its data to be gone',
    () =>
      readdirSync(tmpdir()).filter((name) => name.startsWith('portlight-dockerd-')).length === before.length,
  );
  t.pass();
});

test('npm start --no-docker fails with instructions', async (t) => {
  const started = npmStart(t, ['--no-docker'], { DOCKER_HOST: 'unix:///nonexistent/docker.sock' });
  t.is(await started.code, 1);
  t.regex(started.output(), /no Docker daemon answers at .*To get one, install Docker Engine/);
});
