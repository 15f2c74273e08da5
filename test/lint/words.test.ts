/** Words and phrases that CONTRIBUTING's style replaces must not come back: in code, comments, documentation, titles. */
import { readdirSync, readFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import test from 'ava';

const root = join(import.meta.dirname, '../..');
const FOLDERS = ['agent', 'collectors', 'config', 'docs', 'exporters', 'test'];
const PAGES = ['README.md', 'CHANGELOG.md', 'CONTRIBUTING.md', 'SECURITY.md'];

/** Only what is never the right word here. A phrase is also found where a line or a comment is wrapped inside it. */
const UNWANTED = [
  'anew',
  'be had',
  '(is|are) had',
  'bears?',
  'befits?',
  'come to rest',
  'comes to rest',
  'for ever',
  'for want of',
  'goes? on (and|as|until|where|with)',
  'goes on',
  'handed',
  'hands (it|on|over|them)',
  '(has|have) it (done|made|read|sent)',
  'heard?',
  'heeds?',
  'hitherto',
  '(is|are) to be',
  'judged',
  'looks on',
  'none of (its|ours|theirs)',
  'nought',
  '(is|are|be) said',
  'so manieth',
  'take charge',
  'takes charge',
  'taken charge',
  'taken over',
  'tells?',
  'telling',
  '(is|are|was|were|be|been) told',
  'told (of|that|to|what)',
  'whoever',
  'whosoever',
].map((phrase) => new RegExp(`\\b(?:${phrase.replaceAll(' ', '[\\s*/]+')})\\b`, 'gi'));

/** The table of CONTRIBUTING that contrasts old sentences with new ones. */
const STYLE_TABLE = /^\| instead of \| write \|\n(?:\|.*\n)+/m;

function unwantedIn(name: string, text: string): string[] {
  // Keeps the number of lines.
  const prose = text.replace(STYLE_TABLE, (table) => table.replaceAll(/.+/g, ''));
  return UNWANTED.flatMap((phrase) =>
    [...prose.matchAll(phrase)].map(
      ({ 0: found, index }) =>
        `${name}:${prose.slice(0, index).split('\n').length}: ${found.replaceAll(/[\s*/]+/g, ' ')}`,
    ),
  );
}

const files = [
  ...PAGES,
  ...FOLDERS.flatMap((folder) =>
    readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
      .filter((name) => /\.(?:css|html|md|mjs|sh|tsx?|ya?ml)$/.test(name) && !name.includes('node_modules'))
      .map((name) => join(folder, name)),
  ),
].filter((name) => join(root, name) !== import.meta.filename);

test('no unwanted word in code, documentation and tests', (t) => {
  t.true(files.length > 400);
  t.deepEqual(
    files.flatMap((name) => unwantedIn(name, readFileSync(join(root, name), 'utf8'))),
    [],
  );
});

test('an unwanted word is named with its line, also where a comment is wrapped', (t) => {
  t.deepEqual(unwantedIn('a.ts', '/**\n * The socket cannot be\n * had.\n */\n// Told twice.\n'), [
    'a.ts:2: be had',
  ]);
  const table = 'x\n\n| instead of | write |\n| --- | --- |\n| whoever | a user |\n\nWhoever asks.\n';
  t.deepEqual(unwantedIn('CONTRIBUTING.md', table), ['CONTRIBUTING.md:7: Whoever']);
  t.is(unwantedIn(relative(root, import.meta.filename), "'whoever'").length, 1);
});
