/** Installs Debian packages on a machine without Docker. */
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';

/** Whether packages can be installed here: requires root on Debian or a distribution derived from it. */
export function canInstall(): boolean {
  if (process.getuid?.() !== 0 || !existsSync('/usr/bin/apt-get')) return false;
  const release = existsSync('/etc/os-release') ? readFileSync('/etc/os-release', 'utf8') : '';
  return /^ID(_LIKE)?=.*\b(debian|ubuntu)\b/m.test(release);
}

export function isInstalled(name: string): boolean {
  const { stdout } = spawnSync('dpkg-query', ['--status', name], { encoding: 'utf8' });
  return /^Status: .* installed$/m.test(stdout ?? '');
}

const POLICY = '/usr/sbin/policy-rc.d';

/** Runs `work` while package installations cannot start services. */
function withoutServices(work: () => void): void {
  if (existsSync(POLICY)) {
    work();
    return;
  }
  // See invoke-rc.d(8): 101 means "forbidden by policy".
  writeFileSync(POLICY, '#!/bin/sh\nexit 101\n', { mode: 0o755 });
  try {
    work();
  } finally {
    rmSync(POLICY);
  }
}

function apt(args: readonly string[]): void {
  const { status, stderr } = spawnSync('apt-get', ['-qq', ...args], {
    env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' },
    encoding: 'utf8',
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  if (status !== 0) throw new Error(`apt-get ${args.join(' ')} failed: ${stderr.trim().split('\n').at(-1)}`);
}

/**
 * Installs the named packages that are missing, without starting their services.
 * @throws {Error} if apt-get fails
 */
export function install(names: readonly string[]): void {
  const missing = names.filter((name) => !isInstalled(name));
  if (missing.length === 0) return;
  withoutServices(() => {
    apt(['update']);
    apt(['install', '-y', '--no-install-recommends', ...missing]);
  });
}
