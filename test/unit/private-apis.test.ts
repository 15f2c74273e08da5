/**
 * The private APIs of dependencies that the agent relies on. docs/internals/private-apis.md lists each one
 * with the test that fails when it changes: the tests that have no better place are here.
 */
import { spawn } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import type { Socket } from 'node:net';
import { join } from 'node:path';
import { emitKeypressEvents, type Interface } from 'node:readline';
import { PassThrough } from 'node:stream';
import { text } from 'node:stream/consumers';
import test, { type ExecutionContext } from 'ava';
import { Command } from 'commander';
import Mustache from 'mustache';
import { pino } from 'pino';
import { isVisible } from '../../agent/commands/command-help.ts';
import { startOwnMetrics } from '../../agent/process/own-metrics.ts';
import { startOwnTraces } from '../../agent/process/own-traces.ts';
import { connectToDaemon } from '../../collectors/engine/client.ts';
import { readHostAttributes } from '../../collectors/host/identity.ts';
import { decodeMetrics, decodeTraces } from '../../exporters/otlp/wire/decode.ts';
import { Telemetry } from '../../exporters/shared/telemetry.ts';
import { fakeDaemon } from '../support/fake-daemon.ts';

const root = join(import.meta.dirname, '../..');
const urlOf = (path: string): string => JSON.stringify(new URL(`../../${path}`, import.meta.url).href);

/** The output of a module that another Node process evaluates. */
async function evaluate(script: string): Promise<string> {
  const child = spawn(process.execPath, ['--no-warnings', '--input-type=module', '--eval', script], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  return (await text(child.stdout)).trim();
}

test('each row of docs/internals/private-apis.md names a test that exists', (t) => {
  const page = readFileSync(join(root, 'docs/internals/private-apis.md'), 'utf8');
  const rows = page.split('\n').filter((line) => line.startsWith('| ') && line.includes('.test.ts'));
  t.true(rows.length >= 10);
  for (const row of rows) {
    const [, file = '', title = ''] = /`(test\/\S+\.test\.ts)`: "(.+)" \|$/.exec(row) ?? [];
    t.true(existsSync(join(root, file)), row);
    t.true(readFileSync(join(root, file), 'utf8').includes(title), `${file} has no test "${title}"`);
    for (const [, source = ''] of row.matchAll(/`((?:agent|collectors|config|exporters)\/\S+\.ts)`/g))
      t.true(existsSync(join(root, source)), `${source} does not exist`);
  }
});

test('dockerode loads without gRPC, ssh, tar and redirects', async (t) => {
  const loaded: string[] = JSON.parse(
    await evaluate(`
      import { createRequire } from 'node:module';
      const { Docker } = await import(${urlOf('collectors/engine/dockerode.ts')});
      new Docker({ socketPath: '/nonexistent.sock' });
      const { cache } = createRequire(import.meta.url);
      console.log(JSON.stringify(Object.keys(cache)));
    `),
  );
  const packages = loaded.map((path) => /.*\/node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(path)?.[1] ?? '');
  t.true(packages.includes('dockerode'));
  for (const unwanted of ['@grpc/grpc-js', 'protobufjs', 'ssh2'])
    t.false(packages.includes(unwanted), unwanted);
  // Each is there once: as the stand-in for its main file.
  for (const replaced of ['tar-fs', '@balena/dockerignore'])
    t.is(packages.filter((name) => name === replaced).length, 1, replaced);
});

test('docker-modem keeps the TLS files and the agent of its connection', (t) => {
  const tls = { ca: Buffer.from('ca'), cert: Buffer.from('cert'), key: Buffer.from('key') };
  t.like(connectToDaemon({ host: 'tcp://x', origin: 'test', tls }).modem, { ...tls, protocol: 'https' });
  const { modem } = connectToDaemon({ host: 'ssh://x', origin: 'test' });
  t.is((modem as unknown as { agent: object }).agent.constructor.name, 'SshTunnelAgent');
});

/** The requests that a daemon receives while a test uses a client of it. */
async function requestsOf(
  t: ExecutionContext,
  use: (docker: ReturnType<typeof connectToDaemon>) => Promise<unknown>,
) {
  const urls: string[] = [];
  const docker = await fakeDaemon(t, ({ url = '' }, response) => {
    urls.push(url);
    response.setHeader('content-type', 'application/json').end('{}');
  });
  await use(docker);
  return urls.filter((url) => url !== '/_ping');
}

test('dockerode passes options on that its types do not have', async (t) => {
  const urls = await requestsOf(t, async (docker) => {
    const options = { stream: false, 'one-shot': true } as never;
    await docker.getContainer('x').stats(options);
    const since = '1795498983.000000001' as unknown as number;
    (await docker.getEvents({ since })).resume();
    await docker.getContainer('x').logs({ since, stdout: true });
  });
  t.deepEqual(urls, [
    '/containers/x/stats?stream=false&one-shot=true',
    '/events?since=1795498983.000000001',
    '/containers/x/logs?since=1795498983.000000001&stdout=true',
  ]);
});

test('dockerode gives up a request for disk use when its signal aborts', async (t) => {
  const giving = new AbortController();
  const docker = await fakeDaemon(t, ({ url = '' }, response) => {
    if (url === '/_ping') response.end('OK');
    else giving.abort(new Error('given up'));
  });
  const use: Promise<unknown> = Promise.resolve(docker.df({ abortSignal: giving.signal } as never));
  await t.throwsAsync(use, { code: 'ABORT_ERR' });
});

test("an error of docker-modem has the status code and the daemon's message", async (t) => {
  const docker = await fakeDaemon(t, ({ url = '' }, response) => {
    if (url === '/_ping') response.end('OK');
    else
      response.writeHead(500).end(JSON.stringify({ message: 'a disk usage operation is already running' }));
  });
  const error = await t.throwsAsync(docker.df(), { message: /a disk usage operation is already running/ });
  t.is((error as unknown as { statusCode: number }).statusCode, 500);
});

test('one file of systeminformation is enough for the distribution', async (t) => {
  const attributes = await readHostAttributes('/proc', '/');
  t.regex(String(attributes['os.name']), /^\w/);
  const loaded: string[] = JSON.parse(
    await evaluate(`
      import { createRequire } from 'node:module';
      const { readHostAttributes } = await import(${urlOf('collectors/host/identity.ts')});
      await readHostAttributes('/proc', '/');
      const { cache } = createRequire(import.meta.url);
      console.log(JSON.stringify(Object.keys(cache).filter((path) => path.includes('/systeminformation/'))));
    `),
  );
  t.true(loaded.length < 5, `${loaded.length} files are loaded`);
});

test('node:http is loaded without its WebSocket', async (t) => {
  const load = (statement: string) =>
    evaluate(
      `${statement}; console.log(process.moduleLoadList.some((name) => name.includes('undici/undici')))`,
    );
  t.is(await load(`await import(${urlOf('collectors/shared/http.ts')})`), 'false');
  t.is(await load("await import('node:http')"), 'true', 'an import evaluates it: the detour is still needed');
});

test('commander says of a command whether it is hidden', (t) => {
  const program = new Command();
  t.true(isVisible(program.command('shown')));
  t.false(isVisible(program.command('secret', { hidden: true })));
});

test('a tag of a parsed mustache template is its type, name, place and children', (t) => {
  t.deepEqual(Mustache.parse('a{{b}}{{#c}}{{d}}{{/c}}') as unknown, [
    ['text', 'a', 0, 1],
    ['name', 'b', 1, 6],
    ['#', 'c', 6, 12, [['name', 'd', 12, 17]], 17],
  ]);
});

test('readline waits for the rest of an escape sequence only as long as the option says', async (t) => {
  const pressEscape = (options: object): Promise<string> => {
    const input = new PassThrough();
    emitKeypressEvents(input, options as Interface);
    const pressed = new Promise<string>((resolve) => input.on('keypress', (_, { name }) => resolve(name)));
    input.write('\x1b');
    return pressed;
  };
  const order: string[] = [];
  // Without the option, readline waits 500 ms.
  const unset = pressEscape({}).then(() => order.push('unset'));
  const set = pressEscape({ escapeCodeTimeout: 1 }).then((name) => order.push(name));
  await Promise.all([unset, set]);
  t.deepEqual(order, ['escape', 'unset']);
});

test('the pipes of a child process do not keep the agent alive', async (t) => {
  const started = performance.now();
  await evaluate(`
    import { spawn } from 'node:child_process';
    const child = spawn('sleep', ['20'], { stdio: ['pipe', 'ignore', 'pipe'] });
    child.unref();
    for (const stream of [child.stdin, child.stderr]) stream.unref();
  `);
  t.true(performance.now() - started < 15_000);
  const { stdin } = spawn('true', { stdio: ['pipe', 'ignore', 'ignore'] });
  t.is(typeof (stdin as unknown as Socket).unref, 'function');
});

test.serial("otlp-transformer encodes the agent's own metrics and spans", async (t) => {
  const telemetry = new Telemetry(pino({ level: 'silent' }));
  telemetry.count('portlight.records.sent', 3, { signal: 'logs' });
  let encoded: Buffer = Buffer.alloc(0);
  const own = await startOwnMetrics({
    telemetry,
    baseline: new Map(),
    resource: { 'service.name': 'portlight' },
    temporality: 'cumulative',
    emit: (otlp) => {
      encoded = otlp;
    },
  });
  await own.collect();
  await own.shutdown();
  const metrics = JSON.stringify(decodeMetrics(encoded));
  t.regex(metrics, /"name":"portlight\.records\.sent".*"asDouble":3\b/);
  let traces: Buffer = Buffer.alloc(0);
  const { tracer, shutdown } = startOwnTraces({
    resource: { 'service.name': 'portlight' },
    emit: (otlp) => {
      traces = otlp;
    },
  });
  tracer.startSpan('round', 'internal').end();
  await shutdown();
  t.regex(JSON.stringify(decodeTraces(traces)), /"name":"round"/);
});
