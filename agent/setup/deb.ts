/** `npm run deb [directory]`: builds the Debian package `portlight_<version>_all.deb`. */
import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { VERSION } from '../../config/version.ts';

const root = join(import.meta.dirname, '../..');
const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));

/** https://www.debian.org/doc/debian-policy/ch-controlfields.html */
const CONTROL = `Package: portlight
Version: ${VERSION}
Architecture: all
Maintainer: The Portlight authors <portlight@users.noreply.github.com>
Section: admin
Priority: optional
Depends: nodejs (>= ${manifest.engines.node.replace('>=', '')})
Recommends: docker.io | docker-ce
Homepage: https://github.com/portlight/portlight
Description: container observability agent for Docker hosts
 ${manifest.description.replaceAll(/(.{1,76})(?: |$)/g, '$1\n ').trim()}
`;

/** An upgrade restarts a running service. The installation itself starts no service. */
const SCRIPTS: Readonly<Record<string, string>> = {
  postinst: 'systemctl daemon-reload; systemctl try-restart portlight.service || true',
  prerm: '[ "$1" != remove ] || systemctl disable --now portlight.service || true',
  postrm: 'systemctl daemon-reload',
};

function run(command: string, args: readonly string[], cwd: string): string {
  return execFileSync(command, args, { cwd, encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] });
}

function build(directory: string): string {
  const staging = mkdtempSync(join(tmpdir(), 'portlight-deb-'));
  try {
    chmodSync(staging, 0o755);
    const put = (path: string, text: string, mode = 0o644) => {
      mkdirSync(dirname(join(staging, path)), { recursive: true });
      writeFileSync(join(staging, path), text, { mode });
    };
    const library = join(staging, 'usr/lib/portlight');
    mkdirSync(library, { recursive: true });
    // The files of the npm package, with the dependencies that package-lock.json names.
    const [{ filename }] = JSON.parse(run('npm', ['pack', '--json', '--pack-destination', staging], root));
    run('tar', ['--extract', '--strip-components=1', '--file', join(staging, filename)], library);
    rmSync(join(staging, filename));
    const lock = join(library, 'package-lock.json');
    copyFileSync(join(root, 'package-lock.json'), lock);
    const only = ['--omit=dev', '--omit=optional', '--ignore-scripts', '--no-audit', '--no-fund'];
    run('npm', ['ci', ...only], library);
    rmSync(lock);
    mkdirSync(join(staging, 'usr/bin'));
    symlinkSync('../lib/portlight/dist/agent/cli.js', join(staging, 'usr/bin/portlight'));
    const shipped = (path: string) => readFileSync(join(root, path), 'utf8');
    put('usr/lib/systemd/system/portlight.service', shipped('config/systemd/portlight.service'));
    put('usr/share/doc/portlight/copyright', shipped('LICENSE'));
    const configuration = shipped('config/portlight.yaml');
    put(
      'etc/portlight/portlight.yaml',
      configuration.replace('portlight.schema.json', '/usr/lib/portlight/config/portlight.schema.json'),
    );
    put('DEBIAN/control', CONTROL);
    put('DEBIAN/conffiles', '/etc/portlight/portlight.yaml\n');
    for (const [name, script] of Object.entries(SCRIPTS))
      put(`DEBIAN/${name}`, `#!/bin/sh\nset -e\n[ -d /run/systemd/system ] || exit 0\n${script}\n`, 0o755);
    run('chmod', ['--recursive', 'u=rwX,go=rX', '.'], staging);
    const file = join(directory, `portlight_${VERSION}_all.deb`);
    run('dpkg-deb', ['--root-owner-group', '--build', staging, file], root);
    return file;
  } finally {
    rmSync(staging, { recursive: true, force: true });
  }
}

console.log(build(resolve(process.argv[2] ?? '.')));
