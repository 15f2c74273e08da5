/** The agent traces its own work where `telemetry.traces` asks for it, and loads nothing for it otherwise. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import test, { type ExecutionContext } from 'ava';
import { spawnAgent } from '../support/agent.ts';
import { ensureImage, runContainer, uniqueName } from '../support/docker.ts';
import { type ReceivedSpan, Receiver } from '../support/receiver.ts';
import { temporaryDirectory } from '../support/temporary.ts';
import { waitFor } from '../support/wait.ts';

test.before(ensureImage);

/** How far apart two readings of the SDK's clock can be that were taken at once, ns. */
const CLOCK = 2_000_000n;

/** Writes the name of each package that is imported into a file. */
const hooksThatList = (list: string): string => `
import { appendFileSync } from 'node:fs';
import { registerHooks } from 'node:module';
registerHooks({
  resolve(specifier, context, next) {
    appendFileSync(${JSON.stringify(list)}, specifier + '\\n');
    return next(specifier, context);
  },
});
`;

async function observe(t: ExecutionContext, protocol: string, args: readonly string[]) {
  const receiver = await Receiver.start();
  t.teardown(() => receiver.stop());
  const directory = temporaryDirectory(t);
  const [list, hooks] = [join(directory, 'imported'), join(directory, 'hooks.mjs')];
  writeFileSync(list, '');
  writeFileSync(hooks, hooksThatList(list));
  const name = uniqueName('traced');
  const agent = await spawnAgent(t, {
    args: ['--containers-include', `name=${name}`, ...args],
    variables: {
      NODE_OPTIONS: `--import=${hooks}`,
      OTEL_EXPORTER_OTLP_ENDPOINT: receiver.endpoint(protocol),
      OTEL_EXPORTER_OTLP_PROTOCOL: protocol,
    },
  });
  await runContainer(t, { name, script: 'echo hello; sleep 60' });
  await waitFor('the line', () => receiver.logsOf(name).some(({ body }) => body === 'hello'));
  const imported = () => readFileSync(list, 'utf8').split('\n');
  return { agent, receiver, imported, name };
}

const own = (receiver: Receiver): ReceivedSpan[] =>
  receiver.spans.filter(({ resource }) => resource['container.id'] === undefined);

for (const protocol of ['http/protobuf', 'grpc']) {
  test(`rounds, flushes and requests are spans over ${protocol}`, async (t) => {
    const {
      agent,
      receiver,
      imported,
      name: container,
    } = await observe(t, protocol, ['--telemetry-traces', 'true']);
    const named = (name: string) => own(receiver).filter((span) => span.name === name);
    const names = ['metrics round', 'flush logs', 'export logs', 'GET /containers/{id}/json', 'GET /events'];
    for (const name of names) await waitFor(name, () => named(name).length > 0, 20_000);
    t.true(imported().includes('@opentelemetry/sdk-node'));

    for (const { resource, start, end, name } of own(receiver)) {
      t.is(resource['service.name'], 'portlight');
      t.is(typeof resource['host.name'], 'string');
      t.true(start <= end && end - start < 60_000_000_000n, name);
    }
    const round = named('metrics round')[0]!;
    const steps = own(receiver).filter(({ parentSpanId }) => parentSpanId === round.spanId);
    t.deepEqual(
      steps.map(({ name }) => name),
      ['prepare', 'collect', 'evaluate rules', 'encode and export'],
    );
    for (const { traceId, start, end } of steps)
      t.true(traceId === round.traceId && start >= round.start - CLOCK && end <= round.end + CLOCK);
    const status = protocol === 'grpc' ? 'rpc.grpc.status_code' : 'http.response.status_code';
    t.is(named('export logs')[0]!.attributes[status], protocol === 'grpc' ? 0 : 200);

    // Every request with spans is traced only if it carries a span of the container.
    await sleep(12_000);
    t.true(receiver.requests.traces > 2);
    t.true(
      named('export traces').length <= receiver.spansOf(container).length,
      'spans of requests with only such spans would cause the next ones, without an end',
    );

    const rounds = named('metrics round').length;
    await agent.stop();
    t.true(named('metrics round').length > rounds, 'the last spans are sent when the agent stops');
  });
}

test('without the option there are no such spans, and the SDK is not loaded', async (t) => {
  const { agent, receiver, imported } = await observe(t, 'http/protobuf', []);
  await sleep(6000);
  await agent.stop();
  t.deepEqual(own(receiver), []);
  t.false(imported().some((name) => name.startsWith('@opentelemetry/sdk-node') || /own-traces/.test(name)));
  t.true(imported().some((name) => name.includes('own-metrics')));
});
