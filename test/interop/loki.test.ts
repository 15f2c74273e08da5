/** Logs and events in a real Loki: found by container, service, severity and trace, and by the dashboards' queries. */
import { join } from 'node:path';
import test from 'ava';
import { spawnAgent } from '../support/agent.ts';
import { queries } from '../support/dashboards.ts';
import { ensureImage, runContainer, uniqueName } from '../support/docker.ts';
import { waitFor } from '../support/wait.ts';
import { type LokiResult, startLoki } from './loki.ts';
import { pathOf } from './peers.ts';

const LINES = 200;
const program = pathOf('loki');
const withLoki = program === undefined ? test.skip : test;

const linesOf = (results: readonly LokiResult[]): string[] =>
  results.flatMap(({ values }) => values.map(([, line]) => line));

test.before(ensureImage);

withLoki('Loki has each line once, and finds lines and events by each of their attributes', async (t) => {
  const loki = await startLoki(t, program!);
  const name = uniqueName('loki');
  await spawnAgent(t, {
    args: ['--config', join(import.meta.dirname, '../../config/grafana-stack/portlight.yaml')],
    variables: {
      LOKI: loki.endpoint,
      PORTLIGHT_CONTAINERS_INCLUDE: `name=${name}`,
    },
  });
  const container = await runContainer(t, {
    name,
    script: `i=0; while [ $i -lt ${LINES} ]; do echo "line $i"; i=$((i + 1)); done; echo '{"level":"error","msg":"broken"}' >&2; sleep 1; exit 3`,
    labels: { 'com.docker.compose.service': 'shop' },
  });
  const logs = `{container_name="${name}"} | scope_name="portlight.logs"`;
  const events = `{container_name="${name}"} | scope_name="portlight.events"`;
  const found = (expression: string) =>
    waitFor(expression, async () => {
      const results = await loki.query(expression);
      return results.length > 0 && results;
    });

  const [died] = await found(`${events} | docker_event_action="die"`);
  t.is(died!.stream!.container_id, container.id);
  t.is(died!.stream!.service_name, 'shop');
  await waitFor('all lines', async () => linesOf(await loki.query(logs)).length > LINES);
  const numbered = linesOf(await loki.query(`${logs} | log_iostream="stdout"`));
  t.deepEqual(numbered.toSorted(), Array.from({ length: LINES }, (_, index) => `line ${index}`).toSorted());

  t.is(linesOf(await loki.query(`{service_name="shop"} | scope_name="portlight.logs"`)).length, LINES + 1);
  t.is(linesOf(await loki.query(`${logs} | severity_number>=17`)).length, 1);

  const { trace_id: trace } = died!.stream!;
  t.regex(trace!, /^[0-9a-f]{32}$/);
  const life = await loki.query(
    `{service_name="shop"} | trace_id="${trace}" | scope_name="portlight.events"`,
  );
  const actions = life.map(({ stream }) => stream!.docker_event_action);
  for (const action of ['create', 'start', 'die'])
    t.is(actions.filter((one) => one === action).length, 1, action);

  const asked = queries('loki').map((query) => ({
    ...query,
    expr: query.expr
      .replaceAll('$container', name)
      .replaceAll('$host', '.+')
      .replaceAll('$search', '')
      .replaceAll('$__interval', '1m'),
  }));
  t.true(asked.length > 12);
  for (const { dashboard, panel, expr, legend } of asked) {
    const results = await found(expr).catch(() => []);
    t.true(results.length > 0, `${dashboard}, ${panel}: ${expr}`);
    for (const label of legend)
      t.true(
        results.some(({ metric }) => metric?.[label] !== undefined),
        `${panel}: ${label}`,
      );
  }
});
