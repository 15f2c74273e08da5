/** Requests to a receiver that accepts, refuses, delays or misinterprets them. No daemon is needed. */

import { once } from 'node:events';
import { rmSync, writeFileSync } from 'node:fs';
import { createServer as createHttpServer } from 'node:http';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import fc from 'fast-check';
import pino from 'pino';
import type { Resource } from '../../collectors/records/records.ts';
import type { Destination, SignalEndpoint } from '../../config/destinations.ts';
import { OtlpExporter } from '../../exporters/otlp/index.ts';
import { createTransport } from '../../exporters/otlp/transport.ts';
import { encodeEvent, encodeRequest } from '../../exporters/otlp/wire/encode.ts';
import { countRecords, halve } from '../../exporters/otlp/wire/split.ts';
import { Writer } from '../../exporters/otlp/wire/writer.ts';
import { CircuitBreaker, type Permit } from '../../exporters/sending/circuit-breaker.ts';
import type { Batch } from '../../exporters/shared/batch.ts';
import { type OwnMetric, Telemetry } from '../../exporters/shared/telemetry.ts';
import { Receiver } from '../support/receiver.ts';
import { temporaryDirectory } from '../support/temporary.ts';
import { waitFor } from '../support/wait.ts';

const PROTOCOLS = ['http/protobuf', 'http/json', 'grpc'] as const;

const targetOf = (url: string, more: Partial<SignalEndpoint> = {}): SignalEndpoint => ({
  signal: 'logs',
  protocol: 'http/protobuf',
  url: new URL(url),
  headers: {},
  headersFile: undefined,
  timeoutMs: 10_000,
  compression: 'none',
  certificate: undefined,
  clientCertificate: undefined,
  clientKey: undefined,
  ...more,
});

const urlOf = (receiver: Receiver, protocol: SignalEndpoint['protocol']): string =>
  protocol === 'grpc' ? receiver.endpoint('grpc') : `${receiver.endpoint('http')}/v1/logs`;

/** A request of log records with these bodies. */
function requestOf(
  bodies: readonly string[],
  resource: Resource = { attributes: { 'service.name': 'test' } },
): Buffer {
  const writer = new Writer(1024);
  for (const body of bodies)
    encodeEvent(writer, { eventName: 'test', time: 1n, severity: 9, body, attributes: {} }, 1n);
  return encodeRequest(resource, 'portlight.events', writer.bytes());
}

const batchOf = (bodies: readonly string[], resource?: Resource): Batch => ({
  signal: 'logs',
  kind: 'log',
  resource: resource ?? { attributes: {} },
  count: bodies.length,
  otlp: requestOf(bodies, resource),
});

const numbered = (count: number): string[] => Array.from({ length: count }, (_, index) => `record ${index}`);

async function exporterTo(t: ExecutionContext, target: SignalEndpoint, more: Partial<Destination> = {}) {
  const telemetry = new Telemetry(pino({ level: 'silent' }));
  const directory = temporaryDirectory(t);
  const exporter = await OtlpExporter.create(
    {
      name: 'test',
      kinds: ['logs'],
      endpoints: { logs: target, metrics: undefined, traces: undefined },
      containers: { include: [], exclude: [] },
      metricsOrder: 'newest',
      backlogRate: 1e9,
      maxBytes: 1e8,
      maxAgeMs: 3_600_000,
      ...more,
    },
    directory,
    true,
    telemetry,
  );
  exporter.start();
  t.teardown(async () => {
    await exporter.shutdown(AbortSignal.abort());
    rmSync(directory, { recursive: true, force: true });
  });
  const counted = (metric: OwnMetric, reason?: string): number =>
    [...telemetry.counterSeries(metric)]
      .filter(({ attributes }) => reason === undefined || attributes.reason === reason)
      .reduce((sum, { value }) => sum + value, 0);
  return { exporter, counted };
}

const bodiesOf = (receiver: Receiver): string[] => receiver.logs.map(({ body }) => String(body));

const receiverFor = async (t: ExecutionContext): Promise<Receiver> => {
  const receiver = await Receiver.start();
  t.teardown(() => receiver.stop());
  return receiver;
};

test('halving a request keeps all its records', (t) => {
  fc.assert(
    fc.property(
      fc.array(fc.array(fc.string({ maxLength: 200 }), { maxLength: 6 }), { minLength: 1, maxLength: 5 }),
      (resources) => {
        const request = Buffer.concat(
          resources.map((bodies, index) =>
            requestOf(bodies, { attributes: { 'service.name': `s${index}` } }),
          ),
        );
        const bodies = resources.flat();
        t.is(countRecords(request), bodies.length);
        const halves = halve(request);
        if (bodies.length < 2) {
          t.is(halves, undefined);
          return;
        }
        const [one, other] = halves!;
        t.is(countRecords(one), Math.ceil(bodies.length / 2));
        t.is(countRecords(other), Math.floor(bodies.length / 2));
      },
    ),
  );
});

for (const protocol of PROTOCOLS) {
  const isGrpc = protocol === 'grpc';

  test(`a refused record is found among many over ${protocol}, and the others arrive in order`, async (t) => {
    const receiver = await receiverFor(t);
    const bad = new Set(['record 17', 'record 80']);
    receiver.fault = (_, message) =>
      JSON.stringify(message)
        .match(/record \d+/g)!
        .some((body) => bad.has(body))
        ? { status: isGrpc ? 3 : 400 }
        : undefined;
    const { exporter, counted } = await exporterTo(t, targetOf(urlOf(receiver, protocol), { protocol }));
    await exporter.export(batchOf(numbered(100)));
    await waitFor('the last record', () => bodiesOf(receiver).includes('record 99'));
    await waitFor('all records', () => counted('portlight.records.sent') === 98);
    t.deepEqual(
      bodiesOf(receiver),
      numbered(100).filter((body) => !bad.has(body)),
    );
    t.is(counted('portlight.records.dropped', 'refused'), 2);
    t.true(receiver.requests.logs < 40, `${receiver.requests.logs} requests`);
  });

  test(`a request that is too large is sent in parts over ${protocol}`, async (t) => {
    const receiver = await receiverFor(t);
    if (!isGrpc)
      receiver.fault = (_, message) =>
        JSON.stringify(message).length > 100_000 ? { status: 413 } : undefined;
    const { exporter, counted } = await exporterTo(t, targetOf(urlOf(receiver, protocol), { protocol }));
    const bodies = numbered(isGrpc ? 70 : 64).map((body) => body.padEnd(isGrpc ? 100_000 : 5000, '.'));
    await exporter.export(batchOf(bodies));
    await waitFor('all records', () => counted('portlight.records.sent') === bodies.length);
    t.deepEqual(bodiesOf(receiver), bodies);
    t.is(counted('portlight.records.dropped'), 0);
  });

  test(`records rejected by a partial success over ${protocol} are counted, and not sent again`, async (t) => {
    const receiver = await receiverFor(t);
    receiver.fault = () => ({ status: isGrpc ? 0 : 200, rejected: 3 });
    const { exporter, counted } = await exporterTo(t, targetOf(urlOf(receiver, protocol), { protocol }));
    await exporter.export(batchOf(numbered(10)));
    await waitFor('the answer', () => counted('portlight.records.sent') === 7);
    t.is(counted('portlight.records.dropped', 'rejected'), 3);
    t.is(receiver.requests.logs, 1);
  });

  test(`a retry waits for the time that the receiver asks for over ${protocol}`, async (t) => {
    const receiver = await receiverFor(t);
    const times: number[] = [];
    receiver.fault = () => {
      times.push(performance.now());
      if (times.length > 1) return undefined;
      return { status: isGrpc ? 8 : 429, retryAfter: '2', retryDelayMs: 2000 };
    };
    const { exporter, counted } = await exporterTo(t, targetOf(urlOf(receiver, protocol), { protocol }));
    await exporter.export(batchOf(numbered(1)));
    await waitFor('the retry', () => counted('portlight.records.sent') === 1);
    t.true(times[1]! - times[0]! >= 1990, `${times[1]! - times[0]!} ms`);
  });
}

test('answers are classified as the specification says', async (t) => {
  const receiver = await receiverFor(t);
  const kindOf = async (
    protocol: SignalEndpoint['protocol'],
    answer: { status: number; retryDelayMs?: number },
  ) => {
    receiver.fault = () => answer;
    const transport = await createTransport(targetOf(urlOf(receiver, protocol), { protocol }));
    const { kind } = await transport.send(requestOf(['one']));
    transport.close();
    return kind;
  };
  const http = {
    400: 'refused',
    401: 'refused',
    403: 'refused',
    404: 'refused',
    413: 'too_large',
    429: 'retry',
  };
  for (const [status, kind] of Object.entries({
    ...http,
    500: 'refused',
    501: 'refused',
    502: 'retry',
    503: 'retry',
    504: 'retry',
  }))
    t.is(await kindOf('http/protobuf', { status: Number(status) }), kind as 'retry', status);
  const retried = new Set([1, 10, 11, 15]);
  // grpc-js reports a failed connection with these too.
  const unreachable = new Set([4, 14]);
  for (let status = 1; status <= 16; status++) {
    const kind = retried.has(status) ? 'retry' : unreachable.has(status) ? 'unreachable' : 'refused';
    t.is(await kindOf('grpc', { status }), kind, `gRPC ${status}`);
  }
  t.is(await kindOf('grpc', { status: 14, retryDelayMs: 1000 }), 'retry', 'UNAVAILABLE with RetryInfo');
  t.is(await kindOf('grpc', { status: 8, retryDelayMs: 1000 }), 'retry', 'RESOURCE_EXHAUSTED with RetryInfo');
});

/** A server that answers with raw bytes. */
async function serve(t: ExecutionContext, onData: (socket: Socket) => void): Promise<string> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => {});
    socket.once('data', () => onData(socket));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.teardown(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

const HEAD = 'HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n';

test('silent, dripping, reset, incomplete and invalid answers end by the deadline, and are retried', async (t) => {
  const dripping = (socket: Socket) => {
    socket.write(HEAD);
    const timer = setInterval(() => socket.write('x'), 50);
    socket.on('close', () => clearInterval(timer));
  };
  const bad: Record<string, (socket: Socket) => void> = {
    silent: () => {},
    dripping,
    reset: (socket) => void socket.resetAndDestroy(),
    cut: (socket) => void socket.end(`${HEAD}xx`),
    junk: (socket) => void socket.end('SSH-2.0-OpenSSH\r\n'),
    upgrade: (socket) =>
      void socket.write('HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: other\r\n\r\n'),
  };
  for (const [name, act] of Object.entries(bad)) {
    const url = await serve(t, act);
    for (const protocol of PROTOCOLS) {
      const transport = await createTransport(targetOf(url, { protocol, timeoutMs: 500 }));
      const started = performance.now();
      const result = await transport.send(requestOf(['one']));
      transport.close();
      // gRPC has a separate code for a connection that ends during a request.
      t.true(result.kind === 'unreachable' || result.kind === 'retry', `${name} ${protocol} ${result.kind}`);
      t.true(performance.now() - started < 5000, `${name} ${protocol} ${performance.now() - started}`);
    }
  }
});

test('requests have the configured headers, those of the headers file, and gzip', async (t) => {
  const receiver = await receiverFor(t);
  const directory = temporaryDirectory(t);
  const headersFile = join(directory, 'headers');
  writeFileSync(headersFile, '# secrets\nAuthorization: Bearer abc=\n\nx-scope = b\n');
  for (const protocol of PROTOCOLS) {
    const transport = await createTransport(
      targetOf(urlOf(receiver, protocol), {
        protocol,
        headers: { 'x-scope': 'a', 'api-key': 'k' },
        headersFile,
        compression: 'gzip',
      }),
    );
    t.is((await transport.send(requestOf(numbered(50)))).kind, 'accepted');
    transport.close();
    const { authorization, 'api-key': key, 'x-scope': scope } = receiver.headers;
    t.deepEqual({ authorization, key, scope }, { authorization: 'Bearer abc=', key: 'k', scope: 'b' });
    t.true(String(receiver.headers['user-agent']).includes('portlight/'));
  }
  t.is(receiver.logs.length, 150);
  writeFileSync(headersFile, 'secret without colon\n');
  await t.throwsAsync(createTransport(targetOf('http://127.0.0.1:9', { headersFile })), {
    message: /^headers_file: line 1 of .* is not allowed; expected name: value$/,
  });
  await t.throwsAsync(createTransport(targetOf('https://127.0.0.1:9', { certificate: '/nowhere.pem' })), {
    message: /^certificate: cannot read \/nowhere.pem/,
  });
});

test('a destination gets only the containers that it selects', async (t) => {
  const receiver = await receiverFor(t);
  const { exporter } = await exporterTo(t, targetOf(urlOf(receiver, 'http/protobuf')), {
    containers: { include: ['name=web*'], exclude: [] },
  });
  const resourceNamed = (name: string): Resource => ({
    attributes: { 'container.name': name },
    subject: { name, image: 'i', labels: {} },
  });
  await exporter.export(batchOf(['not wanted'], resourceNamed('db')));
  await exporter.export(batchOf(['wanted'], resourceNamed('web-1')));
  await exporter.export(batchOf(['host']));
  await exporter.export({ ...batchOf(['no event']), kind: 'event' } as Batch);
  await waitFor('the last record', () => bodiesOf(receiver).includes('host'));
  t.deepEqual(bodiesOf(receiver), ['wanted', 'host']);
});

test('an unreachable receiver gets one probe at a time', async (t) => {
  const ending = new AbortController();
  const breaker = new CircuitBreaker(ending.signal);
  const early = await breaker.acquire();
  breaker.recordFailure(early);
  t.false(breaker.isReachable);
  const permits: Permit[] = [];
  const waiting = Array.from({ length: 5 }, () => breaker.acquire().then((permit) => permits.push(permit)));
  await waitFor('the first', () => permits.length === 1);
  // A request that was in flight fails late.
  breaker.recordFailure(early);
  await new Promise((resolve) => setTimeout(resolve, 300));
  t.is(permits.length, 1, 'one probe at a time');
  breaker.recordFailure(permits[0]!);
  await waitFor('the next', () => permits.length === 2);
  breaker.release(permits[1]!);
  await waitFor('another in its place', () => permits.length === 3);
  t.true(breaker.recordSuccess() > 300);
  await Promise.all(waiting);
  t.is(permits.length, 5);
  t.true(breaker.isReachable);
});

test('a throttled signal does not hold up another', async (t) => {
  const receiver = await receiverFor(t);
  let attempts = 0;
  receiver.fault = (_, message) => {
    if (!JSON.stringify(message).includes('unwanted')) return undefined;
    attempts++;
    return { status: 503 };
  };
  const { exporter } = await exporterTo(t, targetOf(urlOf(receiver, 'http/protobuf')), {
    kinds: ['logs', 'events'],
  });
  void exporter.export(batchOf(['unwanted']));
  for (let index = 0; index < 20; index++) {
    await exporter.export({ ...batchOf([`event ${index}`]), kind: 'event' } as Batch);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  t.is(bodiesOf(receiver).length, 20);
  t.true(attempts < 8, `${attempts} attempts in two seconds, with doubling waits`);
});

test('a receiver that refuses every size gets a limited number of requests', async (t) => {
  const receiver = await receiverFor(t);
  receiver.fault = () => ({ status: 413 });
  const { exporter, counted } = await exporterTo(t, targetOf(urlOf(receiver, 'http/protobuf')));
  await exporter.export(batchOf(numbered(4000)));
  await waitFor(
    'the records to be dropped',
    () => counted('portlight.records.dropped', 'too_large') === 4000,
  );
  t.true(receiver.requests.logs <= 2100, `${receiver.requests.logs} requests`);
});

test('shutdown waits for the answer to a request in flight, even from a receiver that refused before', async (t) => {
  let requests = 0;
  const server = createHttpServer((request, response) => {
    request.resume();
    if (++requests === 1) response.writeHead(503).end();
    else setTimeout(() => response.end(), 800);
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  t.teardown(() => server.close());
  const { port } = server.address() as AddressInfo;
  const { exporter, counted } = await exporterTo(t, targetOf(`http://127.0.0.1:${port}/v1/logs`));
  void exporter.export(batchOf(['once']));
  await waitFor('a second request', () => requests === 2);
  await exporter.shutdown(AbortSignal.timeout(10_000));
  t.is(counted('portlight.records.sent'), 1);
});
