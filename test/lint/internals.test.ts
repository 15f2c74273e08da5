/** The tests that docs/internals names as proofs exist. */
import { readdirSync, readFileSync } from 'node:fs';
import test from 'ava';

const DIRECTORY = 'docs/internals';
/** A test file in backticks, and the titles in quotation marks that follow it up to the next. */
const PROOF = /`(test\/[^`]+\.test\.ts)`|"([^"]+)"/g;
const TITLE = /\btest(?:\.\w+)*\(\s*(?:'((?:[^'\\]|\\.)*)'|"((?:[^"\\]|\\.)*)"|`((?:[^`\\]|\\.)*)`)/g;

/** What matches the titles of a file; `${…}` in a title stands for any text. */
function titlesOf(file: string): RegExp[] {
  return [...readFileSync(file, 'utf8').matchAll(TITLE)].map(([, single, double, template]) => {
    const parts = (single ?? double)?.replaceAll('\\', '') ?? template!;
    const escaped = parts.split(/\$\{[^}]*\}/).map((part) => part.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&'));
    return new RegExp(`^${escaped.join('.*')}$`);
  });
}

for (const name of readdirSync(DIRECTORY).filter((file) => file.endsWith('.md')))
  test(`the tests that ${DIRECTORY}/${name} names exist`, (t) => {
    for (const line of readFileSync(`${DIRECTORY}/${name}`, 'utf8').split('\n')) {
      let titles: RegExp[] | undefined;
      for (const [, file, title] of line.matchAll(PROOF)) {
        if (file !== undefined) titles = titlesOf(file);
        else if (titles !== undefined)
          t.true(
            titles.some((known) => known.test(title!)),
            `${title} in: ${line}`,
          );
      }
    }
    t.pass();
  });
