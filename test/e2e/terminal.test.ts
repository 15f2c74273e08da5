/** Commands in a terminal: widths, colours, several logs, events, exit codes. */
import { execFile } from 'node:child_process';
import { promisify, stripVTControlCharacters } from 'node:util';
import test, { type ExecutionContext } from 'ava';
import { parse } from 'yaml';
import { AgentProcess, CLI, listenUrl, portlight, spawnAgent } from '../support/agent.ts';
import { docker, ensureImage, IMAGE, runContainer, uniqueName } from '../support/docker.ts';
import { temporaryDirectory } from '../support/temporary.ts';
import { portlightLine, Terminal } from '../support/terminal.ts';
import { waitFor } from '../support/wait.ts';

test.before(ensureImage);

/** No agent listens there. */
const ALONE = { PORTLIGHT_LISTEN: '127.0.0.1:1' };
const SMALL = { columns: 80, rows: 24 };
/** Enough rows for any list. */
const TALL = { columns: 80, rows: 200 };

/** Starts a container whose name is too long for a terminal. */
async function longNames(t: ExecutionContext): Promise<string> {
  const name = uniqueName('a-name-that-is-longer-than-there-is-room-for-in-eighty-columns');
  await runContainer(t, { name, script: 'sleep 600' });
  return name;
}

test('a table fits the terminal, and is not cut elsewhere', async (t) => {
  const name = await longNames(t);
  for (const view of ['ps', 'images', 'info', 'namespaces', 'namespaces -o table']) {
    const terminal = await Terminal.start(t, portlightLine(view.split(' ')), TALL);
    const screen = await terminal.shows(/left with 0/);
    const table = screen.slice(0, screen.indexOf('left with')).trimEnd().split('\n');
    const piped = (await portlight(t, view.split(' '), ALONE)).stdout.trimEnd().split('\n');
    t.true(table.length >= 2, view);
    t.is(table[0]!.split(/ +/)[0], piped[0]!.split(/ +/)[0], view);
    t.true(
      table.every((line) => line.length <= 80),
      view,
    );
    t.true(
      piped.every((line) => !line.includes('…')),
      view,
    );
    // A long text is cut within its line.
    const last = table.findLast((line) => !line.startsWith('!'))!;
    t.true(
      piped.some((line) => line.startsWith(last.split(/ {2,}|…/)[0]!)),
      `${view}: ${last}`,
    );
  }
  const { stdout } = await portlight(t, ['ps'], ALONE);
  t.true(stdout.includes(name));
});

test('colours are for terminals, unless NO_COLOR or FORCE_COLOR is set', async (t) => {
  await runContainer(t, { script: 'sleep 600' });
  t.false((await portlight(t, ['ps'], ALONE)).stdout.includes('\u001b'));
  const forced = await portlight(t, ['ps'], { ...ALONE, FORCE_COLOR: '1' });
  t.true(forced.stdout.startsWith('\u001b[2mNAME'), forced.stdout);
  const shown = await Terminal.start(t, portlightLine(['ps']), TALL);
  await shown.shows(/left with 0/);
  t.true((await shown.styled()).includes('\u001b[2mNAME'));
  const plain = await Terminal.start(t, portlightLine(['ps']), { ...TALL, variables: { NO_COLOR: '1' } });
  await plain.shows(/left with 0/);
  t.false((await plain.styled()).includes('\u001b['));
});

test('slow commands show progress on standard error, and erase it', async (t) => {
  await runContainer(t, { script: 'sleep 600' });
  const line = `${portlightLine(['ps'])} 2> progress; tr '\\r' '\\n' < progress; echo "[$(wc -c < progress)]"`;
  const elsewhere = await Terminal.start(t, line, TALL);
  t.true((await elsewhere.shows(/left with 0/)).includes('[0]'), 'no progress without a terminal');
  // script(1) records all output of a terminal, not only the final screen.
  const env = { ...process.env, ...ALONE, NO_COLOR: '1' };
  const { stdout } = await promisify(execFile)('script', ['-qec', portlightLine(['ps']), '/dev/null'], {
    env,
  });
  t.regex(stdout, /\S measuring \d+ containers/);
  const ERASED = '\r\u001b[K';
  const left = stdout.slice(stdout.lastIndexOf(ERASED) + ERASED.length);
  t.true(left.startsWith('NAME'), 'progress is erased');
});

test('every list is available as table, JSON and YAML', async (t) => {
  const name = uniqueName('formats');
  await runContainer(t, { name, script: 'sleep 600' });
  for (const view of ['ps', 'images', 'info', 'namespaces']) {
    const json = await portlight(t, [view, '-o', 'json'], ALONE);
    const yaml = await portlight(t, [view, '-o', 'yaml'], ALONE);
    const [one, other] = [JSON.parse(json.stdout), parse(yaml.stdout)].map((found) => ofOurs(found, name));
    t.deepEqual(shapeOf(one), shapeOf(other), view);
    t.is((await portlight(t, [view, '-o', 'table'], ALONE)).code, 0);
  }
  const agent = await spawnAgent(t);
  const listen = new URL(await listenUrl(agent)).host;
  const status = await portlight(t, ['status', '--listen', listen, '-o', 'yaml']);
  t.is((parse(status.stdout) as { pid: number }).pid, agent.pid);
});

/** The row of a container, or of its image; the whole value if there are no rows. */
function ofOurs(found: unknown, name: string): unknown {
  if (!Array.isArray(found)) return found;
  const rows = found as { name?: string; references?: string[] }[];
  return rows.find((row) => row.name === name || row.references?.includes(IMAGE));
}

/** Keys and types; values change between two calls. */
function shapeOf(value: unknown): unknown {
  if (Array.isArray(value)) return value.length === 0 ? [] : [shapeOf(value[0])];
  if (value === null || typeof value !== 'object') return typeof value;
  return Object.fromEntries(Object.entries(value).map(([key, each]) => [key, shapeOf(each)]));
}

test('several logs are merged by time, and filtered by severity, pattern and time', async (t) => {
  const [one, other] = [uniqueName('one'), uniqueName('other')];
  const begin = Math.ceil(Date.now() / 1000) + 6;
  const script = `while [ $(date +%s) -lt ${begin} ]; do sleep 0.1; done; for n in 1 2 3 4 5; do
    echo "line $n"; echo "ERROR: bad $n" >&2; printf '\\tat where %s\\n' $n >&2
    echo '{"level":"warn","msg":"hm '$n'"}'; sleep 0.4; done`;
  for (const container of await Promise.all([one, other].map((name) => runContainer(t, { name, script }))))
    await container.wait();
  const { stdout, stderr } = await portlight(t, ['logs', '-t', one, other], ALONE);
  const lines = stdout.trimEnd().split('\n');
  t.is(lines.length, 20);
  t.is(stderr.trimEnd().split('\n').length, 20);
  const times = lines.map((line) => line.split(' ')[0]!);
  t.deepEqual(times, times.toSorted());
  const owners = lines.map((line) => line.split(' ')[1]!);
  t.true(
    owners.some((owner, at) => at > 2 && owner === one && owners[at - 1] === other),
    'merged',
  );
  t.regex(lines[0]!, new RegExp(`^\\S+Z (${one}|${other}) +\\| line 1$`));

  const warnings = await portlight(t, ['logs', '--severity', 'warn', '-o', 'json', one], ALONE);
  const records = warnings.stdout
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as { body: string; severity?: string });
  t.is(records.length, 15, 'with continuation lines');
  t.deepEqual([...new Set(records.map(({ severity }) => severity))].sort(), ['error', 'warn', undefined]);
  const errors = await portlight(t, ['logs', '--severity', 'error', one], ALONE);
  t.is(errors.stdout, '');
  t.is(errors.stderr, [1, 2, 3, 4, 5].map((n) => `ERROR: bad ${n}\n\tat where ${n}\n`).join(''));
  const grep = await portlight(t, ['logs', '--grep', '^line [24]$', one], ALONE);
  t.is(grep.stdout, 'line 2\nline 4\n');
  const since = await portlight(
    t,
    ['logs', '--since', times[owners.lastIndexOf(other)]!, '--grep', 'hm', other],
    ALONE,
  );
  t.is(since.stdout, '{"level":"warn","msg":"hm 5"}\n');
  const last = await portlight(t, ['logs', '-n', '1', one, other], ALONE);
  t.is((last.stdout + last.stderr).trimEnd().split('\n').length, 2, 'one line each');

  const wrong = await portlight(t, ['logs', '--grep', '(', one], ALONE);
  t.is(wrong.code, 2);
  t.regex(wrong.stderr, /^portlight: --grep: "\(" is not allowed; expected a regular expression/);
  t.is((await portlight(t, ['logs', '--severity', 'loud', one], ALONE)).code, 2);
});

test('several logs are followed without a gap or a repeat', async (t) => {
  const names = [uniqueName('follow'), uniqueName('follow')];
  const script = 'n=0; while [ $n -lt 60 ]; do n=$((n+1)); echo "line $n"; sleep 0.05; done';
  for (const name of names) await runContainer(t, { name, script });
  const follower = new AgentProcess(['logs', '-f', ...names], ALONE, temporaryDirectory(t));
  t.teardown(() => follower.kill('SIGKILL'));
  const { code, stdout } = await follower.exit;
  t.is(code, 0, 'the containers have exited');
  for (const name of names) {
    const own = stdout.split('\n').filter((line) => line.startsWith(name));
    t.deepEqual(
      own.map((line) => line.replace(/^.*\| /, '')),
      Array.from({ length: 60 }, (_, index) => `line ${index + 1}`),
    );
  }
});

test('log lines have colours by severity, and cannot control the terminal', async (t) => {
  const name = uniqueName('coloured');
  const other = uniqueName('coloured');
  const script = `echo "ERROR: no"; echo "WARN careful"; printf '\\033[2J\\033[HERROR: \\302\\233x\\n'`;
  await (await runContainer(t, { name, script })).wait();
  await (await runContainer(t, { name: other, script: 'echo fine' })).wait();
  const terminal = await Terminal.start(t, `echo before; ${portlightLine(['logs', name, other])}`, SMALL);
  const screen = await terminal.shows(/left with 0/);
  t.regex(screen, /^before\n/, 'the screen was not cleared');
  const styled = await terminal.styled();
  t.true(styled.includes('\u001b[31mERROR: no'));
  t.true(styled.includes('\u001b[33mWARN careful'));
  t.regex(stripVTControlCharacters(styled), new RegExp(`${other.slice(0, 20)}.* \\| fine`));
});

test('events: past ones, then new ones', async (t) => {
  const name = uniqueName('events');
  await (await runContainer(t, { name, script: 'exit 3' })).wait();
  const { stdout, code } = await portlight(t, ['events', name], ALONE);
  t.is(code, 0);
  // Networks have separate events.
  t.deepEqual(
    stdout
      .trimEnd()
      .split('\n')
      .map((line) => line.replace(/^\S+ /, ''))
      .filter((line) => !line.startsWith('network ')),
    [`container ${name} created`, `container ${name} started`, `container ${name} exited with code 3`],
  );
  const asJson = (await portlight(t, ['events', '-o', 'json', name], ALONE)).stdout.trimEnd().split('\n');
  const records = asJson.map(
    (line) => JSON.parse(line) as { name: string; severity: number; attributes: Record<string, string> },
  );
  const record = records.find(({ name: event }) => event === 'docker.container.die')!;
  t.is(record.name, 'docker.container.die');
  t.is(record.severity, 17);
  t.is(record.attributes['portlight.exit.reason'], 'error');
  t.true(Number(record.attributes['docker.event.duration']) > 0);

  const follower = new AgentProcess(['events', '-f', '--since', '1h', name], ALONE, temporaryDirectory(t));
  t.teardown(() => follower.kill('SIGKILL'));
  const ends = () => follower.stdout.match(/exited with code 3/g)?.length ?? 0;
  await waitFor('past events', () => ends() === 1);
  await docker.getContainer(name).start();
  await waitFor('new events', () => ends() === 2);
  follower.kill('SIGINT');
  t.is((await follower.exit).signal, 'SIGINT');
  t.regex((await portlight(t, ['events', 'nobody'], ALONE)).stderr, /no such container: nobody/);
});

test('with a running agent, ps and events show its data', async (t) => {
  const name = uniqueName('agent');
  const before = uniqueName('before');
  await (await runContainer(t, { name: before, script: 'exit 4' })).wait();
  const agent = await spawnAgent(t);
  const variables = { PORTLIGHT_LISTEN: new URL(await listenUrl(agent)).host };
  const container = await runContainer(t, {
    name,
    script: 'echo the last word; sleep 600',
    host: { Memory: 16 * 1024 ** 2 },
  });
  const row = await waitFor('its figures', async () => {
    const { stdout } = await portlight(t, ['ps', '-o', 'json'], variables);
    const rows = JSON.parse(stdout) as { name: string; memory?: number; pid?: number; namespaces: object }[];
    return rows.find((each) => each.name === name && each.memory !== undefined);
  });
  t.is(row.pid, undefined, 'the agent does not have it');
  t.true(Object.keys(row.namespaces).includes('pid'));
  t.regex((await portlight(t, ['ps'], variables)).stdout, new RegExp(`^${name} .* 16 MiB .* pid:\\d+`, 'm'));
  const follower = new AgentProcess(['events', '-f', name], variables, temporaryDirectory(t));
  t.teardown(() => follower.kill('SIGKILL'));
  await waitFor('past events', () => follower.stdout.includes(`container ${name} started`));
  await container.kill();
  await waitFor('new events', () => /killed on request \(exit code 137\)/.test(follower.stdout));
  t.is(follower.stdout.match(/ started$/gm)?.length, 1, 'no duplicates');
  const all = (await portlight(t, ['events', before, name], variables)).stdout;
  t.regex(all, new RegExp(`container ${before} exited with code 4`), "from the daemon's memory");
  t.is(all.match(new RegExp(`container ${name} started$`, 'gm'))?.length, 1);
  await agent.stop();
  t.is((await follower.exit).code, 1);
  t.regex(follower.stderr, /^portlight: the agent at http\S+ closed the connection/);
});

test('beyond loopback the commands send the token', async (t) => {
  const dataDirectory = temporaryDirectory(t);
  const agent = await spawnAgent(t, { dataDirectory, args: ['--listen', '0.0.0.0:0'] });
  const listen = new URL(await listenUrl(agent)).host;
  const known = await portlight(t, ['status', '--listen', listen, '--data-dir', dataDirectory]);
  t.is(known.code, 0, known.stderr);
  t.regex(known.stdout, /^portlight \S+, process \d+/);
  const stranger = await portlight(t, [
    ...['status', '--listen', listen],
    ...['--data-dir', temporaryDirectory(t)],
  ]);
  t.is(stranger.code, 1);
  t.regex(stranger.stderr, /^portlight: http:\S+: a token is required/);
});

/** Reads all files, but can neither connect to the daemon nor inspect processes. */
const UNPRIVILEGED = [
  ['--reuid=65534', '--regid=65534', '--clear-groups'],
  ['--inh-caps=+dac_read_search', '--ambient-caps=+dac_read_search'],
].flat();

(process.getuid?.() === 0 ? test : test.skip)(
  'without access to the daemon, commands use the agent',
  async (t) => {
    const name = uniqueName('unprivileged');
    const agent = await spawnAgent(t);
    const listen = new URL(await listenUrl(agent)).host;
    await runContainer(t, { name, script: 'echo hello; echo "ERROR: no" >&2; sleep 600' });
    const ask = async (args: readonly string[], at = listen) => {
      const env = { ...process.env, PORTLIGHT_LISTEN: at, HOME: '/nonexistent' };
      const child = promisify(execFile)('setpriv', [...UNPRIVILEGED, process.execPath, CLI, ...args], {
        env,
      });
      return child.catch((error: { stdout: string; stderr: string }) => error);
    };
    t.regex(
      (await ask(['images'], '127.0.0.1:1')).stderr,
      /^portlight: unix:.* EACCES .*\. To fix: run as root or as/,
    );
    const log = await waitFor('its lines', async () => {
      const answer = await ask(['logs', '-t', name]);
      return answer.stderr.includes('ERROR') && answer;
    });
    t.regex(log.stdout, /^\S+Z hello\n$/);
    t.regex((await ask(['logs', 'nobody'])).stderr, /^portlight: no such container: nobody\n$/);
    t.regex((await ask(['images'])).stdout, new RegExp(`^portlight-test +busybox .*${name}`, 'm'));
    const info = parse((await ask(['info', '-o', 'yaml'])).stdout) as Record<string, unknown>;
    t.is(info.endpoint, process.env.DOCKER_HOST);
    t.true(Number(info.containers_running) >= 1);
    await waitFor('its namespaces', async () =>
      new RegExp(`^${name} +private +private`, 'm').test((await ask(['namespaces', '-o', 'table'])).stdout),
    );
    t.regex((await ask(['namespaces'])).stdout, new RegExp(`\\d+ private: ${name}$`, 'm'));
  },
);

test('exit codes: 0, 1, 2, and 130 for Ctrl-C', async (t) => {
  const name = uniqueName('codes');
  await runContainer(t, { name, script: 'echo hello; sleep 600' });
  t.is((await portlight(t, ['logs', name], ALONE)).code, 0);
  t.is((await portlight(t, ['logs', 'nobody'], ALONE)).code, 1);
  t.is((await portlight(t, ['top'], ALONE)).code, 1, 'without a terminal');
  t.is((await portlight(t, ['ps', '-o', 'xml'], ALONE)).code, 2);
  t.is((await portlight(t, ['top', '--sort', 'size'], ALONE)).code, 2);
  t.is((await portlight(t, ['completion', 'tcsh'], ALONE)).code, 2);
  for (const args of [
    ['logs', '-f', name],
    ['events', '-f', name],
  ]) {
    const terminal = await Terminal.start(t, portlightLine(args), SMALL);
    await terminal.shows(args[0] === 'logs' ? /hello/ : new RegExp(`container ${name} started`));
    await terminal.press('C-c');
    await terminal.shows(/left with 130/);
  }
});
