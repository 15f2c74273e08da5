/** The architecture as docs/architecture.md describes it: which folder may import which. */
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import test from 'ava';

const root = join(import.meta.dirname, '../..');

/** Bottom to top: a file imports only from its own layer, or from one below. */
const LAYERS = ['collectors', 'config', 'exporters', 'agent'];
/** What several collectors share, and the contracts between them and the rest. */
const SHARED_BY_COLLECTORS = ['records', 'catalogue', 'shared', 'engine', 'lifecycle'];
/** What exporters may import from the collectors. */
const KNOWN_TO_EXPORTERS = ['records', 'catalogue', 'shared'];
/** Largest share of the lines that one layer may have, and most pairs of folders that may import each other. */
const MAX_SHARE = 0.36;
const MAX_MUTUAL_PAIRS = 6;

interface Import {
  readonly file: string;
  readonly imported: string;
}

/** Relative imports and re-exports of a source text, static and dynamic. */
function importsOf(file: string, text: string): Import[] {
  const found = text.matchAll(/(?:\bfrom\s+|\bimport\s+|\bimport\(\s*)'(\.{1,2}\/[^']+)'/g);
  return [...found].map(([, path = '']) => ({ file, imported: normalize(join(dirname(file), path)) }));
}

const files = LAYERS.flatMap((layer) =>
  readdirSync(join(root, layer), { recursive: true, encoding: 'utf8' })
    .filter((name) => /\.tsx?$/.test(name))
    .map((name) => join(layer, name)),
);
const sources = files.map((file) => ({ file, text: readFileSync(join(root, file), 'utf8') }));
const imports = sources.flatMap(({ file, text }) => importsOf(file, text));

const layerOf = (file: string): number => LAYERS.indexOf(file.split('/')[0]!);

/** `collectors/state.ts` → `state`; `collectors/cgroup/parse.ts` → `cgroup`. */
const folderOf = (file: string): string => file.split('/')[1]!.replace(/\.tsx?$/, '');

const upward = (all: readonly Import[]): string[] =>
  all
    .filter(({ file, imported }) => layerOf(imported) > layerOf(file))
    .map(({ file, imported }) => `${file} imports ${imported}, which is in a layer above`);

const insidesOfCollectors = (all: readonly Import[]): string[] =>
  all
    .filter(
      ({ file, imported }) =>
        file.startsWith('collectors/') &&
        imported.startsWith('collectors/') &&
        folderOf(file) !== folderOf(imported) &&
        !SHARED_BY_COLLECTORS.includes(folderOf(imported)),
    )
    .map(({ file, imported }) => `${file} imports ${imported}, the inside of another collector`);

const collectorsInExporters = (all: readonly Import[]): string[] =>
  all
    .filter(
      ({ file, imported }) =>
        file.startsWith('exporters/') &&
        imported.startsWith('collectors/') &&
        !KNOWN_TO_EXPORTERS.includes(folderOf(imported)),
    )
    .map(({ file, imported }) => `${file} imports ${imported}, the inside of a collector`);

/** Each circle once, as the files along it. */
function circles(all: readonly Import[]): string[] {
  const targets = Map.groupBy(all, ({ file }) => file);
  const found: string[] = [];
  const done = new Set<string>();
  const path: string[] = [];
  const visit = (file: string): void => {
    if (done.has(file)) return;
    const start = path.indexOf(file);
    if (start !== -1) {
      found.push([...path.slice(start), file].join(' → '));
      return;
    }
    path.push(file);
    for (const { imported } of targets.get(file) ?? []) visit(imported);
    path.pop();
    done.add(file);
  };
  for (const file of targets.keys()) visit(file);
  return found;
}

/** Pairs of folders of which each imports the other. */
function mutualPairs(all: readonly Import[]): string[] {
  const edges = new Set(all.map(({ file, imported }) => `${dirname(file)} ${dirname(imported)}`));
  return [...edges].filter((edge) => {
    const [from = '', to = ''] = edge.split(' ');
    return from < to && edges.has(`${to} ${from}`);
  });
}

/** The share of each layer in all lines. */
function shares(all: readonly { readonly file: string; readonly text: string }[]): [string, number][] {
  const linesOf = (some: typeof all) => some.reduce((sum, { text }) => sum + text.split('\n').length - 1, 0);
  return LAYERS.map((layer, index) => [
    layer,
    linesOf(all.filter(({ file }) => layerOf(file) === index)) / linesOf(all),
  ]);
}

test('every file is read', (t) => {
  t.true(files.length > 300);
  t.true(imports.length > 1000);
});

test('imports run downwards: agent, exporters, config, collectors', (t) => {
  t.deepEqual(upward(imports), []);
});

test('no circle of files imports itself', (t) => {
  t.deepEqual(circles(imports), []);
});

test('no collector imports the inside of another', (t) => {
  t.deepEqual(insidesOfCollectors(imports), []);
});

test('exporters know records, catalogue and shared tools of the collectors, and nothing else', (t) => {
  t.deepEqual(collectorsInExporters(imports), []);
});

test('the folders are balanced, and few import each other', (t) => {
  const parts = shares(sources);
  t.log(parts.map(([layer, share]) => `${layer} ${(100 * share).toFixed(1)} %`).join(', '));
  t.deepEqual(
    parts.filter(([, share]) => share > MAX_SHARE),
    [],
  );
  const pairs = mutualPairs(imports);
  t.true(pairs.length <= MAX_MUTUAL_PAIRS, pairs.join('\n'));
});

test('pairs and shares are counted', (t) => {
  const pair = [
    { file: 'agent/a/x.ts', imported: 'agent/b/y.ts' },
    { file: 'agent/b/z.ts', imported: 'agent/a/x.ts' },
    { file: 'agent/b/z.ts', imported: 'agent/b/y.ts' },
    { file: 'agent/b/z.ts', imported: 'config/c.ts' },
  ];
  t.deepEqual(mutualPairs(pair), ['agent/a agent/b']);
  const texts = [
    { file: 'agent/a.ts', text: '1\n2\n3\n' },
    { file: 'config/c.ts', text: '1\n' },
  ];
  t.deepEqual(Object.fromEntries(shares(texts)), { collectors: 0, config: 0.25, exporters: 0, agent: 0.75 });
});

test('an offending import is named', (t) => {
  const text = "import type { A } from '../agent/a.ts';\nconst b = await import('./docker/b.ts');\n";
  const wrong = importsOf('collectors/x.ts', text);
  t.deepEqual(upward(wrong), ['collectors/x.ts imports agent/a.ts, which is in a layer above']);
  t.deepEqual(insidesOfCollectors(wrong), [
    'collectors/x.ts imports collectors/docker/b.ts, the inside of another collector',
  ]);
  const exporter = importsOf('exporters/x.ts', "export * from '../collectors/logs/a.ts';");
  t.deepEqual(collectorsInExporters(exporter), [
    'exporters/x.ts imports collectors/logs/a.ts, the inside of a collector',
  ]);
  const circle = [
    { file: 'a.ts', imported: 'b.ts' },
    { file: 'b.ts', imported: 'a.ts' },
  ];
  t.deepEqual(circles(circle), ['a.ts → b.ts → a.ts']);
});
