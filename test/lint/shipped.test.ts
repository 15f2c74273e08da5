/** What config/ ships: it is what the generator makes, and Grafana and Loki can read it. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parser } from '@grafana/lezer-logql';
import test from 'ava';
import { alertRules, optInRules } from '../../agent/setup/shipped/alert-rules.ts';
import { shippedFiles } from '../../agent/setup/shipped/files.ts';
import { builtinRules } from '../../config/builtin-rules.ts';
import { dashboards, queries } from '../support/dashboards.ts';

const root = join(import.meta.dirname, '../..');

test('rules and dashboards are what the generator makes (npm run docs)', (t) => {
  for (const [path, text] of Object.entries(shippedFiles()))
    t.is(readFileSync(join(root, path), 'utf8'), text, path);
});

test("Prometheus is shipped the agent's own rules", (t) => {
  t.deepEqual(
    [...alertRules, ...optInRules].map(({ rule, severity }) => [rule, severity]).sort(),
    builtinRules.map(({ rule }) => [rule.name, rule.severity]).sort(),
  );
});

test('panels have a number each, and lie beside each other within 24 columns', (t) => {
  for (const { uid, panels } of dashboards()) {
    t.is(new Set(panels.map(({ id }) => id)).size, panels.length, uid);
    const taken = new Set<string>();
    for (const { title, gridPos } of panels) {
      t.true(gridPos.x + gridPos.w <= 24, `${uid}: ${title}`);
      for (let x = gridPos.x; x < gridPos.x + gridPos.w; x++) {
        for (let y = gridPos.y; y < gridPos.y + gridPos.h; y++) {
          t.false(taken.has(`${x},${y}`), `${uid}: ${title} lies on another`);
          taken.add(`${x},${y}`);
        }
      }
    }
  }
});

test('what queries and data sources refer to are variables of the dashboard, or of Grafana', (t) => {
  for (const dashboard of dashboards()) {
    const known = dashboard.templating.list.map(({ name }) => name);
    const used = [...JSON.stringify([dashboard.panels, dashboard.annotations]).matchAll(/\$\{?(\w+)/g)]
      .map(([, name = '']) => name)
      .filter((name) => !name.startsWith('__'));
    t.true(used.length > 0);
    t.deepEqual(
      used.filter((name) => !known.includes(name)),
      [],
      dashboard.uid,
    );
  }
});

function isLogQL(expr: string): boolean {
  let valid = true;
  parser.parse(expr.replaceAll('$__interval', '1m')).iterate({
    enter: ({ type }) => {
      if (type.isError) valid = false;
    },
  });
  return valid;
}

test('queries to Loki are LogQL', (t) => {
  t.false(isLogQL('{a="b"} | c=~ [1m]'), 'what is not is found');
  const all = queries('loki');
  t.true(all.length >= 10);
  t.deepEqual(
    all.filter(({ expr }) => !isLogQL(expr)),
    [],
  );
});

interface Template {
  readonly composed_of?: readonly string[];
  readonly index_patterns?: readonly string[];
  readonly template: {
    readonly mappings?: { readonly dynamic_templates?: readonly Record<string, { path_match: string[] }>[] };
  };
}

test('templates for Elasticsearch use each other, and name attributes that events have', (t) => {
  const read = (kind: string) =>
    new Map<string, Template>(
      readdirSync(join(root, 'config/elastic', kind)).map((name) => [
        name.replace(/\.json$/, ''),
        JSON.parse(readFileSync(join(root, 'config/elastic', kind, name), 'utf8')),
      ]),
    );
  const components = read('_component_template');
  const indices = read('_index_template');
  t.deepEqual(
    [...indices.values()].flatMap(({ composed_of = [] }) =>
      composed_of.filter((name) => name.startsWith('portlight-')),
    ),
    [...components.keys()],
  );
  for (const [name, { index_patterns }] of indices) t.deepEqual(index_patterns, [`${name}-*`]);
  const events = readFileSync(join(root, 'docs/events.md'), 'utf8');
  const paths = [...components.values()].flatMap(({ template }) =>
    (template.mappings?.dynamic_templates ?? []).flatMap((named) =>
      Object.values(named).flatMap(({ path_match }) => path_match),
    ),
  );
  t.true(paths.length > 0);
  for (const path of paths) t.true(events.includes(`\`${path.replace(/^attributes\./, '')}\``), path);
});
