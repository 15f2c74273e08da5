/** Spans of the agent's own work: what starts one, how they are encoded, and what is not traced. */
import test, { type ExecutionContext } from 'ava';
import { pino } from 'pino';
import { loadConfig } from '../../agent/process/load-config.ts';
import { startTracing, stopTracing } from '../../agent/process/self-tracing.ts';
import { runMetricsRound } from '../../agent/rounds/metrics-round.ts';
import { requestSpans } from '../../agent/targets/request-spans.ts';
import type { Resource } from '../../collectors/records/records.ts';
import { resolveDestinations, type SignalEndpoint } from '../../config/destinations.ts';
import { OtlpExporter } from '../../exporters/otlp/index.ts';
import { decodeTraces } from '../../exporters/otlp/wire/decode.ts';
import { encodeEvent, encodeRequest, encodeSpan } from '../../exporters/otlp/wire/encode.ts';
import { hasOnlyScope } from '../../exporters/otlp/wire/split.ts';
import { Writer } from '../../exporters/otlp/wire/writer.ts';
import { createTracingTransport } from '../../exporters/sending/tracing-transport.ts';
import type { OwnSpan, OwnSpanAttributes, OwnTracer } from '../../exporters/shared/own-tracer.ts';
import { Telemetry } from '../../exporters/shared/telemetry.ts';
import { fakeDaemon } from '../support/fake-daemon.ts';
import { Receiver } from '../support/receiver.ts';
import { temporaryDirectory } from '../support/temporary.ts';
import { waitFor } from '../support/wait.ts';

interface Recorded {
  readonly name: string;
  readonly parent: string | undefined;
  readonly attributes: Record<string, string | number>;
  error?: string | undefined;
  isEnded: boolean;
}

/** Keeps every span. */
class RecordingTracer implements OwnTracer {
  readonly spans: Recorded[] = [];

  startSpan(name: string, _kind: string, attributes?: OwnSpanAttributes): OwnSpan {
    return this.start(name, undefined, attributes);
  }

  private start(name: string, parent: string | undefined, attributes: OwnSpanAttributes = {}): OwnSpan {
    const recorded: Recorded = { name, parent, attributes: { ...attributes }, isEnded: false };
    this.spans.push(recorded);
    return {
      startChild: (child, given) => this.start(child, name, given),
      setAttribute(key, value) {
        recorded.attributes[key] = value;
      },
      end(error) {
        recorded.error = error;
        recorded.isEnded = true;
      },
    };
  }
}

const quietTelemetry = () => new Telemetry(pino({ level: 'silent' }));

function tracedTelemetry() {
  const telemetry = quietTelemetry();
  const tracer = new RecordingTracer();
  telemetry.tracer = tracer;
  return { telemetry, tracer };
}

const RESOURCE: Resource = { attributes: { 'service.name': 'portlight', 'host.name': 'h' } };

interface DecodedSpan {
  readonly name: string;
  readonly spanId: string;
  readonly traceId: string;
  readonly parentSpanId?: string;
  readonly kind: number;
  readonly startTimeUnixNano: string;
  readonly endTimeUnixNano: string;
  readonly status?: { readonly code?: number; readonly message?: string };
}

interface DecodedRequest {
  readonly resourceSpans: {
    readonly resource: { readonly attributes: { readonly key: string; readonly value: unknown }[] };
    readonly scopeSpans: { readonly scope: { readonly name: string }; readonly spans: DecodedSpan[] }[];
  }[];
}

/** An encoded request with one span, made by the SDK. */
async function ownSpans(work: (tracer: OwnTracer) => void): Promise<{ otlp: Buffer; count: number }[]> {
  const telemetry = quietTelemetry();
  const emitted: { otlp: Buffer; count: number }[] = [];
  const traces = await startTracing(telemetry, {
    resource: RESOURCE.attributes,
    emit: (otlp, count) => emitted.push({ otlp, count }),
  });
  work(telemetry.tracer!);
  await stopTracing(telemetry, traces);
  return emitted;
}

test.serial('spans are encoded with their names, parents, durations, errors and the resource', async (t) => {
  const [request, ...others] = await ownSpans((tracer) => {
    const parent = tracer.startSpan('parent', 'internal', { size: 3 });
    const child = parent.startChild('child');
    child.setAttribute('key', 'value');
    child.end('it failed');
    parent.end();
    tracer.startSpan('request', 'client').end();
  });
  t.deepEqual(others, []);
  t.is(request!.count, 3);
  const { resourceSpans } = decodeTraces(request!.otlp) as unknown as DecodedRequest;
  t.is(resourceSpans.length, 1);
  const attributes = resourceSpans[0]!.resource.attributes;
  t.deepEqual(attributes.find(({ key }) => key === 'service.name')!.value, { stringValue: 'portlight' });
  t.deepEqual(attributes.find(({ key }) => key === 'host.name')!.value, { stringValue: 'h' });
  const [{ scope, spans }] = resourceSpans[0]!.scopeSpans as [
    DecodedRequest['resourceSpans'][0]['scopeSpans'][0],
  ];
  t.is(scope.name, 'portlight.self');
  const named = (name: string) => spans.find((span) => span.name === name)!;
  const [parent, child] = [named('parent'), named('child')];
  t.is(child.parentSpanId, parent.spanId);
  t.is(child.traceId, parent.traceId);
  t.falsy(parent.parentSpanId);
  t.deepEqual({ ...child.status }, { code: 2, message: 'it failed' });
  t.not(parent.status?.code, 2);
  t.is(named('request').kind, 3);
  t.not(named('request').traceId, parent.traceId);
  for (const { startTimeUnixNano, endTimeUnixNano } of spans)
    t.true(BigInt(endTimeUnixNano) >= BigInt(startTimeUnixNano));
});

test.serial('tracing starts again after it was stopped, as a reload does', async (t) => {
  for (let time = 0; time < 2; time++)
    t.is((await ownSpans((tracer) => tracer.startSpan('a', 'internal').end())).length, 1, String(time));
});

test.serial('no more spans wait than the queue of the SDK and one batch hold', async (t) => {
  const emitted = await ownSpans((tracer) => {
    for (let index = 0; index < 5000; index++) tracer.startSpan('a', 'internal').end();
  });
  t.is(
    emitted.reduce((sum, { count }) => sum + count, 0),
    2048 + 512,
  );
});

test('a round has a child for each of its steps, and the one that fails says why', async (t) => {
  const { telemetry, tracer } = tracedTelemetry();
  const round = {
    sources: [{ prepareRound: async () => {}, collectRound: async () => [] }],
    telemetry,
    keepEvidence() {},
    evaluateRules: async () => {
      throw new Error('no rule');
    },
    exportSets: async () => {},
  };
  await runMetricsRound(round, AbortSignal.timeout(1000));
  t.deepEqual(
    tracer.spans.map(({ name, parent, error, isEnded }) => ({ name, parent, error, isEnded })),
    [
      { name: 'metrics round', parent: undefined, error: undefined, isEnded: true },
      { name: 'prepare', parent: 'metrics round', error: undefined, isEnded: true },
      { name: 'collect', parent: 'metrics round', error: undefined, isEnded: true },
      { name: 'evaluate rules', parent: 'metrics round', error: 'no rule', isEnded: true },
      { name: 'encode and export', parent: 'metrics round', error: undefined, isEnded: true },
    ],
  );
});

const targetOf = (receiver: Receiver, protocol: SignalEndpoint['protocol'], signal: 'logs' | 'traces') => ({
  signal,
  protocol,
  url: new URL(protocol === 'grpc' ? receiver.endpoint('grpc') : `${receiver.endpoint('http')}/v1/${signal}`),
  headers: {},
  headersFile: undefined,
  timeoutMs: 10_000,
  compression: 'none' as const,
  certificate: undefined,
  clientCertificate: undefined,
  clientKey: undefined,
});

async function exporterTo(
  t: ExecutionContext,
  telemetry: Telemetry,
  receiver: Receiver,
  protocol: SignalEndpoint['protocol'],
): Promise<OtlpExporter> {
  const exporter = await OtlpExporter.create(
    {
      name: 'test',
      kinds: ['logs', 'traces'],
      endpoints: {
        logs: targetOf(receiver, protocol, 'logs'),
        metrics: undefined,
        traces: targetOf(receiver, protocol, 'traces'),
      },
      containers: { include: [], exclude: [] },
      metricsOrder: 'newest',
      backlogRate: 1e9,
      maxBytes: 1e8,
      maxAgeMs: 3_600_000,
    },
    temporaryDirectory(t),
    true,
    telemetry,
  );
  exporter.start();
  t.teardown(() => exporter.shutdown(AbortSignal.abort()));
  return exporter;
}

const startReceiver = async (t: ExecutionContext): Promise<Receiver> => {
  const receiver = await Receiver.start();
  t.teardown(() => receiver.stop());
  return receiver;
};

function eventBatch() {
  const writer = new Writer(1024);
  encodeEvent(writer, { eventName: 'test', time: 1n, severity: 9, body: 'b', attributes: {} }, 1n);
  const otlp = encodeRequest(RESOURCE, 'portlight.events', writer.bytes());
  return { signal: 'logs' as const, kind: 'log' as const, resource: RESOURCE, count: 1, otlp };
}

for (const protocol of ['http/protobuf', 'grpc'] as const) {
  test(`each request over ${protocol} is a span with its status`, async (t) => {
    const { telemetry, tracer } = tracedTelemetry();
    const receiver = await startReceiver(t);
    receiver.fault = () =>
      receiver.requests.logs === 1 ? { status: protocol === 'grpc' ? 14 : 503 } : undefined;
    const exporter = await exporterTo(t, telemetry, receiver, protocol);
    await exporter.export(eventBatch());
    await waitFor('the record', () => receiver.logs.length === 1);
    await waitFor('both spans', () => tracer.spans.filter(({ isEnded }) => isEnded).length === 2);
    const [failed, accepted] = tracer.spans;
    t.is(failed!.name, 'export logs');
    t.is(failed!.attributes['portlight.destination'], 'test');
    t.truthy(failed!.error);
    t.is(accepted!.error, undefined);
    t.is(accepted!.attributes['portlight.request.outcome'], 'accepted');
    const key = protocol === 'grpc' ? 'rpc.grpc.status_code' : 'http.response.status_code';
    t.is(failed!.attributes[key], protocol === 'grpc' ? 14 : 503);
    t.is(accepted!.attributes[key], protocol === 'grpc' ? 0 : 200);
  });
}

test.serial(
  'a request that carries only spans of the agent is not traced; one with a container is',
  async (t) => {
    const [own] = await ownSpans((tracer) => tracer.startSpan('a', 'internal').end());
    const { telemetry, tracer } = tracedTelemetry();
    const receiver = await startReceiver(t);
    const exporter = await exporterTo(t, telemetry, receiver, 'http/protobuf');
    await exporter.export({ signal: 'traces', resource: RESOURCE, count: 1, otlp: own!.otlp });
    await waitFor('the own span', () => receiver.spans.length === 1);
    t.deepEqual(tracer.spans, []);
    const writer = new Writer(1024);
    const context = { traceId: '1'.repeat(32), spanId: '2'.repeat(16) };
    encodeSpan(writer, {
      ...{ context, name: 'container', start: 1n, end: 2n, attributes: {}, links: [] },
      parentSpanId: undefined,
      error: undefined,
    });
    const otlp = encodeRequest(RESOURCE, 'portlight.traces', writer.bytes());
    await exporter.export({ signal: 'traces', resource: RESOURCE, count: 1, otlp });
    await waitFor('the other span', () => receiver.spans.length === 2);
    t.deepEqual(
      tracer.spans.map(({ name }) => name),
      ['export traces'],
    );
  },
);

const requestOfScopes = (...scopes: Parameters<typeof encodeRequest>[1][]): Buffer =>
  Buffer.concat(scopes.map((scope) => encodeRequest(RESOURCE, scope, Buffer.alloc(0))));

test('a request has only one scope if each of its scopes has that name', (t) => {
  const hasOnlyTraces = (request: Buffer) => hasOnlyScope(request, 'portlight.traces');
  t.true(hasOnlyTraces(requestOfScopes('portlight.traces')));
  t.true(hasOnlyTraces(requestOfScopes('portlight.traces', 'portlight.traces')));
  t.false(hasOnlyTraces(requestOfScopes('portlight.logs')));
  t.false(hasOnlyTraces(requestOfScopes('portlight.traces', 'portlight.logs')));
  t.false(hasOnlyTraces(requestOfScopes('portlight.logs', 'portlight.traces')));
  t.false(hasOnlyScope(requestOfScopes('portlight.traces'), 'portlight.trace'));
});

test('malformed bytes do not have only one scope, wherever a request is cut short', (t) => {
  const request = requestOfScopes('portlight.traces');
  for (let length = 1; length < request.length; length++)
    t.false(hasOnlyScope(request.subarray(0, length), 'portlight.traces'), String(length));
  t.false(hasOnlyScope(Buffer.from('no protobuf'), 'portlight.traces'));
});

test('a request whose transport fails ends its span with the error', async (t) => {
  const { telemetry, tracer } = tracedTelemetry();
  const broken = {
    send: () => Promise.reject(new Error('no socket')),
    close() {},
  };
  const transport = createTracingTransport(broken, telemetry, { signal: 'logs', destination: 'test' });
  await t.throwsAsync(transport.send(Buffer.alloc(3)), { message: 'no socket' });
  t.deepEqual(
    tracer.spans.map(({ name, error, isEnded }) => ({ name, error, isEnded })),
    [{ name: 'export logs', error: 'no socket', isEnded: true }],
  );
});

test('each request to the daemon is a span named for its path', async (t) => {
  const { telemetry, tracer } = tracedTelemetry();
  const endpoint = { host: 'unix:///run/docker.sock', origin: 'test' };
  const docker = await fakeDaemon(
    t,
    (request, response) => {
      if (request.url!.includes('missing')) response.writeHead(404);
      response.end('{}');
    },
    requestSpans(endpoint, telemetry),
  );
  await docker.getContainer('abc').inspect();
  await t.throwsAsync(docker.getContainer('missing').inspect());
  const [found, missing] = tracer.spans;
  t.is(found!.name, 'GET /containers/{id}/json');
  t.is(found!.attributes['url.path'], '/containers/abc/json');
  t.is(found!.error, undefined);
  t.true(found!.isEnded);
  t.is(missing!.attributes['http.response.status_code'], 404);
  t.truthy(missing!.error);
});

test('without a tracer nothing observes the requests to the daemon', (t) => {
  t.is(requestSpans({ host: 'unix:///run/docker.sock', origin: 'test' }, quietTelemetry()), undefined);
});

test('destinations receive traces where containers or the agent itself are traced', async (t) => {
  const receivesTraces = async (variables: Record<string, string>) => {
    const env = { OTEL_EXPORTER_OTLP_ENDPOINT: 'http://collector:4318', ...variables };
    const { config } = await loadConfig({}, undefined, env);
    return resolveDestinations(config)[0]!.kinds.includes('traces');
  };
  t.true(await receivesTraces({}));
  t.false(await receivesTraces({ PORTLIGHT_TRACES_ENABLED: 'false' }));
  t.true(await receivesTraces({ PORTLIGHT_TRACES_ENABLED: 'false', PORTLIGHT_TELEMETRY_TRACES: 'true' }));
});
