/** The published package: what is in it, and that it works once installed. */
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import test from 'ava';
import { shippedFiles } from '../../agent/setup/shipped/files.ts';
import manifest from '../../package.json' with { type: 'json' };
import { temporaryDirectory } from '../support/agent.ts';
import { ensureImage, runContainer, uniqueName } from '../support/docker.ts';

const root = join(import.meta.dirname, '../..');

test.before(ensureImage);

test('npm pack, npm install -g: the command works from built JavaScript, and nothing else is shipped', async (t) => {
  const directory = temporaryDirectory(t);
  const run = (command: string, args: string[], cwd = root) =>
    execFileSync(command, args, { cwd, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
  const [packed] = JSON.parse(
    run('npm', ['pack', '--json', '--silent', '--pack-destination', directory]),
  ) as [{ filename: string; files: { path: string }[] }];
  const paths = packed.files.map(({ path }) => path);
  t.true(paths.includes('dist/agent/cli.js'));
  t.true(paths.includes('README.md') && paths.includes('LICENSE'));
  for (const path of Object.keys(shippedFiles())) t.true(paths.includes(path), path);
  t.true(paths.includes('config/elastic/_index_template/logs-portlight.otel.json'));
  t.true(paths.includes('config/socket-proxy/haproxy.cfg'));
  t.deepEqual(
    paths.filter((path) => /test|setup|\.(?<!\.d\.)ts$/.test(path)),
    [],
    'no tests, no set-up, no sources',
  );

  const options = ['--no-audit', '--no-fund', '--silent', '--ignore-scripts', '--omit=dev'];
  run('npm', ['install', '--global', '--prefix', directory, ...options, join(directory, packed.filename)]);
  const portlight = join(directory, 'bin/portlight');
  t.is(run(portlight, ['--version'], directory), `${manifest.version}\n`);
  const name = uniqueName('package');
  await runContainer(t, { name, script: 'sleep 600' });
  t.regex(run(portlight, ['ps'], directory), new RegExp(`^${name} `, 'm'));
});
