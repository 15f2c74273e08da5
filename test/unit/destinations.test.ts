/** Destinations, from OpenTelemetry's variables and from the file. */

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { loadConfig } from '../../agent/process/load-config.ts';
import { untilIntervalOffset } from '../../agent/rounds/interval-offset.ts';
import { type Destination, resolveDestinations } from '../../config/destinations.ts';
import { ConfigError } from '../../config/load.ts';
import { temporaryDirectory } from '../support/temporary.ts';

type Variables = Readonly<Record<string, string>>;

const destinationsOf = async (env: Variables, path?: string): Promise<Destination[]> =>
  resolveDestinations((await loadConfig({}, path, env)).config);

const general = async (env: Variables): Promise<Destination> => (await destinationsOf(env))[0]!;

async function mistakesOf(env: Variables, path?: string): Promise<readonly string[]> {
  try {
    await loadConfig({}, path, env);
  } catch (error) {
    if (error instanceof ConfigError) return error.problems;
    throw error;
  }
  return [];
}

function file(t: ExecutionContext, content: string): string {
  const directory = temporaryDirectory(t);
  const path = join(directory, 'portlight.yaml');
  writeFileSync(path, content);
  return path;
}

test("the paths of signals are appended to the general endpoint, and a signal's own endpoint is unchanged", async (t) => {
  const { endpoints: targets } = await general({
    OTEL_EXPORTER_OTLP_ENDPOINT: 'http://collector:4318/otlp/',
    OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: 'https://traces.example/in',
  });
  t.is(targets.logs!.url.href, 'http://collector:4318/otlp/v1/logs');
  t.is(targets.metrics!.url.href, 'http://collector:4318/otlp/v1/metrics');
  t.is(targets.traces!.url.href, 'https://traces.example/in');
});

test("a signal's own variables take precedence over the general ones", async (t) => {
  const { endpoints: targets } = await general({
    OTEL_EXPORTER_OTLP_ENDPOINT: 'http://collector:4318',
    OTEL_EXPORTER_OTLP_HEADERS: 'api-key=a%20b, X-Scope = general',
    OTEL_EXPORTER_OTLP_TIMEOUT: '2000',
    OTEL_EXPORTER_OTLP_COMPRESSION: 'gzip',
    OTEL_EXPORTER_OTLP_CERTIFICATE: '/ca.pem',
    OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE: '/client.pem',
    OTEL_EXPORTER_OTLP_CLIENT_KEY: '/client.key',
    OTEL_EXPORTER_OTLP_LOGS_PROTOCOL: 'http/json',
    OTEL_EXPORTER_OTLP_LOGS_HEADERS: 'other=1',
    OTEL_EXPORTER_OTLP_LOGS_TIMEOUT: '3000',
    OTEL_EXPORTER_OTLP_LOGS_COMPRESSION: 'none',
    OTEL_EXPORTER_OTLP_LOGS_CERTIFICATE: '/logs-ca.pem',
    OTEL_EXPORTER_OTLP_LOGS_CLIENT_CERTIFICATE: '/logs.pem',
    OTEL_EXPORTER_OTLP_LOGS_CLIENT_KEY: '/logs.key',
  });
  t.like(targets.metrics, {
    protocol: 'http/protobuf',
    headers: { 'api-key': 'a b', 'x-scope': 'general' },
    timeoutMs: 2000,
    compression: 'gzip',
    certificate: '/ca.pem',
    clientCertificate: '/client.pem',
    clientKey: '/client.key',
  });
  t.like(targets.logs, {
    protocol: 'http/json',
    headers: { other: '1' },
    timeoutMs: 3000,
    compression: 'none',
    certificate: '/logs-ca.pem',
    clientCertificate: '/logs.pem',
    clientKey: '/logs.key',
  });
});

test('gRPC endpoints need no scheme, and use TLS unless insecure is set', async (t) => {
  const urlOf = async (env: Variables) =>
    (await general({ OTEL_EXPORTER_OTLP_PROTOCOL: 'grpc', ...env })).endpoints.logs!.url.href;
  t.is(await urlOf({ PORTLIGHT_EXPORTER: 'otlp' }), 'http://localhost:4317/');
  t.is(await urlOf({ OTEL_EXPORTER_OTLP_ENDPOINT: 'collector:4317' }), 'https://collector:4317/');
  t.is(
    await urlOf({ OTEL_EXPORTER_OTLP_ENDPOINT: 'collector:4317', OTEL_EXPORTER_OTLP_INSECURE: 'TRUE' }),
    'http://collector:4317/',
  );
  t.is(
    await urlOf({
      OTEL_EXPORTER_OTLP_ENDPOINT: 'collector:4317',
      OTEL_EXPORTER_OTLP_LOGS_ENDPOINT: 'logs:4317',
      OTEL_EXPORTER_OTLP_LOGS_INSECURE: 'true',
    }),
    'http://logs:4317/',
  );
});

test('only signals with a receiver are sent', async (t) => {
  const { kinds, endpoints: targets } = await general({
    OTEL_EXPORTER_OTLP_LOGS_ENDPOINT: 'http://logs:4318/v1/logs',
  });
  t.deepEqual(kinds, ['logs', 'events']);
  t.is(targets.metrics, undefined);
  t.deepEqual(await destinationsOf({}), [], 'without any, nothing is sent');
  const env = { OTEL_EXPORTER_OTLP_ENDPOINT: 'http://collector:4318' };
  t.deepEqual(await destinationsOf({ ...env, OTEL_SDK_DISABLED: 'true' }), []);
  t.is((await destinationsOf({ ...env, OTEL_SDK_DISABLED: 'yes' })).length, 1, 'only true is true');
  t.deepEqual((await general({ ...env, OTEL_TRACES_EXPORTER: 'none' })).kinds, ['logs', 'events', 'metrics']);
});

test('several destinations have their own settings', async (t) => {
  const path = file(
    t,
    `
otlp: {endpoint: 'http://first:4318', signals: [metrics]}
spool: {max_size: 64MiB, max_age: 2h}
destinations:
  second:
    endpoint: second:4317
    protocol: grpc
    headers_file: /run/secrets/second
    signals: [logs, events]
    containers: {exclude: ['name=noisy-*']}
  third: {endpoint: 'https://third.example/otlp', metrics_order: oldest, timeout: 3s}
`,
  );
  const [first, second, third, ...more] = await destinationsOf({}, path);
  t.deepEqual(more, []);
  t.like(first, { name: 'otlp', kinds: ['metrics'], maxBytes: 64 * 1024 * 1024, maxAgeMs: 7_200_000 });
  t.like(second, {
    name: 'second',
    kinds: ['logs', 'events'],
    containers: { include: [], exclude: ['name=noisy-*'] },
    metricsOrder: 'newest',
  });
  t.is(second!.endpoints.logs!.url.href, 'https://second:4317/');
  t.is(second!.endpoints.logs!.headersFile, '/run/secrets/second');
  t.like(third, { name: 'third', kinds: ['logs', 'events', 'metrics', 'traces'], metricsOrder: 'oldest' });
  t.is(third!.endpoints.metrics!.url.href, 'https://third.example/otlp/v1/metrics');
  t.is(third!.endpoints.metrics!.timeoutMs, 3000);
  t.deepEqual((await loadConfig({}, path, {})).config.exporter, ['otlp']);
});

test('each mistake names the variable or the field of the destination', async (t) => {
  const wrong = async (name: string, value: string, more: Variables = {}) =>
    mistakesOf({ OTEL_EXPORTER_OTLP_ENDPOINT: 'http://c:4318', ...more, [name]: value });
  const mistakes: [string, string, string][] = [
    ['OTEL_EXPORTER_OTLP_ENDPOINT', 'collector', 'an http:// or https:// URL; for gRPC also host:port'],
    ['OTEL_EXPORTER_OTLP_LOGS_PROTOCOL', 'http/xml', 'one of http/protobuf, http/json, grpc'],
    ['OTEL_EXPORTER_OTLP_METRICS_COMPRESSION', 'zstd', 'one of none, gzip'],
    ['OTEL_EXPORTER_OTLP_INSECURE', 'maybe', 'true or false'],
  ];
  for (const [name, value, allowed] of mistakes) {
    const [mistake = ''] = await wrong(name, value);
    t.true(mistake.startsWith(`${name}: "${value}" is not allowed; expected ${allowed}`), mistake);
  }
  t.regex(
    (await wrong('OTEL_EXPORTER_OTLP_TIMEOUT', '10s0'))[0]!,
    /^OTEL_EXPORTER_OTLP_TIMEOUT: "10s0" is not/,
  );
  t.deepEqual(await wrong('OTEL_EXPORTER_OTLP_HEADERS', 'secret'), [
    'OTEL_EXPORTER_OTLP_HEADERS: the value is not allowed; expected key=value pairs with commas, percent-encoded',
  ]);
  t.deepEqual(await wrong('OTEL_EXPORTER_OTLP_ENDPOINT', 'collector:4318'), [
    'OTEL_EXPORTER_OTLP_ENDPOINT: "collector:4318" is not allowed; expected an http:// or https:// URL (only the protocol grpc allows host:port)',
  ]);
  t.deepEqual(await wrong('OTEL_EXPORTER_OTLP_CLIENT_KEY', '/key.pem'), [
    'otlp.client_certificate: is required with client_key; expected the path of a PEM file',
  ]);
  t.deepEqual(await wrong('OTEL_RESOURCE_ATTRIBUTES', 'prod'), [
    'OTEL_RESOURCE_ATTRIBUTES: "prod" is not allowed; expected key=value pairs with commas, percent-encoded',
  ]);

  const inFile = async (content: string) => {
    const path = file(t, content);
    return (await mistakesOf({}, path)).map((mistake) => mistake.replace(`${path}: `, ''));
  };
  t.deepEqual(await inFile('destinations: {a: {endpoint: "http://x", protocol: grcp}}'), [
    'destinations.a.protocol: "grcp" is not allowed; expected one of http/protobuf, http/json, grpc; did you mean grpc?',
  ]);
  t.deepEqual(await inFile('destinations: {a: {endpiont: "http://x"}}'), [
    'destinations.a.endpoint: is required; expected an http:// or https:// URL; for gRPC also host:port',
    'destinations.a.endpiont: is not a known key; did you mean endpoint?',
  ]);
  t.deepEqual(await inFile('destinations: {a: {endpoint: "http://x", containers: {include: [nmae=x]}}}'), [
    'destinations.a.containers.include: ["nmae=x"] is not allowed; expected a list of name=…, image=… or label=…, with * as wildcard',
  ]);
  t.deepEqual(await inFile('destinations: {a: {endpoint: "http://x", headers: secret}}'), [
    'destinations.a.headers: the value is not allowed; expected key=value pairs with commas, percent-encoded',
  ]);
  t.deepEqual(await inFile('destinations: {a: {endpoint: "x:4317"}}'), [
    'destinations.a.endpoint: "x:4317" is not allowed; expected an http:// or https:// URL (only the protocol grpc allows host:port)',
  ]);
  t.regex(
    (await inFile('destinations: [a]'))[0]!,
    /^destinations: \["a"\] is not allowed; expected names of/,
  );
  t.regex(
    (await inFile('destinations: {otlp: {endpoint: "http://x"}}'))[0]!,
    /^destinations\.otlp: "otlp" is not allowed/,
  );
});

test('each host has its own constant offset of rounds', (t) => {
  const INTERVAL = 10_000;
  const moments = Array.from({ length: 1000 }, (_, index) => {
    const id = `host-${index}`;
    const now = 1_700_000_000_000 + index * 137;
    const until = untilIntervalOffset(id, INTERVAL, now);
    t.true(until > 0 && until <= INTERVAL);
    const moment = (now + until) % INTERVAL;
    const again = (now + 123_456 + untilIntervalOffset(id, INTERVAL, now + 123_456)) % INTERVAL;
    t.true(Math.abs(moment - again) < 1 || Math.abs(moment - again) > INTERVAL - 1, `${moment} ${again}`);
    return moment;
  });
  const perSecond = new Array<number>(10).fill(0);
  for (const moment of moments) perSecond[Math.floor(moment / 1000) % 10]!++;
  t.true(Math.max(...perSecond) < 150, `${perSecond}`);
});

test('messages about mistakes do not show secrets', async (t) => {
  const path = file(t, 'destinations: [{endpoint: "http://u:pw@x", headers: key=TOPSECRET}]');
  const [mistake = ''] = await mistakesOf({}, path);
  t.true(mistake.includes('[{"endpoint":"http://********@x","headers":"********"}] is not allowed'), mistake);
});
