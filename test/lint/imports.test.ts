/** The architecture as docs/architecture.md describes it: which folder may import which. */
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import test from 'ava';

const root = join(import.meta.dirname, '../..');

/** Bottom to top: a file imports only from its own floor, or from one below. */
const FLOORS = ['collectors', 'config', 'exporters', 'agent'];
/** What several collectors share, and the contracts between them and the rest. */
const SHARED_BY_COLLECTORS = ['records', 'catalogue', 'shared', 'engine', 'lifecycle'];
/** All that an exporter knows of the collectors. */
const KNOWN_TO_EXPORTERS = ['records', 'catalogue', 'shared'];

interface Import {
  readonly file: string;
  readonly imported: string;
}

/** Relative imports and re-exports of a source text, static and dynamic. */
function importsOf(file: string, text: string): Import[] {
  const found = text.matchAll(/(?:\bfrom\s+|\bimport\s+|\bimport\(\s*)'(\.{1,2}\/[^']+)'/g);
  return [...found].map(([, path = '']) => ({ file, imported: normalize(join(dirname(file), path)) }));
}

const files = FLOORS.flatMap((floor) =>
  readdirSync(join(root, floor), { recursive: true, encoding: 'utf8' })
    .filter((name) => /\.tsx?$/.test(name))
    .map((name) => join(floor, name)),
);
const imports = files.flatMap((file) => importsOf(file, readFileSync(join(root, file), 'utf8')));

const floorOf = (file: string): number => FLOORS.indexOf(file.split('/')[0]!);

/** `collectors/state.ts` → `state`; `collectors/cgroup/parse.ts` → `cgroup`. */
const roomOf = (file: string): string => file.split('/')[1]!.replace(/\.tsx?$/, '');

const upward = (all: readonly Import[]): string[] =>
  all
    .filter(({ file, imported }) => floorOf(imported) > floorOf(file))
    .map(({ file, imported }) => `${file} imports ${imported}, which is on a floor above`);

const insidesOfCollectors = (all: readonly Import[]): string[] =>
  all
    .filter(
      ({ file, imported }) =>
        file.startsWith('collectors/') &&
        imported.startsWith('collectors/') &&
        roomOf(file) !== roomOf(imported) &&
        !SHARED_BY_COLLECTORS.includes(roomOf(imported)),
    )
    .map(({ file, imported }) => `${file} imports ${imported}, the inside of another collector`);

const collectorsInExporters = (all: readonly Import[]): string[] =>
  all
    .filter(
      ({ file, imported }) =>
        file.startsWith('exporters/') &&
        imported.startsWith('collectors/') &&
        !KNOWN_TO_EXPORTERS.includes(roomOf(imported)),
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

test('an offending import is named', (t) => {
  const text = "import type { A } from '../agent/a.ts';\nconst b = await import('./docker/b.ts');\n";
  const wrong = importsOf('collectors/x.ts', text);
  t.deepEqual(upward(wrong), ['collectors/x.ts imports agent/a.ts, which is on a floor above']);
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
