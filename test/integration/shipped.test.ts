/** The shipped rules and dashboards, against the data of a real agent in a real Prometheus. */
import { execFileSync } from 'node:child_process';
import { cpSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { parser as logQL } from '@grafana/lezer-logql';
import { parser as promQL } from '@prometheus-io/lezer-promql';
import test from 'ava';
import { parse } from 'yaml';
import { listenUrl, spawnAgent } from '../support/agent.ts';
import { dashboards, queries } from '../support/dashboards.ts';
import { ensureImage, runContainer, uniqueName } from '../support/docker.ts';
import { startPrometheus } from '../support/prometheus.ts';
import { Receiver } from '../support/receiver.ts';
import { temporaryDirectory } from '../support/temporary.ts';
import { MEBIBYTE } from '../support/units.ts';
import { waitFor } from '../support/wait.ts';

const directory = join(import.meta.dirname, '../../config/prometheus');
const files = (ending: string) =>
  readdirSync(directory)
    .filter((name) => name.endsWith(ending))
    .map((name) => join(directory, name));

interface Rule {
  readonly alert: string;
  readonly expr: string;
}

const rules = (): Rule[] =>
  files('.rules.yaml').flatMap((file) =>
    (parse(readFileSync(file, 'utf8')) as { groups: { rules: Rule[] }[] }).groups.flatMap(
      ({ rules }) => rules,
    ),
  );

/** The selectors of a PromQL expression: metric names with their label matchers. */
function selected(expr: string, what: 'Identifier' | 'VectorSelector'): string[] {
  const found: string[] = [];
  promQL.parse(expr).iterate({
    enter: ({ name, from, to, node }) => {
      if (name === what && (name === 'VectorSelector' || node.parent?.name === 'VectorSelector'))
        found.push(expr.slice(from, to));
    },
  });
  return found;
}

function labelValues(query: string) {
  const [, expr = '', label = ''] = /^label_values\((.*), (\w+)\)$/.exec(query)!;
  return { expr, legend: [label] };
}

/** The labels in a LogQL expression. */
function labelsOf(expr: string): string[] {
  const found: string[] = [];
  logQL.parse(expr.replaceAll('$__interval', '1m')).iterate({
    enter: ({ name, from, to }) => {
      if (name === 'Identifier') found.push(expr.replaceAll('$__interval', '1m').slice(from, to));
    },
  });
  return found;
}

/** Loki's label for an attribute: https://grafana.com/docs/loki/latest/send-data/otel/#format-considerations */
const lokiName = (key: string): string => key.replaceAll(/[^a-zA-Z0-9_]/g, '_');

/** The queries of dashboard variables. */
const variableQueries = () =>
  dashboards().flatMap(({ uid, templating }) =>
    templating.list
      .filter(({ type }) => type === 'query')
      .map(({ name, query }) => ({
        dashboard: uid,
        panel: `variable ${name}`,
        ...labelValues((query as { query: string }).query),
      })),
  );

test.before(ensureImage);

test('promtool accepts the rules, and each fires and resolves as tested', (t) => {
  t.is(files('.rules.yaml').length, files('.test.yaml').length, 'each file has its tests');
  execFileSync('promtool', ['check', 'rules', ...files('.rules.yaml')]);
  execFileSync('promtool', ['test', 'rules', ...files('.test.yaml')]);
  const tested = files('.test.yaml')
    .map((file) => readFileSync(file, 'utf8'))
    .join('\n');
  for (const { alert } of rules()) t.regex(tested, new RegExp(`alertname: ${alert}\n *exp_alerts:\n`), alert);
});

test('every query of rules and dashboards has data', async (t) => {
  const receiver = await Receiver.start();
  t.teardown(() => receiver.stop());
  const busy = uniqueName('shipped-busy');
  const ended = uniqueName('shipped-ended');
  await runContainer(t, {
    name: busy,
    script:
      'while :; do echo hello; dd if=/dev/zero of=/tmp/file bs=1M count=1 conv=fsync 2> /dev/null; done',
    host: { NanoCpus: 2e8, Memory: 32 * MEBIBYTE, PidsLimit: 20 },
    create: {
      Volumes: { '/data': {} },
      Healthcheck: { Test: ['CMD', 'false'], Interval: 1e9, Retries: 1 },
    },
  });
  const agent = await spawnAgent(t, {
    args: ['--exporter', 'otlp', '--log-level', 'info'],
    variables: {
      OTEL_EXPORTER_OTLP_ENDPOINT: receiver.endpoint('http/protobuf'),
      PORTLIGHT_CONTAINERS_INCLUDE: `name=${busy},name=${ended}`,
      PORTLIGHT_METRICS_ENABLE: 'process,pressure',
      PORTLIGHT_METRICS_STORAGE_INTERVAL: '10s',
      // Makes the rate limit drop lines.
      PORTLIGHT_LOGS_RATE_LIMIT: '1',
      // Filtered lines count as dropped, which a panel shows.
      PORTLIGHT_EVENTS_EXCLUDE: 'docker.container.exec_*',
    },
  });
  await runContainer(t, { name: ended, script: 'exit 3' });
  const prometheus = await startPrometheus(t, await listenUrl(agent), files('.rules.yaml'));

  const asked = [...queries('prometheus'), ...variableQueries()].map((query) => ({
    ...query,
    expr: query.expr
      .replaceAll('$container', `${busy}|${ended}`)
      .replaceAll(/\$(instance|host)/g, '.+')
      .replaceAll('$__rate_interval', '10s'),
  }));
  t.true(asked.length > 60);

  // A rule's expression finds nothing here; its selectors must.
  const looked = rules().flatMap(({ alert, expr }) =>
    selected(expr, 'VectorSelector').map((selector) => ({ alert, expr: selector, legend: [] })),
  );
  t.true(looked.length > 50);
  const lacking = new Set([...asked, ...looked]);
  await waitFor('data for every panel and rule', async () => {
    for (const query of lacking) {
      const results = await prometheus.query(query.expr);
      const isNamed = query.legend.every((label) => results[0]?.metric[label] !== undefined);
      if (results.length > 0 && isNamed) lacking.delete(query);
    }
    return lacking.size === 0;
  }).catch(() => {});
  t.deepEqual([...lacking], []);

  const firing = async (alert: string) =>
    (await prometheus.waitForResult(`ALERTS{alertname="${alert}", alertstate="firing"}`)).metric
      .container_name;
  t.is(await firing('PortlightUnhealthy'), busy);
  t.is(await firing('PortlightExit'), ended);
  t.deepEqual(prometheus.logErrors(), []);

  const recordWith = (key: string) =>
    waitFor(`a record with ${key}`, () =>
      receiver.logs.find(
        ({ resource, attributes }) =>
          resource['container.name'] !== undefined && attributes[key] !== undefined,
      ),
    );
  const records = [await recordWith('log.iostream'), await recordWith('docker.event.action')];
  const known = new Set([
    // Fields of every record, and those that Loki adds.
    ...['scope_name', 'severity_number', 'detected_level'],
    ...records.flatMap(({ resource, attributes }) =>
      Object.keys({ ...resource, ...attributes }).map(lokiName),
    ),
  ]);
  const wanted = queries('loki').flatMap(({ expr, legend }) => [...labelsOf(expr), ...legend]);
  t.true(wanted.length > 30);
  t.deepEqual(
    wanted.filter((label) => !known.has(label)),
    [],
  );
});

test('Prometheus accepts its configuration of the Grafana stack', (t) => {
  const config = join(directory, '..');
  const there = temporaryDirectory(t);
  for (const file of ['grafana-stack/portlight-hosts.yaml', 'prometheus/portlight.rules.yaml'])
    cpSync(join(config, file), join(there, basename(file)));
  writeFileSync(join(there, 'portlight-token'), 'a token');
  const text = readFileSync(join(config, 'grafana-stack/prometheus.yaml'), 'utf8');
  writeFileSync(join(there, 'prometheus.yaml'), text.replaceAll('/etc/prometheus/', ''));
  const checked = execFileSync('promtool', ['check', 'config', join(there, 'prometheus.yaml')], {
    encoding: 'utf8',
  });
  t.regex(checked, /SUCCESS: \d+ rules found/);
});
