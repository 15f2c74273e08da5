/** The lives of containers in a real Jaeger: found by service, with their events, each linked to the previous one. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { spawnAgent } from '../support/agent.ts';
import { ensureImage, execute, runContainer, uniqueName } from '../support/docker.ts';
import { temporaryDirectory } from '../support/temporary.ts';
import { waitFor } from '../support/wait.ts';
import { onLoopback, type Running, startPeer, withoutOwnMetrics } from './peer.ts';
import { pathOf } from './peers.ts';

const SHIPPED = join(import.meta.dirname, '../../config/jaeger');

/** Response of `/api/traces`: https://www.jaegertracing.io/docs/latest/architecture/apis/ */
interface Span {
  readonly traceID: string;
  readonly spanID: string;
  readonly operationName: string;
  readonly references: readonly {
    readonly refType: string;
    readonly traceID: string;
    readonly spanID: string;
  }[];
  /** Start, µs since the epoch, and duration, µs. */
  readonly startTime: number;
  readonly duration: number;
  readonly tags: readonly { readonly key: string; readonly value: unknown }[];
  readonly processID: string;
}

interface Trace {
  readonly traceID: string;
  readonly spans: readonly Span[];
  readonly processes: Readonly<Record<string, { readonly serviceName: string; readonly tags: Span['tags'] }>>;
}

interface Jaeger {
  readonly endpoint: string;
  readonly log: Running['log'];
  traces(query: Readonly<Record<string, string>>): Promise<readonly Trace[]>;
}

async function startJaeger(t: ExecutionContext, program: string): Promise<Jaeger> {
  const directory = temporaryDirectory(t);
  const config = join(directory, 'jaeger.yaml');
  const shipped = readFileSync(join(SHIPPED, 'jaeger.yaml'), 'utf8');
  const { text, own } = await onLoopback(shipped, [4317, 4318, 16685, 16686]);
  writeFileSync(config, withoutOwnMetrics(text));
  const url = `http://127.0.0.1:${own(16686)}`;
  const variables = { STORAGE: join(directory, 'traces') };
  const { log } = await startPeer(t, [program, '--config', config], `${url}/api/services`, { variables });
  return {
    endpoint: `http://127.0.0.1:${own(4318)}`,
    log,
    async traces(query) {
      const answer = await fetch(`${url}/api/traces?${new URLSearchParams({ limit: '100', ...query })}`);
      // Jaeger reports an unknown service as an error.
      return ((await answer.json()) as { data: Trace[] | null }).data ?? [];
    },
  };
}

const tagOf = ({ tags }: Pick<Span, 'tags'>, key: string): unknown =>
  tags.find((tag) => tag.key === key)?.value;

test.before(ensureImage);

test('the lives of a container are found by service and by tags, and are linked', async (t) => {
  const jaeger = await startJaeger(t, pathOf('jaeger')!);
  const service = uniqueName('life');
  await spawnAgent(t, {
    args: ['--config', join(SHIPPED, 'portlight.yaml')],
    variables: { JAEGER: jaeger.endpoint, PORTLIGHT_CONTAINERS_INCLUDE: `name=${service}` },
  });
  const container = await runContainer(t, {
    name: service,
    script: 'trap exit TERM; while :; do sleep 0.05; done',
  });
  await execute(container, 'exit 3');
  await container.restart({ t: 10 });
  await container.kill();
  await waitFor(
    'both lives',
    async () => (await jaeger.traces({ service, operation: 'container' })).length === 2,
  );

  const lives = await jaeger.traces({ service });
  t.is(lives.length, 2, 'each is one trace');
  const rootOf = (trace: Trace) => trace.spans.find(({ operationName }) => operationName === 'container')!;
  const [first, second] = lives.toSorted((one, other) => rootOf(one).startTime - rootOf(other).startTime);
  const named = (trace: Trace) => trace.spans.map(({ operationName }) => operationName).toSorted();
  t.deepEqual(named(first!), [
    'container',
    'container.exec',
    'container.run',
    'container.start',
    'container.stop',
  ]);
  t.true(named(second!).includes('container.run'));
  for (const trace of lives) {
    const root = rootOf(trace);
    for (const span of trace.spans) {
      const { serviceName, tags } = trace.processes[span.processID]!;
      t.is(serviceName, service);
      t.is(tagOf({ tags }, 'container.id'), container.id);
      const parents = span.references.filter(({ refType }) => refType === 'CHILD_OF');
      t.deepEqual(
        parents.map(({ spanID }) => spanID),
        span === root ? [] : [root.spanID],
        span.operationName,
      );
      t.true(span.startTime >= root.startTime, span.operationName);
      t.true(span.startTime + span.duration <= root.startTime + root.duration + 1, span.operationName);
    }
  }
  const before = rootOf(second!).references.map(({ traceID, spanID }) => [traceID, spanID]);
  t.deepEqual(before, [[first!.traceID, rootOf(first!).spanID]], 'the second links to the first');

  const exec = first!.spans.find(({ operationName }) => operationName === 'container.exec')!;
  t.is(tagOf(exec, 'process.exit.code'), 3);
  t.is(tagOf(exec, 'error'), true);
  const tagged = async (operation: string, tags: object) => {
    const found = await jaeger.traces({ service, operation, tags: JSON.stringify(tags) });
    return found.map(({ traceID }) => traceID);
  };
  const failed = await tagged('container', { error: 'true' });
  t.deepEqual(failed.toSorted(), [first!.traceID, second!.traceID].toSorted(), 'a command, and an end');
  t.deepEqual(await tagged('container.exec', { 'process.exit.code': '3' }), [first!.traceID]);
  const killed = await jaeger.traces({
    service,
    tags: JSON.stringify({ 'portlight.exit.reason': 'killed' }),
  });
  t.deepEqual(
    killed.map(({ traceID }) => traceID),
    [second!.traceID],
  );
  // Built from its module, Jaeger has no user interface and logs that at start.
  const [, since] = jaeger.log().split('Everything is ready');
  t.notRegex(since!, /\t(warn|error)\t/);
});
