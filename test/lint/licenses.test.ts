import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import { licensesPage, productionDependencies } from '../../agent/setup/licenses-page.ts';
import { PERMISSIVE } from '../support/licenses.ts';

test('docs/licenses.md lists what is installed with the package', (t) => {
  t.is(readFileSync(join(import.meta.dirname, '../../docs/licenses.md'), 'utf8'), licensesPage());
});

test('nothing is installed with the package whose licence asks for more than to be named', (t) => {
  const dependencies = productionDependencies();
  t.true(
    dependencies.some(({ name }) => name === 'ssh2'),
    'the dependency of a dependency',
  );
  t.deepEqual(
    dependencies.filter(({ license }) => !PERMISSIVE.includes(license)),
    [],
  );
});
