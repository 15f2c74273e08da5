// biome-ignore-all lint/suspicious/noTemplateCurlyInString: templates of the configuration file are what is tested

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { loadConfig } from '../../agent/process/load-config.ts';
import { parseDuration } from '../../config/duration.ts';
import { ConfigError } from '../../config/load.ts';
import { options } from '../../config/schema.ts';
import { temporaryDirectory } from '../support/temporary.ts';

function file(t: ExecutionContext, content: string): string {
  const directory = temporaryDirectory(t);
  const path = join(directory, 'portlight.yaml');
  writeFileSync(path, content);
  return path;
}

/** The problems of a file, without its name. */
async function problemsOf(t: ExecutionContext, content: string): Promise<string[]> {
  const path = file(t, content);
  const error = await t.throwsAsync(loadConfig({}, path, {}), { instanceOf: ConfigError });
  return (error as ConfigError).problems.map((line) => line.replace(`${path}: `, ''));
}

test('the exporter is console by default, and otlp with an endpoint', async (t) => {
  const { config, settings } = await loadConfig({}, undefined, {});
  t.deepEqual(config.exporter, ['console']);
  t.is(config.interval, 10_000);
  t.is(config.logs.first_sight, 'now');
  t.deepEqual(config.listen, { host: '127.0.0.1', port: 9797 });
  t.is(settings.get('interval')!.origin, 'default');
  const underSystemd = { STATE_DIRECTORY: '/var/lib/portlight' };
  t.is((await loadConfig({}, undefined, underSystemd)).config.data_dir, '/var/lib/portlight');

  const env = { OTEL_EXPORTER_OTLP_ENDPOINT: 'http://collector:4318' };
  const shipping = (await loadConfig({}, undefined, env)).config;
  t.deepEqual(shipping.exporter, ['otlp']);
  t.is(shipping.logs.first_sight, 'start');
  t.deepEqual((await loadConfig({ exporter: 'console' }, undefined, env)).config.exporter, ['console']);
  const metricsOnly = { OTEL_EXPORTER_OTLP_METRICS_ENDPOINT: 'http://collector:4318/v1/metrics' };
  t.deepEqual((await loadConfig({}, undefined, metricsOnly)).config.exporter, ['otlp']);
});

test('flags take precedence over PORTLIGHT_*, then OTEL_*, then the file', async (t) => {
  const path = file(t, 'interval: 1s\nlog_level: warn\nlisten: "[::1]:80"\nexporter: [console, otlp]\n');
  const env = { OTEL_METRIC_EXPORT_INTERVAL: '2000', PORTLIGHT_INTERVAL: '3s', PORTLIGHT_LOG_LEVEL: 'error' };
  const load = async (flags: object, used: Partial<typeof env>) =>
    (await loadConfig({ ...flags }, path, used)).config;
  t.is((await load({ interval: '4s' }, env)).interval, 4000);
  t.is((await load({}, env)).interval, 3000);
  t.is((await load({}, { OTEL_METRIC_EXPORT_INTERVAL: '2000' })).interval, 2000);
  t.is((await load({}, {})).interval, 1000);
  const { config, settings } = await loadConfig({}, path, env);
  t.is(config.log_level, 'error');
  t.deepEqual(config.listen, { host: '::1', port: 80 });
  t.deepEqual(config.exporter, ['console', 'otlp']);
  t.is(settings.get('log_level')!.origin, 'PORTLIGHT_LOG_LEVEL');
  t.is(settings.get('exporter')!.origin, path);
});

test('each problem is one line with path, value, allowed values and the nearest known name', async (t) => {
  t.deepEqual(
    await problemsOf(
      t,
      'intervall: 5s\nexporter: [consle]\ninterval: 0s\nlogs:\n  first_sigt: now\nlisten: 9797\nlog_level: 3\n',
    ),
    [
      'intervall: is not a known key; did you mean interval?',
      'logs.first_sigt: is not a known key; did you mean logs.first_sight?',
      'exporter: ["consle"] is not allowed; expected a list of otlp, console; did you mean console?',
      'interval: "0s" is not allowed; expected a duration between 100ms and 1h with its unit (ms, s, m, h), such as 10s',
      'listen: 9797 is not allowed; expected address:port, such as 127.0.0.1:9797',
      'log_level: 3 is not allowed; expected one of trace, debug, info, warn, error, silent',
    ],
  );
  t.deepEqual(await problemsOf(t, 'interval:\n'), [
    'interval: null is not allowed; expected a duration between 100ms and 1h with its unit (ms, s, m, h), such as 10s',
  ]);
  const [below] = await problemsOf(t, 'logs: 3\n');
  t.regex(below!, /^logs: 3 is not allowed; expected keys below it: first_sight, parser, /);
  t.deepEqual(await problemsOf(t, '- a\n'), ['expected keys and values, such as "interval: 10s"']);
});

test('invalid YAML and an unreadable file are reported with their place', async (t) => {
  const [line] = await problemsOf(t, 'interval: 10s\nexporter: [console\n');
  t.regex(line!, /^not YAML: .* at line 3/);
  const error = await t.throwsAsync(loadConfig({}, '/nowhere/portlight.yaml', {}));
  t.regex(error!.message, /^\/nowhere\/portlight\.yaml: cannot be read: ENOENT/);
});

test('a problem of a flag or variable names the flag or variable', async (t) => {
  const error = await t.throwsAsync(
    loadConfig({ 'logs.first_sight': 'end' }, undefined, {
      PORTLIGHT_LISTEN: 'x',
      PORTLIGHT_INTERVALL: '1s',
      PORTLIGHT_PORT: 'tcp://1',
    }),
  );
  t.deepEqual((error as ConfigError).problems, [
    'PORTLIGHT_INTERVALL: is not a known variable; did you mean PORTLIGHT_INTERVAL?',
    'PORTLIGHT_LISTEN: "x" is not allowed; expected address:port, such as 127.0.0.1:9797',
    '--logs-first-sight: "end" is not allowed; expected start, now, or last and a duration, such as "last 10m"',
  ]);
});

test('the value of a secret option is not shown in a problem', async (t) => {
  const [line] = await problemsOf(t, 'otlp:\n  headers: [s3cret]\n');
  t.is(line, 'otlp.headers: the value is not allowed; expected key=value pairs with commas, percent-encoded');
});

test('an empty file is valid', async (t) => {
  t.is((await loadConfig({}, file(t, ''), {})).config.interval, 10_000);
});

test('variables in the file are substituted, and cannot change its structure', async (t) => {
  const path = file(
    t,
    [
      'otlp: {endpoint: "http://${GATEWAY}:4318", headers: "x-key=${env:KEY:-none}", compression: "${COMPRESSION:-}"}',
      'exporter: ${EXPORTER:-otlp,console}',
      'interval: ${INTERVAL:-5s}',
      'traces: {enabled: "${TRACES}"}',
      'logs: {drop: ["^GET /$", "costs $${PRICE}"]}',
      'data_dir: "/data/${ODD}"',
      'destinations: {second: {endpoint: "${SECOND:-http://second}", headers: "${SECOND_HEADERS:-}"}}',
    ].join('\n'),
  );
  const env = { GATEWAY: 'gateway', INTERVAL: '', TRACES: 'false', ODD: "a: b\n  '}" };
  const { config, settings } = await loadConfig({}, path, env);
  t.is(config.otlp.endpoint, 'http://gateway:4318');
  t.is(config.otlp.headers, 'x-key=none');
  t.is(config.otlp.compression, 'none');
  t.is(settings.get('otlp.compression')!.origin, 'default');
  t.deepEqual(config.exporter, ['otlp', 'console']);
  t.is(config.interval, 5000);
  t.false(config.traces.enabled);
  t.deepEqual(config.logs.drop, ['^GET /$', 'costs ${PRICE}']);
  t.is(config.data_dir, `/data/${env.ODD}`);
  t.is(config.destinations.second!.endpoint, 'http://second');
  t.is(config.destinations.second!.headers, undefined);
});

test('an unset variable and an invalid reference are reported with their place', async (t) => {
  t.deepEqual(
    await problemsOf(t, 'data_dir: ${DIRECTORY}\nlogs: {drop: [a, "${file:/x}"]}\ninterval: ${1:-5s}\n'),
    [
      'data_dir: the environment variable DIRECTORY is not set; set it, or add a default: ${DIRECTORY:-…}',
      'logs.drop[1]: "${file:/x}" is not allowed; expected ${NAME}, ${NAME:-default}, or $$ for a dollar sign',
      'interval: "${1:-5s}" is not allowed; expected ${NAME}, ${NAME:-default}, or $$ for a dollar sign',
    ],
  );
});

test('durations need a unit', (t) => {
  t.is(parseDuration('1.5s'), 1500);
  t.is(parseDuration('2m'), 120_000);
  t.is(parseDuration('10'), Number.NaN);
  t.is(parseDuration('s'), Number.NaN);
});

test('every option has a description, its own variable, and allowed values', (t) => {
  t.is(new Set(options.map(({ variable }) => variable)).size, options.length);
  for (const { path, description, allowed } of options) t.true(description !== '' && allowed !== '', path);
});

test('scopes other than host need exactly one daemon', async (t) => {
  const daemons = 'daemons: {b: {host: "tcp://b:2375"}}\n';
  t.deepEqual(await problemsOf(t, `scope: pod\n${daemons}`), [
    'scope: "pod" is not allowed; expected host: other scopes cannot be combined with daemons',
  ]);
  t.deepEqual(await problemsOf(t, 'scope: project\ndocker_host: none\n'), [
    'scope: "project" is not allowed; expected host: other scopes need a daemon, and docker_host is none',
  ]);
  t.deepEqual(await problemsOf(t, `docker_host: none\n${daemons}`), [
    'docker_host: "none" cannot be combined with daemons',
  ]);
  const [line] = await problemsOf(t, 'scope: prject\n');
  t.is(
    line,
    'scope: "prject" is not allowed; expected one of host, project, pod, self; did you mean project?',
  );
});
