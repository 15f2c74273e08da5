/** One name, one thing: no two files export something of the same name. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';

const root = join(import.meta.dirname, '../..');
const FOLDERS = ['collectors', 'config', 'exporters', 'agent', 'test'];
/** Each bench of test/bench/cases exports `bench`: test/bench/run.ts imports them by the name of their file. */
const CONTRACTS = [/^test\/bench\/cases\/[^/]+\.ts:\d+ bench$/];
const DECLARATION =
  /^export (?:(?:abstract|async|declare) )*(?:class|const|enum|function\*?|interface|let|type) ([\w$]+)/gm;

interface Declaration {
  readonly name: string;
  readonly file: string;
  readonly line: number;
}

/** The exported declarations of a source text. Re-exports declare nothing. */
const declarationsOf = (file: string, text: string): Declaration[] =>
  [...text.matchAll(DECLARATION)]
    .map(({ 1: name = '', index }) => ({ name, file, line: text.slice(0, index).split('\n').length }))
    .filter(({ name, line }) => !CONTRACTS.some((contract) => contract.test(`${file}:${line} ${name}`)));

/** Overloads of a function are declared several times in one file. */
const duplicates = (all: readonly Declaration[]): string[] =>
  [...Map.groupBy(all, ({ name }) => name)]
    .filter(([, same]) => new Set(same.map(({ file }) => file)).size > 1)
    .map(([name, same]) => `${name}: ${same.map(({ file, line }) => `${file}:${line}`).join(', ')}`);

const declarations = FOLDERS.flatMap((folder) =>
  readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
    .filter((name) => /\.tsx?$/.test(name) && !name.includes('node_modules'))
    .map((name) => join(folder, name)),
).flatMap((file) => declarationsOf(file, readFileSync(join(root, file), 'utf8')));

test('exported declarations are read', (t) => {
  t.true(declarations.length > 1000, String(declarations.length));
});

test('no two files export something of the same name', (t) => {
  t.deepEqual(duplicates(declarations), []);
});

test('both places of a name are listed', (t) => {
  const first = "import { x } from './x.ts';\n\nexport async function open(): Promise<void> {}\n";
  const second = 'export interface open {}\nexport const closed = 1;\n';
  t.deepEqual(duplicates([...declarationsOf('a.ts', first), ...declarationsOf('b.tsx', second)]), [
    'open: a.ts:3, b.tsx:1',
  ]);
  t.deepEqual(duplicates(declarationsOf('a.ts', `${first}${first}`)), []);
  t.deepEqual(declarationsOf('test/bench/cases/idle.ts', 'export const bench = {};'), []);
});
