/** The Debian package: installed into a separate root, upgraded, and removed. */
import { execFileSync } from 'node:child_process';
import {
  appendFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import manifest from '../../package.json' with { type: 'json' };
import { temporaryDirectory } from '../support/temporary.ts';

const checkout = join(import.meta.dirname, '../..');

test('npm run deb: installs command, unit and configuration; an upgrade keeps changes to the configuration', (t) => {
  t.timeout(240_000);
  const directory = temporaryDirectory(t);
  const run = (command: string, ...args: string[]) =>
    execFileSync(command, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'], cwd: directory });
  run(process.execPath, join(checkout, 'agent/setup/deb.ts'), directory);
  const file = join(directory, `portlight_${manifest.version}_all.deb`);
  t.is(run('dpkg-deb', '--field', file, 'Version').trim(), manifest.version);
  t.is(run('dpkg-deb', '--field', file, 'Depends').trim(), 'nodejs (>= 24)');

  const root = join(directory, 'root');
  for (const path of ['info', 'updates']) mkdirSync(join(root, 'var/lib/dpkg', path), { recursive: true });
  writeFileSync(join(root, 'var/lib/dpkg/status'), '');
  const dpkg = (...args: string[]) =>
    run('dpkg', `--root=${root}`, '--force-script-chrootless', '--force-depends', ...args);
  dpkg('--install', file);
  const installed = (path: string) => readFileSync(join(root, path), 'utf8');
  const portlight = join(root, 'usr/bin/portlight');
  t.is(run(portlight, '--version'), `${manifest.version}\n`);
  const configuration = join(root, 'etc/portlight/portlight.yaml');
  t.is(run(portlight, 'config', 'validate', '--config', configuration), 'The configuration is valid.\n');
  t.is(
    installed('usr/lib/systemd/system/portlight.service'),
    readFileSync(join(checkout, 'config/systemd/portlight.service'), 'utf8'),
  );
  for (const entry of readdirSync(root, { recursive: true, withFileTypes: true })) {
    if (entry.isSymbolicLink() || entry.parentPath.startsWith(join(root, 'var'))) continue;
    t.is(statSync(join(entry.parentPath, entry.name)).mode & 0o7022, 0, entry.name);
  }

  appendFileSync(configuration, 'interval: 30s\n');
  dpkg('--install', file);
  t.true(installed('etc/portlight/portlight.yaml').endsWith('interval: 30s\n'));
  dpkg('--remove', 'portlight');
  t.false(existsSync(portlight));
  t.true(existsSync(configuration));
  dpkg('--purge', 'portlight');
  t.false(existsSync(configuration));
});
