/** Requests on their way to a receiver that takes, refuses, delays and misunderstands them. No daemon is needed. */

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

test('requests are halved by records, and nothing of them is lost', (t) => {
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

  test(`a record that is refused over ${protocol} is found among many, and the others arrive in order`, async (t) => {
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
    await waitFor('all of it', () => counted('portlight.records.sent') === 98);
    t.deepEqual(
      bodiesOf(receiver),
      numbered(100).filter((body) => !bad.has(body)),
    );
    t.is(counted('portlight.records.dropped', 'refused'), 2);
    t.true(receiver.requests.logs < 40, `${receiver.requests.logs} requests`);
  });

  test(`a request that is too large for a receiver over ${protocol} is sent in parts`, async (t) => {
    const receiver = await receiverFor(t);
    if (!isGrpc)
      receiver.fault = (_, message) =>
        JSON.stringify(message).length > 100_000 ? { status: 413 } : undefined;
    const { exporter, counted } = await exporterTo(t, targetOf(urlOf(receiver, protocol), { protocol }));
    const bodies = numbered(isGrpc ? 70 : 64).map((body) => body.padEnd(isGrpc ? 100_000 : 5000, '.'));
    await exporter.export(batchOf(bodies));
    await waitFor('all of it', () => counted('portlight.records.sent') === bodies.length);
    t.deepEqual(bodiesOf(receiver), bodies);
    t.is(counted('portlight.records.dropped'), 0);
  });

  test(`what is rejected over ${protocol} of a request that is taken is counted, and not sent again`, async (t) => {
    const receiver = await receiverFor(t);
    receiver.fault = () => ({ status: isGrpc ? 0 : 200, rejected: 3 });
    const { exporter, counted } = await exporterTo(t, targetOf(urlOf(receiver, protocol), { protocol }));
    await exporter.export(batchOf(numbered(10)));
    await waitFor('the answer', () => counted('portlight.records.sent') === 7);
    t.is(counted('portlight.records.dropped', 'rejected'), 3);
    t.is(receiver.requests.logs, 1);
  });

  test(`a receiver that wants to be left alone for a while over ${protocol} is`, async (t) => {
    const receiver = await receiverFor(t);
    const times: number[] = [];
    receiver.fault = () => {
      times.push(performance.now());
      if (times.length > 1) return undefined;
      return { status: isGrpc ? 8 : 429, retryAfter: '2', retryDelayMs: 2000 };
    };
    const { exporter, counted } = await exporterTo(t, targetOf(urlOf(receiver, protocol), { protocol }));
    await exporter.export(batchOf(numbered(1)));
    await waitFor('it to be taken', () => counted('portlight.records.sent') === 1);
    t.true(times[1]! - times[0]! >= 1990, `${times[1]! - times[0]!} ms`);
  });
}

test('each answer is understood as the specification has it', async (t) => {
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
  // As it is told that there is nobody, too.
  const away = new Set([4, 14]);
  for (let status = 1; status <= 16; status++) {
    const kind = retried.has(status) ? 'retry' : away.has(status) ? 'unreachable' : 'refused';
    t.is(await kindOf('grpc', { status }), kind, `gRPC ${status}`);
  }
  t.is(await kindOf('grpc', { status: 14, retryDelayMs: 1000 }), 'retry', 'UNAVAILABLE with RetryInfo');
  t.is(await kindOf('grpc', { status: 8, retryDelayMs: 1000 }), 'retry', 'RESOURCE_EXHAUSTED with RetryInfo');
});

/** A server of raw bytes. */
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

test('silence, dripping, resets, cuts and junk end by the deadline, and are tried again', async (t) => {
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
      const begun = performance.now();
      const verdict = await transport.send(requestOf(['one']));
      transport.close();
      // gRPC has a code of its own for a connection that ends in the middle of it.
      t.true(
        verdict.kind === 'unreachable' || verdict.kind === 'retry',
        `${name} ${protocol} ${verdict.kind}`,
      );
      t.true(performance.now() - begun < 5000, `${name} ${protocol} ${performance.now() - begun}`);
    }
  }
});

test('headers, those of a file too, and gzip', async (t) => {
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

test('a destination gets what its rules choose, and nothing else', async (t) => {
  const receiver = await receiverFor(t);
  const { exporter } = await exporterTo(t, targetOf(urlOf(receiver, 'http/protobuf')), {
    containers: { include: ['name=web*'], exclude: [] },
  });
  const of = (name: string): Resource => ({
    attributes: { 'container.name': name },
    subject: { name, image: 'i', labels: {} },
  });
  await exporter.export(batchOf(['not wanted'], of('db')));
  await exporter.export(batchOf(['wanted'], of('web-1')));
  await exporter.export(batchOf(['of the host']));
  await exporter.export({ ...batchOf(['no event']), kind: 'event' } as Batch);
  await waitFor('the last', () => bodiesOf(receiver).includes('of the host'));
  t.deepEqual(bodiesOf(receiver), ['wanted', 'of the host']);
});

test('all that goes to a receiver that is away waits for one that asks it', async (t) => {
  const ending = new AbortController();
  const gate = new CircuitBreaker(ending.signal);
  const early = await gate.acquire();
  gate.recordFailure(early);
  t.false(gate.isReachable);
  const passed: Permit[] = [];
  const waiting = Array.from({ length: 5 }, () => gate.acquire().then((pass) => passed.push(pass)));
  await waitFor('the first', () => passed.length === 1);
  // What was under way before comes back late.
  gate.recordFailure(early);
  await new Promise((resolve) => setTimeout(resolve, 300));
  t.is(passed.length, 1, 'one asks at a time');
  gate.recordFailure(passed[0]!);
  await waitFor('the next', () => passed.length === 2);
  gate.release(passed[1]!);
  await waitFor('another in its place', () => passed.length === 3);
  t.true(gate.recordSuccess() > 300);
  await Promise.all(waiting);
  t.is(passed.length, 5);
  t.true(gate.isReachable);
});

test('what the receiver does not want of one signal holds up no other', async (t) => {
  const receiver = await receiverFor(t);
  let tries = 0;
  receiver.fault = (_, message) => {
    if (!JSON.stringify(message).includes('unwanted')) return undefined;
    tries++;
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
  t.true(tries < 8, `${tries} tries in two seconds, the waits between them double`);
});

test('a receiver that finds everything too large is not asked without end', async (t) => {
  const receiver = await receiverFor(t);
  receiver.fault = () => ({ status: 413 });
  const { exporter, counted } = await exporterTo(t, targetOf(urlOf(receiver, 'http/protobuf')));
  await exporter.export(batchOf(numbered(4000)));
  await waitFor('it to be given up', () => counted('portlight.records.dropped', 'too_large') === 4000);
  t.true(receiver.requests.logs <= 2100, `${receiver.requests.logs} requests`);
});

test('an end waits for the answer of a receiver that has refused before, which may have taken it', async (t) => {
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
