/**
 * `npm run test:v2`: runs the integration tests of metrics on a real cgroup v2 host: an emulated virtual machine with
 * Debian's kernel, systemd and Docker, first with the cgroup driver systemd, then with cgroupfs. Needs root on Debian, and
 * minutes.
 */
import { execFileSync, spawn } from 'node:child_process';
import {
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { install } from '../../agent/setup/packages.ts';
import { makeTemporaryDirectory } from '../support/temporary.ts';

const TESTS = ['metrics', 'catalogue', 'namespaces', 'exits'].map(
  (name) => `test/integration/${name}.test.ts`,
);
const PACKAGES = [
  'systemd',
  'systemd-sysv',
  'dbus',
  'udev',
  'kmod',
  'iproute2',
  'docker.io',
  'busybox-static',
  'linux-image-cloud-amd64',
];
const LIMIT_MS = 60 * 60_000;

const root = join(import.meta.dirname, '../..');
const say = (text: string) => console.error(`portlight test:v2: ${text}`);
const run = (command: string, ...args: string[]) =>
  execFileSync(command, args, { stdio: ['ignore', 'ignore', 'inherit'] });

/** The guest's Debian system, which is made once and cached. */
function guestSystem(): string {
  const cache = join(process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache'), 'portlight');
  const system = join(cache, 'guest');
  if (existsSync(system)) return system;
  say(`creating the guest's system in ${system}`);
  mkdirSync(cache, { recursive: true });
  const unfinished = makeTemporaryDirectory(cache).path;
  run('debootstrap', '--variant=minbase', `--include=${PACKAGES.join(',')}`, 'bookworm', unfinished);
  const units = join(unfinished, 'etc/systemd/system');
  // The console belongs to the tests, and they start the daemons.
  for (const unit of [
    'serial-getty@ttyS0.service',
    'docker.service',
    'docker.socket',
    'containerd.service',
  ]) {
    rmSync(join(units, unit), { force: true });
    symlinkSync('/dev/null', join(units, unit));
  }
  writeFileSync(
    join(units, 'portlight-test.service'),
    `[Unit]
Description=Portlight's tests
[Service]
Type=oneshot
TimeoutStartSec=infinity
ExecStart=/bin/sh -c 'mkdir -p /work && mount /dev/vdb /work && sh /work/test/guest/inside.sh $(cat /work/tests)'
StandardOutput=file:/dev/ttyS0
StandardError=inherit
ExecStopPost=/bin/systemctl poweroff --force --force
`,
  );
  mkdirSync(join(units, 'multi-user.target.wants'), { recursive: true });
  symlinkSync('../portlight-test.service', join(units, 'multi-user.target.wants/portlight-test.service'));
  rmSync(join(units, 'default.target'), { force: true });
  symlinkSync('/lib/systemd/system/multi-user.target', join(units, 'default.target'));
  renameSync(unfinished, system);
  return system;
}

/** Copies the checkout and the running Node for the guest. */
function workDirectory(directory: string): string {
  const work = join(directory, 'work');
  mkdirSync(join(work, 'node/bin'), { recursive: true });
  cpSync(process.execPath, join(work, 'node/bin/node'));
  for (const name of [
    'agent',
    'collectors',
    'exporters',
    'config',
    'test',
    'dist',
    'docs',
    'package.json',
    'node_modules',
  ]) {
    cpSync(join(root, name), join(work, name), { recursive: true, verbatimSymlinks: true });
  }
  writeFileSync(join(work, 'tests'), TESTS.join('\n'));
  return work;
}

/** Writes the guest's cgroup recordings as fixtures of the unit tests. */
function keepRecordings(output: string): void {
  const found = output.matchAll(/^guest: recording (\S+)\s+^([\s\S]*?)^guest: end of recording/gm);
  for (const [, name, encoded = ''] of found) {
    const path = join(root, `test/fixtures/cgroup-${name}.json`);
    writeFileSync(path, gunzipSync(Buffer.from(encoded, 'base64')));
    say(`recorded ${path}`);
  }
}

/** @returns whether the guest reported no failed test */
async function boot(system: string, directory: string): Promise<boolean> {
  const file = (prefix: string) =>
    join(system, 'boot', readdirSync(join(system, 'boot')).find((name) => name.startsWith(prefix))!);
  const disk = (name: string) => ['-drive', `file=${join(directory, name)},format=raw,if=virtio,snapshot=on`];
  const machine = spawn(
    'qemu-system-x86_64',
    [
      ['-accel', 'tcg,thread=multi', '-smp', '2', '-m', '4096', '-nographic', '-no-reboot', '-nic', 'none'],
      ['-kernel', file('vmlinuz'), '-initrd', file('initrd')],
      [
        '-append',
        'root=/dev/vda rw console=ttyS0 quiet apparmor=0 systemd.unified_cgroup_hierarchy=1 mitigations=off',
      ],
      disk('system.ext4'),
      disk('work.ext4'),
    ].flat(),
    { stdio: ['ignore', 'pipe', 'inherit'], signal: AbortSignal.timeout(LIMIT_MS) },
  );
  let output = '';
  machine.stdout.setEncoding('utf8').on('data', (text: string) => {
    output += text;
    process.stdout.write(text);
  });
  await new Promise((resolve) => machine.on('close', resolve).on('error', resolve));
  keepRecordings(output);
  return output.includes('guest: failed=0');
}

install(['qemu-system-x86', 'debootstrap', 'e2fsprogs']);
const { path: directory, remove } = makeTemporaryDirectory();
try {
  run(process.execPath, join(root, 'agent/setup/build.ts'));
  const system = guestSystem();
  run('mkfs.ext4', '-q', '-d', system, join(directory, 'system.ext4'), '1500M');
  run('mkfs.ext4', '-q', '-d', workDirectory(directory), join(directory, 'work.ext4'), '2G');
  say('starting the guest');
  process.exitCode = (await boot(system, directory)) ? 0 : 1;
} finally {
  remove();
}
