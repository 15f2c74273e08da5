/** The npm package: its contents, and its work once installed. */
import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import { shippedFiles } from '../../agent/setup/shipped/files.ts';
import manifest from '../../package.json' with { type: 'json' };
import { ensureImage, runContainer, uniqueName } from '../support/docker.ts';
import { PERMISSIVE } from '../support/licenses.ts';
import { makeTemporaryDirectory, temporaryDirectory } from '../support/temporary.ts';

const root = join(import.meta.dirname, '../..');
const INSTALL = ['install', '--no-audit', '--no-fund', '--silent', '--ignore-scripts', '--omit=dev'];

const run = (command: string, args: readonly string[], cwd: string): string =>
  execFileSync(command, args, { cwd, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });

const { path: directory, remove } = makeTemporaryDirectory();
let tarball: string;
let paths: string[];

test.before(async () => {
  await ensureImage();
  const [packed] = JSON.parse(
    run('npm', ['pack', '--json', '--silent', '--pack-destination', directory], root),
  ) as [{ filename: string; files: { path: string }[] }];
  tarball = join(directory, packed.filename);
  paths = packed.files.map(({ path }) => path);
});

test.after.always(() => remove());

test('npm pack includes only built JavaScript, types, documentation and configuration', (t) => {
  t.true(paths.includes('dist/agent/cli.js'));
  for (const path of ['README.md', 'LICENSE', 'CHANGELOG.md', 'docs/licenses.md', 'dist/page/licenses.md'])
    t.true(paths.includes(path), path);
  for (const path of Object.keys(shippedFiles())) t.true(paths.includes(path), path);
  t.true(paths.includes('config/elastic/_index_template/logs-portlight.otel.json'));
  t.true(paths.includes('config/socket-proxy/haproxy.cfg'));
  t.deepEqual(
    paths.filter((path) => /test|setup|\.map$|\.(?<!\.d\.)ts$/.test(path)),
    [],
    'no tests, no set-up, no sources',
  );
  const scripts = paths.filter((path) => /^dist\/(?!page\/).*\.js$/.test(path));
  t.deepEqual(
    scripts.filter((path) => !paths.includes(path.replace(/js$/, 'd.ts'))),
    [],
    'types of every module',
  );
});

test('the licences of libraries in the page are listed', (t) => {
  const text = run(
    'tar',
    ['--extract', '--to-stdout', '--file', tarball, 'package/dist/page/licenses.md'],
    root,
  );
  const bundled = [...text.matchAll(/^## (\S+) - \S+ \((.+)\)$/gm)].map(([, name, license]) => ({
    name,
    license,
  }));
  t.true(bundled.some(({ name }) => name === 'preact'));
  t.deepEqual(
    bundled.filter(({ license = '' }) => !PERMISSIVE.includes(license)),
    [],
  );
});

test('npm install -g: the command works', async (t) => {
  run('npm', [...INSTALL, '--global', '--prefix', directory, tarball], directory);
  const portlight = join(directory, 'bin/portlight');
  t.is(run(portlight, ['--version'], directory), `${manifest.version}\n`);
  const name = uniqueName('package');
  await runContainer(t, { name, script: 'sleep 600' });
  t.regex(run(portlight, ['ps'], directory), new RegExp(`^${name} `, 'm'));
});

test('npm install, npx portlight: the command works, and its types resolve', (t) => {
  const project = temporaryDirectory(t);
  writeFileSync(join(project, 'package.json'), '{ "type": "module" }\n');
  run('npm', [...INSTALL, tarball], project);
  const npx = (...args: string[]) => run('npx', ['--no-install', 'portlight', ...args], project);
  t.is(npx('--version'), `${manifest.version}\n`);
  t.regex(npx('check', '--data-dir', project), /^OK +docker daemon /m);

  const program = [
    "import { startAgent } from 'portlight/dist/agent/process/agent.js';",
    '// @ts-expect-error if its type were not known, it would be anything',
    'export const wrong: null = startAgent;',
  ];
  writeFileSync(join(project, 'program.ts'), program.join('\n'));
  const options = ['--noEmit', '--strict', '--module', 'nodenext', '--target', 'es2024'];
  const types = ['--types', 'node', '--typeRoots', join(root, 'node_modules/@types')];
  const compile = () =>
    run(join(root, 'node_modules/.bin/tsc'), [...options, ...types, 'program.ts'], project);
  t.notThrows(compile);
});
