/** `portlight top` in a real terminal. */
import { connect, createServer, type Server, type Socket } from 'node:net';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { listenUrl, spawnAgent } from '../support/agent.ts';
import { docker, ensureImage, runContainer, uniqueName } from '../support/docker.ts';
import { temporaryDirectory } from '../support/temporary.ts';
import { portlightLine, Terminal, type TerminalOptions } from '../support/terminal.ts';
import { waitFor } from '../support/wait.ts';

test.before(ensureImage);

const SMALL = { columns: 80, rows: 24 };
const LARGE = { columns: 200, rows: 50 };

/** The shell prints before and after, which shows whether the screen is restored. */
const startTop = (t: ExecutionContext, args: readonly string[], options: TerminalOptions) =>
  Terminal.start(t, `echo as it was; ${portlightLine(['top', ...args])}`, options);

async function isRestored(t: ExecutionContext, terminal: Terminal): Promise<void> {
  // Then the shell prints the modes of the terminal.
  const screen = await terminal.shows(/left with[\s\S]* echo /);
  t.regex(screen, /^as it was\n/, 'the previous screen is restored');
  t.false(screen.includes('portlight top '), 'nothing of top is left');
  t.regex(screen, / icanon /);
  t.regex(screen, / echo /);
}

for (const size of [SMALL, LARGE]) {
  test(`at ${size.columns}×${size.rows}: the list, its order, a filter, and one container`, async (t) => {
    const project = uniqueName('top').slice(-8);
    const [busy, big, other] = ['busy', 'big', 'other'].map((name) => `${project}-${name}`);
    const labels = { 'com.docker.compose.project': project, 'com.docker.compose.service': 'サービス' };
    await runContainer(t, {
      name: busy!,
      labels,
      script: 'n=0; while :; do n=$((n+1)); [ $((n % 20000)) = 0 ] && echo "ERROR: number $n"; done',
      host: { NanoCpus: 1e8, Memory: 32 * 1024 ** 2 },
    });
    await runContainer(t, {
      name: big!,
      labels,
      script: 'dd if=/dev/zero of=/dev/shm/held bs=1M count=24 2>/dev/null; sleep 600',
      host: { Memory: 32 * 1024 ** 2 },
    });
    await runContainer(t, { name: other!, script: 'sleep 600' });
    const terminal = await startTop(t, ['--filter', project, '--sort', 'cpu'], size);
    const first = await terminal.shows(new RegExp(`^>${busy} +running +[\\d.]+ % █+`, 'm'));
    t.regex(first, /^portlight top {2}daemon at unix:/);
    t.regex(first, /^ NAME +STATE +CPU▼ +MEMORY +LIMIT/m);
    t.regex(first, /^CPU [█▏▎▍▌▋▊▉ ]+ [\d.]+ of \d+ CPUs +MEM .* of .*iB$/m);
    t.regex(first, new RegExp(`${big} .* 2[45](\\.\\d)? MiB █+.* 32 MiB`));
    t.is((await terminal.lines()).length, size.rows);

    await terminal.press('m');
    await terminal.shows(new RegExp(`MEMORY▼[\\s\\S]*${big}[\\s\\S]*${busy}`));
    await terminal.press('n');
    await terminal.shows(new RegExp(`NAME▼[\\s\\S]*${big}[\\s\\S]*${busy}[\\s\\S]*${other}`));
    await terminal.press('r');
    await terminal.shows(new RegExp(`NAME▲?[\\s\\S]*${other}[\\s\\S]*${busy}[\\s\\S]*${big}`));

    // Replace the filter.
    await terminal.press('/', 'C-u', `${project}-bu`, 'Enter');
    await terminal.shows(new RegExp(`^/${project}-bu(?![\\s\\S]* ${big})`, 'm'));
    await terminal.press('Enter');
    const one = await terminal.shows(/── log ─[\s\S]*ERROR: number \d+/);
    t.regex(one, new RegExp(`^${busy} {2}running {2}for \\d+`));
    t.true(one.includes(`${project}/サービス`));
    t.regex(one, /^CPU [\d.]+ %, throttled/m);
    t.regex(one, /MEMORY [\d.]+ KiB|MEMORY [\d.]+ MiB/);
    t.is(/NET in /.test(one), size.columns >= 100, 'more charts on a wide screen');
    t.regex(one, new RegExp(`^\\S+ container ${busy} started$`, 'm'));
    await terminal.shows(/[⠀-⣿]/);
    t.is((await terminal.lines()).length, size.rows);

    // The log: pause, search, full screen.
    await terminal.press('p');
    await terminal.shows(/log, paused \(End: follow\)/);
    await terminal.press('End', '/', 'no such line', 'Enter');
    await terminal.shows(/log, \/no such line[\s\S]*No matching lines/);
    await terminal.press('/', 'C-u', 'Enter', 'l');
    await terminal.shows(/^\S+ {2}running[^\n]*\n── log/);
    await terminal.press('Escape');
    await terminal.shows(/CPU [\d.]+ %/);
    await terminal.press('?');
    await terminal.shows(/^Keys \(any key: back\)/);
    await terminal.press('x', 'Escape');
    await terminal.shows(/^portlight top /);

    await terminal.press('q');
    await isRestored(t, terminal);
    t.regex(await terminal.text(), /left with 0/);
  });
}

test('the screen adapts to the size of the terminal', async (t) => {
  const name = uniqueName('resize');
  await runContainer(t, { name, script: 'sleep 600' });
  const terminal = await startTop(t, ['--filter', name.slice(-12)], LARGE);
  await terminal.shows(/READ +WRITE +RESTARTS +UP +IMAGE/);
  await terminal.resize(SMALL.columns, SMALL.rows);
  await waitFor('the table to be narrower', async () => {
    const lines = await terminal.lines();
    return lines[0]!.startsWith('portlight top') && !lines.some((line) => line.includes('IMAGE'));
  });
  const lines = await terminal.lines();
  t.is(lines.length, SMALL.rows);
  t.regex(lines.at(-1)!, /^\/|q:quit$/);
  await terminal.resize(30, 6);
  await waitFor('a cut screen', async () => (await terminal.lines()).length === 6);
  await terminal.resize(LARGE.columns, LARGE.rows);
  await terminal.shows(/READ +WRITE +RESTARTS +UP +IMAGE/);
});

for (const [how, code, end] of [
  ['Ctrl-C', 130, (terminal: Terminal) => terminal.press('C-c')],
  ['SIGTERM', 143, async (terminal: Terminal) => process.kill(await terminal.childPid(), 'SIGTERM')],
  ['SIGHUP', 129, async (terminal: Terminal) => process.kill(await terminal.childPid(), 'SIGHUP')],
] as const) {
  test(`${how} restores the terminal`, async (t) => {
    const terminal = await startTop(t, [], SMALL);
    await terminal.shows(/^portlight top /);
    await end(terminal);
    await isRestored(t, terminal);
    t.regex(await terminal.text(), new RegExp(`left with ${code}`));
  });
}

test('Ctrl-Z suspends, fg resumes', async (t) => {
  const variables = { PS1: '$ ', HOME: '/nonexistent' };
  const terminal = await Terminal.start(t, 'exec bash --norc --noprofile -i', { ...SMALL, variables });
  await terminal.press(`echo as it was; ${portlightLine(['top'])}`, 'Enter');
  await terminal.shows(/^portlight top /);
  await terminal.press('C-z');
  t.regex(await terminal.shows(/Stopped/), /^as it was$/m);
  await terminal.press('fg', 'Enter');
  await terminal.shows(/^portlight top /);
  await terminal.press('q');
  await terminal.shows(/^as it was$/m);
});

test('a crash restores the terminal and prints the error', async (t) => {
  const crash =
    'data:text/javascript,process.on(String.fromCharCode(83,73,71,85,83,82,50),()=>{throw(Error(4711))})';
  const terminal = await startTop(t, [], { ...SMALL, variables: { NODE_OPTIONS: `--import=${crash}` } });
  await terminal.shows(/^portlight top /);
  process.kill(await terminal.childPid(), 'SIGUSR2');
  await isRestored(t, terminal);
  t.regex(await terminal.text(), /Error: 4711/);
});

test('names and log lines cannot control the terminal', async (t) => {
  const name = uniqueName('hostile');
  await runContainer(t, {
    name,
    labels: {
      'com.docker.compose.project': '\u001b[2J\u001b[H\u202eevil',
      'com.docker.compose.service': 'x\ny',
    },
    script: `while :; do printf '\\033[2J\\033[H\\033]2;owned\\007\\302\\23331m\\342\\200\\256turned\\r\\n'
      printf '%s\\n' ${'日'.repeat(100)}; sleep 1; done`,
  });
  const terminal = await startTop(t, ['--filter', name.slice(-12)], SMALL);
  await terminal.shows(new RegExp(name.slice(0, 12)));
  await terminal.press('Enter');
  const screen = await terminal.shows(/\| turned\n[\s\S]*日/);
  const lines = await terminal.lines();
  t.true(lines[0]!.startsWith(name.slice(0, 30)), lines[0]);
  t.true(lines[0]!.includes('evil/xy'), lines[0]);
  t.is(lines.length, SMALL.rows);
  t.regex(lines.at(-1)!, /^Esc:back/);
  t.regex(screen, /\| 日{32}…$/m, 'cut by columns');
  t.false(screen.includes('\u202e'));
  t.not(await terminal.title(), 'owned');
});

test('without colours the cursor is still visible', async (t) => {
  const name = uniqueName('plain');
  await runContainer(t, { name, script: 'sleep 600' });
  const args = ['--filter', name.slice(-12)];
  const plain = await startTop(t, args, { ...SMALL, variables: { NO_COLOR: '1', LANG: 'C' } });
  const screen = await plain.shows(/^>portlight/m);
  t.false((await plain.styled()).includes('\u001b['));
  t.notRegex(screen, /[█▏▼⠀-⣿]/, 'ASCII bars and charts only');
  const coloured = await startTop(t, args, SMALL);
  await coloured.shows(/^>portlight/m);
  t.true(
    (await coloured.styled()).includes('7m>portlight') ||
      (await coloured.styled()).includes('7m\u001b[39m\u001b[49m>portlight'),
    'the cursor is inverse',
  );
});

test('with a running agent, top shows its data', async (t) => {
  const name = uniqueName('shared');
  const agent = await spawnAgent(t);
  const variables = { PORTLIGHT_LISTEN: new URL(await listenUrl(agent)).host };
  const container = await runContainer(t, { name, script: 'while :; do echo tick; sleep 0.2; done' });
  const terminal = await startTop(t, ['--all', '--filter', name.slice(-12)], { ...LARGE, variables });
  await terminal.shows(new RegExp(`^portlight top {2}agent at http[\\s\\S]*>${name} +running +[\\d.]+ %`));
  await terminal.press('Enter');
  await terminal.shows(new RegExp(`container ${name} started[\\s\\S]*\\| tick`));
  await container.kill();
  await terminal.shows(new RegExp(`^${name} {2}exited 137[\\s\\S]*container ${name} killed on request`));
  await agent.stop();
  await terminal.press('Escape');
  await terminal.shows(/the agent at http\S+ .*reconnecting/);
  t.pass();
});

/** A proxy to the daemon that can be closed and opened again. */
class DaemonProxy {
  readonly path: string;
  private readonly sockets = new Set<Socket>();
  private server: Server | undefined;

  constructor(t: ExecutionContext) {
    this.path = join(temporaryDirectory(t), 'docker.sock');
    t.teardown(() => this.close());
  }

  async open(): Promise<void> {
    const server = createServer((client) => {
      const daemon = connect(new URL(process.env.DOCKER_HOST!).pathname);
      for (const socket of [client, daemon]) {
        this.sockets.add(socket);
        socket.on('error', () => {}).on('close', () => [client, daemon].map((each) => each.destroy()));
      }
      client.pipe(daemon).pipe(client);
    });
    await new Promise<void>((resolve) => server.listen(this.path, resolve));
    this.server = server;
  }

  close(): void {
    this.server?.close();
    for (const socket of this.sockets) socket.destroy();
  }
}

test('a lost daemon is reported and reconnected', async (t) => {
  const proxy = new DaemonProxy(t);
  await proxy.open();
  const name = uniqueName('proxy');
  await runContainer(t, { name, script: 'sleep 600' });
  const variables = { DOCKER_HOST: `unix://${proxy.path}` };
  const terminal = await startTop(t, ['--filter', name.slice(-12)], { ...LARGE, variables });
  await terminal.shows(new RegExp(`^CPU [\\s\\S]*>${name} +running`, 'm'));
  proxy.close();
  const screen = await terminal.shows(/^the daemon at unix:\S+ does not answer.*; reconnecting$/m);
  t.true(screen.includes(name), 'with the last known data');
  await proxy.open();
  await terminal.shows(new RegExp(`^CPU [\\s\\S]*>${name} +running`, 'm'));
});

test('a container appears and disappears', async (t) => {
  const terminal = await startTop(t, [], LARGE);
  await terminal.shows(/^portlight top /);
  const name = uniqueName('brief');
  await runContainer(t, { name, script: 'sleep 600' });
  await terminal.shows(new RegExp(`${name} +running`));
  await docker.getContainer(name).kill();
  const screen = await terminal.shows(new RegExp(`container ${name} killed on request`));
  t.false(new RegExp(`^.${name} +running`, 'm').test(screen));
});
