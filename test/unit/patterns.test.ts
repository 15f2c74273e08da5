/** Regular expressions of users have the same meaning on V8's linear engine and on re2js. */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import test from 'ava';
import { isPattern, patternEngine } from '../../config/pattern.ts';
import { compileRe2 } from '../../config/pattern-re2.ts';
import { compileV8, hasLinearEngine } from '../../config/pattern-v8.ts';
import { parseRedaction } from '../../config/redaction.ts';

const engines = { V8: compileV8, re2js: compileRe2 } as const;

const ACCEPTED = [
  ...['a', '^b', 'b$', '^.$', 'a.b', '.', 'a|ab', '(a|ab)(b?)', 'x*', '(x)?y', '(?:)', '(?:a|b)+', '\\d+?'],
  ...[
    '(?<name>\\w+)=',
    '\\d',
    '\\D',
    '\\w',
    '\\W',
    '\\b',
    '\\B',
    '\\s',
    '\\S',
    '[\\s]',
    '[\\S]',
    '[^\\s]',
    '[\\s-x]',
  ],
  ...[
    '[^]',
    '[]',
    '[^a]',
    '[\\]]',
    '[\\b]',
    '[\\w-.]',
    '[\\d\\-]',
    '[[:alpha:]]',
    '[[a]',
    '[a^]',
    '[{1,2}(?:]',
  ],
  ...['a{2}', 'a{1,2}', 'a{1,}', 'a{,3}', 'a{', '{', '}', ']', '\\{', '\\/', '/', '\\-', '\\_', '"', '\\.'],
  ...['\\x41', '\\u0041', '\\cA', '\\c', '\\0', '\\t', '\\n', '\\r', '\\v', '\\f', 'é', '[à-ü]', '日'],
  // Letters that mean something in other languages mean themselves in JavaScript.
  ...['\\A', '\\z', '\\Z', '\\Qa\\E', '\\e', '\\p{L}', '\\C', '\\k<x>', '\\a', '\\h'],
];
const TEXTS = [
  ...[
    '',
    'a',
    'b',
    'ab',
    'aab',
    'aaaa',
    'A',
    'z',
    'Z',
    'x',
    'y',
    'xy',
    'h]',
    'alpha]',
    ':',
    '[a]',
    '[a-z]',
    '^',
  ],
  ...[
    'a b',
    'a\u00a0b',
    'a\nb',
    'a\r\nb',
    'a\u2028b',
    '\ufeff',
    'ab\n',
    '\t',
    '\v',
    '\f',
    '\b',
    '\0',
    '\x01',
    '\x07',
  ],
  ...[
    'x=1 y=22',
    'foo.bar',
    'a-b_c',
    '-',
    '_',
    '/',
    '.',
    '"',
    '{',
    '}',
    ']',
    'a{',
    'a{,3}',
    'a{2}',
    '(?:',
    '\\',
    '\\c',
  ],
  ...['p{L}', 'k<x>', 'Q', 'aE', 'e', 'C', 'c', 'é', 'ö', '日本'],
];
const REPLACEMENTS = ['', 'X', '<$&>', '[$1]', '[$2]', "$`|$'", '$$', '$<name>', '$10', '\\1'];

test('V8 and re2js find and replace the same', (t) => {
  for (const source of ACCEPTED) {
    const [native, translated] = [compileV8(source), compileRe2(source)];
    for (const text of TEXTS) {
      const what = `/${source}/ in ${JSON.stringify(text)}`;
      t.is(translated.test(text), native.test(text), what);
      for (const by of REPLACEMENTS)
        t.is(translated.replace(text, by), native.replace(text, by), `${what} by ${by}`);
    }
  }
});

for (const [name, compile] of Object.entries(engines)) {
  test(`${name} refuses look-around, back-references, and invalid patterns`, (t) => {
    for (const source of [
      ...['(?=a)', '(?!a)', '(?<=a)b', '(?<!a)b', '(?<=(a))b', 'x(?<=[)])', '(a)\\1', '(?<x>a)\\k<x>'],
      ...['(', ')', '[', '[z-a]', 'a**', 'x*+', '*', '\\', '(?P<n>a)', '(?i:a)', 'a{1,4096}'],
    ])
      t.throws(() => compile(source), { instanceOf: SyntaxError }, source);
    for (const source of ['\\(\\?<=', '[(?<=]', '\\[(?<n>=)']) t.notThrows(() => compile(source), source);
  });

  test(`${name} takes linear time for a pattern that backtracks without end`, (t) => {
    const start = performance.now();
    for (const length of [100, 5000, 100_000]) {
      t.false(compile('^(a+)+$').test(`${'a'.repeat(length)}b`));
      t.false(compile('(x+x+)+y').test('x'.repeat(length)));
    }
    t.true(performance.now() - start < 5000);
  });

  test(`${name} replaces in short and in long text`, (t) => {
    const { replace } = compile('(id=)\\d+');
    for (const length of [0, 10_000]) {
      const before = ' '.repeat(length);
      t.is(replace(`${before}id=12 id=3`, '$1X'), `${before}id=X id=X`);
    }
  });
}

test('this Node has the linear engine, and it is used', (t) => {
  t.true(hasLinearEngine());
  t.is(patternEngine, 'v8');
});

test('redaction rules are patterns with a replacement', (t) => {
  t.true(isPattern('a'));
  t.false(isPattern('(?=a)'));
  t.deepEqual(parseRedaction('/a\\/b/c/'), { source: 'a\\/b', replacement: 'c' });
  t.is(parseRedaction('/a'), undefined);
  t.is(parseRedaction('toString'), undefined);
});

/** Runs `script` in a Node whose V8 lacks the flags that `isMissing` says. */
async function withoutFlags(isMissing: string, script: string): Promise<string> {
  const preload = `
    import v8 from 'node:v8';
    import { syncBuiltinESMExports } from 'node:module';
    const set = v8.setFlagsFromString;
    v8.setFlagsFromString = (flag) => { if (!(${isMissing})) set(flag); };
    syncBuiltinESMExports();`;
  const { stdout } = await promisify(execFile)(process.execPath, [
    ...['--import', `data:text/javascript,${encodeURIComponent(preload)}`],
    ...['--input-type=module', '--eval', script],
  ]);
  return stdout.trim();
}

const SCRIPT = `
  import { compilePattern, isPattern, patternEngine } from './config/pattern.ts';
  const found = compilePattern('^(a+)+$').test('a'.repeat(40) + 'b');
  const replaced = compilePattern('(id=)\\\\d+').replace('id=7', '$1X');
  console.log(patternEngine, found, replaced, isPattern('(?<=a)b'));`;

for (const [what, isMissing] of [
  ['no linear engine', "flag.includes('regexp')"],
  ['no switch to its linear engine', "flag.includes('backtracks')"],
] as const)
  test(`re2js is used where V8 has ${what}`, async (t) => {
    t.is(await withoutFlags(isMissing, SCRIPT), 're2js false id=X false');
  });
