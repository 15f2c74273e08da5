/**
 * Runs processes as another user with chosen capabilities, with setpriv(1), in a mount namespace where that
 * user can read the checkout.
 */

import { spawnSync } from 'node:child_process';
import { chmodSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { basename, join, relative } from 'node:path';
import type { ExecutionContext } from 'ava';
import { temporaryDirectory } from './temporary.ts';

export interface Identity {
  readonly uid: number;
  readonly gid: number;
  readonly groups?: readonly number[];
  /** Capabilities without the prefix CAP_. Default: all for root, none for others. */
  readonly capabilities?: readonly string[];
  /** Whether /proc hides other users' processes (hidepid=2). */
  readonly hidden?: boolean;
  /** Bind mounts: source by target. */
  readonly overlaid?: Readonly<Record<string, string>>;
}

/** A user id that is not in use on any machine. */
export const SOMEBODY = 61_234;

/** $1: number of mounts; then the mounts; then the command. Capabilities are dropped last. */
const ENTER = `
n=$1; shift
while [ "$n" -gt 0 ]; do mount --bind "$1" "$2" || exit 1; shift 2; n=$((n - 1)); done
[ -z "$HIDEPID" ] || mount -t proc -o hidepid=2 proc /proc || exit 1
unset HIDEPID
exec setpriv "$@"
`;

/** The command line that runs a command under another identity. Needs root. */
export function asIdentity(identity: Identity, command: readonly string[]): string[] {
  const { uid, gid, groups = [], capabilities, hidden = false, overlaid = {} } = identity;
  const set = ['-all', ...(capabilities ?? []).map((name) => `+${name}`)].join(',');
  const isLimited = capabilities !== undefined || uid !== 0;
  const mounts = Object.entries(overlaid).flatMap(([place, file]) => [file, place]);
  return [
    ['unshare', '--mount', '--propagation', 'slave'],
    ['env', ...(hidden ? ['HIDEPID=1'] : [])],
    ['sh', '-c', ENTER, 'sh', String(mounts.length / 2), ...mounts],
    [`--reuid=${uid}`, `--regid=${gid}`, groups.length > 0 ? `--groups=${groups.join()}` : '--clear-groups'],
    ...(isLimited
      ? [[`--inh-caps=${set}`, ...(uid === 0 ? [`--bounding-set=${set}`] : [`--ambient-caps=${set}`])]]
      : []),
    command,
  ].flat();
}

/**
 * As `asIdentity`, for Node and a script of the checkout, which may be readable only for root (below /root).
 * @param script path within `root`
 */
export function nodeAs(t: ExecutionContext, identity: Identity, root: string, script: string): string[] {
  const place = temporaryDirectory(t);
  chmodSync(place, 0o711);
  const [sources, node] = [join(place, 'portlight'), join(place, 'node')];
  mkdirSync(sources);
  writeFileSync(node, '');
  const overlaid = { ...identity.overlaid, [sources]: root, [node]: process.execPath };
  return asIdentity({ ...identity, overlaid }, [node, join(sources, relative(root, script))]);
}

/** Subordinate ids for SOMEBODY's user namespaces. */
const SUBORDINATE = `somebody:${2 ** 30}:65536\n`;

/**
 * Makes SOMEBODY a known user of this machine, with subordinate ids, for rootless programs. Everything is
 * removed at the end.
 */
export function rootlessIdentity(t: ExecutionContext): Identity {
  const directory = temporaryDirectory(t);
  chmodSync(directory, 0o711);
  const added = {
    '/etc/passwd': `somebody:x:${SOMEBODY}:${SOMEBODY}::/:/bin/sh\n`,
    '/etc/group': `somebody:x:${SOMEBODY}:\n`,
    '/etc/subuid': SUBORDINATE,
    '/etc/subgid': SUBORDINATE,
  };
  const overlaid = Object.entries(added).map(([place, line]) => {
    const file = join(directory, basename(place));
    writeFileSync(file, `${readFileSync(place, 'utf8')}${line}`);
    return [place, file];
  });
  return { uid: SOMEBODY, gid: SOMEBODY, overlaid: Object.fromEntries(overlaid) };
}

/** Why the kernel denies a user namespace to a user; undefined if it does not. */
export function rootlessRefused(identity: Identity): string | undefined {
  const [program = '', ...args] = asIdentity(identity, ['unshare', '--user', '--map-root-user', 'true']);
  const { status, stderr } = spawnSync(program, args, { encoding: 'utf8' });
  return status === 0 ? undefined : stderr.trim();
}
