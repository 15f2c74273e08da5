/** Output and exit codes of commands. */
import { writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import test from 'ava';
import manifest from '../../package.json' with { type: 'json' };
import { AgentProcess, listenUrl, portlight, spawnAgent } from '../support/agent.ts';
import { ensureImage, runContainer, uniqueName } from '../support/docker.ts';
import { Receiver } from '../support/receiver.ts';
import { temporaryDirectory } from '../support/temporary.ts';
import { waitFor } from '../support/wait.ts';

test.before(ensureImage);

const NO_DAEMON = 'unix:///nonexistent/docker.sock';
/** A port of loopback on which nothing listens. */
const NO_RECEIVER = 'http://127.0.0.1:9';

test('--version and --help', async (t) => {
  t.is((await portlight(t, ['--version'])).stdout, `${manifest.version}\n`);
  const { stdout, code } = await portlight(t, ['run', '--help']);
  t.is(code, 0);
  for (const flag of [
    '--config',
    '--docker-host',
    '--exporter',
    '--interval',
    '--data-dir',
    '--listen',
    '--log-level',
  ]) {
    t.true(stdout.includes(`${flag} <`), flag);
  }
  t.regex(stdout, /PORTLIGHT_INTERVAL/);
});

test('an unknown command or flag is one line and exit code 2', async (t) => {
  const command = await portlight(t, ['rum']);
  t.is(command.code, 2);
  t.regex(command.stderr, /unknown command 'rum'/);
  const flag = await portlight(t, ['run', '--intervall', '5s']);
  t.is(flag.code, 2);
  t.regex(flag.stderr, /unknown option '--intervall'/);
});

test('every command exits with 2 for an invalid configuration', async (t) => {
  const directory = temporaryDirectory(t);
  const file = join(directory, 'portlight.yaml');
  writeFileSync(file, 'intervall: 5s\n');
  for (const command of [['run'], ['config', 'validate'], ['config', 'print'], ['check'], ['ps']]) {
    const { code, stdout, stderr } = await portlight(t, [...command, '--config', file]);
    t.is(code, 2, command.join(' '));
    t.is(stdout, '');
    t.is(stderr, `portlight: ${file}: intervall: is not a known key; did you mean interval?\n`);
  }
  const flag = await portlight(t, ['run', '--interval', '0s']);
  t.is(flag.code, 2);
  t.regex(
    flag.stderr,
    /^portlight: --interval: "0s" is not allowed; expected a duration between 100ms and 1h/,
  );
});

test('config print shows values with their sources, and masks secrets', async (t) => {
  const variables = { PORTLIGHT_LOG_LEVEL: 'warn', OTEL_EXPORTER_OTLP_HEADERS: 'api-key=s3cret' };
  const { stdout, code } = await portlight(
    t,
    ['config', 'print', '--interval', '5s', '-o', 'json'],
    variables,
  );
  t.is(code, 0);
  t.false(stdout.includes('s3cret'));
  const rows = JSON.parse(stdout) as { key: string; value: unknown; origin: string }[];
  const row = (key: string) => rows.find((found) => found.key === key);
  t.deepEqual(row('interval'), { key: 'interval', value: '5s', origin: '--interval' });
  t.deepEqual(row('log_level'), { key: 'log_level', value: 'warn', origin: 'PORTLIGHT_LOG_LEVEL' });
  t.deepEqual(row('otlp.headers'), {
    key: 'otlp.headers',
    value: '********',
    origin: 'OTEL_EXPORTER_OTLP_HEADERS',
  });
  t.is(row('listen')!.origin, 'default');
  const table = await portlight(t, ['config', 'print'], variables);
  t.regex(table.stdout, /^KEY +VALUE +SOURCE\n/);
  t.false(table.stdout.includes('s3cret'));
});

test('ps shows the resource usage of a container', async (t) => {
  const name = uniqueName('ps');
  await runContainer(t, {
    name,
    script: 'dd if=/dev/zero of=/dev/shm/held bs=1M count=16 2>/dev/null; while :; do :; done',
    host: { Memory: 32 * 1024 * 1024, NanoCpus: 2e8 },
  });
  const used = await waitFor('the memory to be held', async () => {
    const rows = JSON.parse((await portlight(t, ['ps', '-o', 'json'])).stdout) as {
      name: string;
      cpus: number;
      memory: number;
      memoryLimit: number;
      pids: number;
    }[];
    const row = rows.find((found) => found.name === name);
    return row !== undefined && row.memory > 16 * 1024 * 1024 && row;
  });
  t.is(used.memoryLimit, 32 * 1024 * 1024);
  t.is(used.pids, 1);
  t.true(used.cpus > 0.01 && used.cpus < 0.4, String(used.cpus));
  const { stdout, code } = await portlight(t, ['ps']);
  t.is(code, 0);
  t.regex(stdout, /^NAME +CPU +MEMORY +LIMIT +MEM % +PIDS +UP +LOGS +NAMESPACES\n/);
  t.regex(
    stdout,
    new RegExp(`^${name} .* 32 MiB .* file +pid:\\d+ net:\\d+ ipc:\\d+ mnt:\\d+ uts:\\d+$`, 'm'),
  );
});

test('without a daemon, ps and check exit with 1 and a message', async (t) => {
  const ps = await portlight(t, ['ps', '--docker-host', NO_DAEMON]);
  t.is(ps.code, 1);
  t.regex(
    ps.stderr,
    /^portlight: unix:\/\/\/nonexistent\/docker\.sock \(docker_host\): .*ENOENT.*\. Check that the daemon is running.*\n$/,
  );
  const junk = await portlight(t, ['ps'], { DOCKER_HOST: 'junk' });
  t.is(junk.code, 1);
  t.regex(junk.stderr, /^portlight: DOCKER_HOST: "junk" is not supported; expected unix:/);
  const check = await portlight(t, ['check', '--docker-host', NO_DAEMON]);
  t.is(check.code, 1);
  t.regex(
    check.stdout,
    /^FAIL +docker daemon +unix:\/\/\/nonexistent\/docker\.sock \(docker_host\): .*ENOENT/m,
  );
});

test('check --live fails for a hanging and a stopped agent', async (t) => {
  const agent = await spawnAgent(t);
  const { host } = new URL(await listenUrl(agent));
  const live = () => portlight(t, ['check', '--live'], { PORTLIGHT_LISTEN: host, DOCKER_HOST: NO_DAEMON });
  t.like(await live(), { code: 0, stdout: `the agent answers at http://${host}/healthz\n` });
  agent.kill('SIGSTOP');
  const hanging = await live();
  t.is(hanging.code, 1);
  t.regex(hanging.stderr, /^portlight: no agent answers at .*: no response within 5 s\..*\n$/);
  agent.kill('SIGCONT');
  await agent.stop();
  const gone = await live();
  t.is(gone.code, 1);
  t.regex(gone.stderr, /^portlight: no agent answers at .*ECONNREFUSED.*\(here from: PORTLIGHT_LISTEN\)\n$/);
  const unknown = await portlight(t, ['check', '--live', '--listen', '127.0.0.1:0']);
  t.is(unknown.code, 1);
  t.regex(
    unknown.stderr,
    /^portlight: listen \(--listen\): 127\.0\.0\.1:0 .*; expected the port of the running agent\n$/,
  );
});

test('check covers daemon, kernel files and receiver, and fails for an unreachable receiver', async (t) => {
  const receiver = await Receiver.start();
  t.teardown(() => receiver.stop());
  await runContainer(t, { script: 'sleep 600' });
  for (const protocol of ['http/protobuf', 'http/json', 'grpc']) {
    const variables = {
      OTEL_EXPORTER_OTLP_ENDPOINT: receiver.endpoint(protocol),
      OTEL_EXPORTER_OTLP_PROTOCOL: protocol,
      PORTLIGHT_LISTEN: '127.0.0.1:0',
    };
    const { stdout, code } = await portlight(t, ['check', '-o', 'json'], variables);
    t.is(code, 0, stdout);
    const findings = JSON.parse(stdout) as { check: string; status: string }[];
    t.deepEqual(
      findings.map(({ check, status }) => `${check}: ${status}`),
      [
        'docker daemon: ok',
        'engine API: ok',
        'cgroup: ok',
        'engine API requests: ok',
        'log files: ok',
        'container processes: ok',
        'container cgroups: ok',
        'namespaces: ok',
        'open descriptors: ok',
        'cgroup files: ok',
        'data directory: ok',
        'listen: ok',
        'receiver of logs: ok',
        'receiver of metrics: ok',
        'receiver of traces: ok',
      ],
    );
  }
  t.is(receiver.logs.length + receiver.points.length, 0, 'a check delivers nothing');
  const failed = await portlight(t, ['check'], {
    OTEL_EXPORTER_OTLP_ENDPOINT: NO_RECEIVER,
    OTEL_EXPORTER_OTLP_TIMEOUT: '1000',
  });
  t.is(failed.code, 1);
  t.regex(failed.stdout, /^FAIL +receiver of logs +http:\/\/127\.0\.0\.1:9\/v1\/logs: .*ECONNREFUSED/m);
});

test('run without a daemon or receiver retries, warns once, and stops cleanly', async (t) => {
  const agent = new AgentProcess(
    ['run', '--docker-host', NO_DAEMON, '--listen', '127.0.0.1:0', '--data-dir', temporaryDirectory(t)],
    { OTEL_EXPORTER_OTLP_ENDPOINT: NO_RECEIVER },
    temporaryDirectory(t),
  );
  t.teardown(() => agent.kill('SIGKILL'));
  const url = await listenUrl(agent);
  await waitFor('the warning', () => agent.stderr.includes('ENOENT'));
  t.is((await fetch(`${url}/healthz`)).status, 200);
  const ready = await fetch(`${url}/readyz`);
  t.is(ready.status, 503);
  t.is(await ready.text(), 'not connected to the Docker daemon\n');
  await new Promise((resolve) => setTimeout(resolve, 1500));
  t.is(agent.stderr.split('ENOENT').length - 1, 1, agent.stderr);
  t.is((await agent.stop()).code, 0);
});

test('an address in use is one line and exit code 1', async (t) => {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.teardown(() => void server.close());
  const { port } = server.address() as { port: number };
  const { code, stderr } = await portlight(t, [
    'run',
    '--listen',
    `127.0.0.1:${port}`,
    '--data-dir',
    temporaryDirectory(t),
  ]);
  t.is(code, 1);
  t.regex(
    stderr,
    new RegExp(
      `^portlight: listen: 127\\.0\\.0\\.1:${port}: .*EADDRINUSE.*; choose another address with --listen\\n$`,
    ),
  );
});

test('the console shows lines, events, namespaces and a table', async (t) => {
  const agent = await spawnAgent(t, { args: ['--exporter', 'console'] });
  const name = uniqueName('console');
  await runContainer(t, { name, script: 'while :; do echo hello; sleep 0.2; done' });
  await waitFor('all of it', () =>
    [
      new RegExp(`^\\d\\d:\\d\\d:\\d\\d\\.\\d{3} ${name} \\| hello$`, 'm'),
      new RegExp(`\\* container ${name} started$`, 'm'),
      new RegExp(`\\* container ${name} namespaces pid:\\d+ net:\\d+`, 'm'),
      new RegExp(`^${name} +\\d+\\.\\d % +.*[KM]iB`, 'm'),
    ].every((pattern) => pattern.test(agent.stdout)),
  );
  t.pass();
});
