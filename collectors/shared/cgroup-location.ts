/**
 * Finds a container's cgroup directories from what the kernel says: the hierarchies' mounts in
 * /proc/self/mountinfo and the process's membership in /proc/<pid>/cgroup. No path is guessed.
 * Sources: cgroups(7), proc_pid_mountinfo(5).
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { readParentPid } from './kernel-file.ts';
import { ownContainerId } from './own-container.ts';

/** A mounted cgroup hierarchy. */
export interface CgroupMount {
  /** The cgroup that is visible at the mount point. */
  readonly root: string;
  readonly point: string;
}

export interface Hierarchies {
  /** cgroup v1 hierarchies by controller. */
  readonly v1: ReadonlyMap<string, CgroupMount>;
  readonly v2: CgroupMount | undefined;
}

/** A container's directory for one controller. */
export interface CgroupDirectory {
  readonly version: 1 | 2;
  readonly path: string;
  /** The cgroup's path within its hierarchy. */
  readonly cgroup: string;
}

/** mountinfo writes space, tab, newline and backslash as octal escapes. */
const withoutEscapes = (path: string): string =>
  path.replace(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)));

/** How far up in its hierarchy a mount begins. Above the root of our cgroup namespace, mountinfo only tells how far. */
function height(root: string): number {
  const parts = root.split('/').filter((part) => part !== '');
  const above = parts.filter((part) => part === '..').length;
  return above > 0 ? above : -parts.length;
}

/** The cgroup mounts in the text of a mountinfo file; of several mounts of a hierarchy, the one that shows most. */
export function parseMountinfo(text: string): Hierarchies {
  const v1 = new Map<string, CgroupMount>();
  let v2: CgroupMount | undefined;
  const wider = (mount: CgroupMount, known: CgroupMount | undefined): CgroupMount =>
    known !== undefined && height(known.root) >= height(mount.root) ? known : mount;
  for (const line of text.split('\n')) {
    const [before, after] = line.split(' - ');
    if (after === undefined) continue;
    const [type, , options = ''] = after.split(' ');
    const [, , , root = '', point = ''] = before!.split(' ');
    const mount = { root: withoutEscapes(root), point: withoutEscapes(point) };
    if (type === 'cgroup2') v2 = wider(mount, v2);
    else if (type === 'cgroup') {
      for (const option of options.split(',')) v1.set(option, wider(mount, v1.get(option)));
    }
  }
  return { v1, v2 };
}

/** @throws when `procfs` cannot be read */
export function readHierarchies(procfs: string): Hierarchies {
  return parseMountinfo(readFileSync(join(procfs, 'self/mountinfo'), 'utf8'));
}

/** A process's cgroup path by controller; the key of the unified hierarchy is ''. */
export function parseMembership(text: string): Map<string, string> {
  const paths = new Map<string, string>();
  for (const line of text.split('\n')) {
    const [, controllers, ...path] = line.split(':');
    if (controllers === undefined) continue;
    for (const controller of controllers.split(',')) paths.set(controller, path.join(':'));
  }
  return paths;
}

/** A path from the root of our cgroup namespace upwards: names of the cgroups above it are not told. */
const isOutside = (path: string): boolean => path === '/..' || path.startsWith('/../');

const OWN_ID = ownContainerId();

/**
 * The container's own cgroup on the way to its process's: the process may sit deeper (an init such as
 * systemd makes sub-cgroups, Podman adds one), and the whole subtree counts. Undefined when no part of
 * the path names the container: then the process is not (or no longer) the container's.
 * @param ownId of the container that we run in: a cgroup namespace of its own calls its cgroup the root, without the id
 */
export function containerCgroup(path: string, id: string, ownId = OWN_ID): string | undefined {
  const parts = path.split('/');
  const own = parts.findIndex((part) => part.includes(id));
  if (own === -1) return id === ownId && !isOutside(path) ? '/' : undefined;
  return parts.slice(0, own + 1).join('/');
}

/** The command line of the parent of a container's init, its shim or conmon, has the container's id. */
function isChildOfShim(procfs: string, pid: number, id: string): boolean {
  try {
    return readFileSync(join(procfs, String(readParentPid(procfs, pid)), 'cmdline'), 'utf8').includes(id);
  } catch {
    return false;
  }
}

/**
 * Our own cgroup by hierarchy, where we run in a container: in a cgroup namespace of its own, that is / for all of
 * the container's processes, and bears no id.
 */
let ownMembership: Map<string, string> | undefined;

function isOwnRoot(controller: string, path: string): boolean {
  ownMembership ??=
    OWN_ID === undefined ? new Map() : parseMembership(readFileSync('/proc/self/cgroup', 'utf8'));
  return path === '/' && ownMembership.get(controller) === '/';
}

/** Whether a process is any container's. @param text of its /proc/<pid>/cgroup */
export const isInAnyContainer = (text: string): boolean =>
  /[0-9a-f]{64}/.test(text) ||
  [...parseMembership(text)].some(([controller, path]) => isOwnRoot(controller, path));

/**
 * Makes sure that a process is the container's: a daemon elsewhere, another /proc or a reused pid make it another's. Its
 * cgroup tells, or, where a rootless daemon can give it none, its parent.
 * @throws with the code ESRCH when it is not, when it has vanished, or when /proc cannot be read
 */
export function assertContainerProcess(procfs: string, pid: number, id: string): void {
  const membership = parseMembership(readFileSync(join(procfs, String(pid), 'cgroup'), 'utf8'));
  const isOwn = [...membership].some(
    ([controller, path]) => containerCgroup(path, id) !== undefined || isOwnRoot(controller, path),
  );
  if (isOwn || isChildOfShim(procfs, pid, id)) return;
  throw Object.assign(new Error(`process ${pid} is none of the container's`), { code: 'ESRCH' });
}

/** Whether a process can be seen to be the container's. */
export function isContainerProcess(procfs: string, pid: number, id: string): boolean {
  try {
    assertContainerProcess(procfs, pid, id);
    return true;
  } catch {
    return false;
  }
}

/** How deep below a mount a container's cgroup is looked for; Kubernetes' lie deepest, at four. */
const SEARCH_DEPTH = 6;

/** The directory that bears the id, at most `depth` levels below `directory`. */
function search(directory: string, id: string, depth: number): string | undefined {
  let below: string[];
  try {
    below = readdirSync(directory, { withFileTypes: true })
      .filter((entry) => entry.isDirectory())
      .map(({ name }) => name);
  } catch {
    return undefined;
  }
  const own = below.find((name) => name.includes(id));
  if (own !== undefined) return join(directory, own);
  if (depth === 1) return undefined;
  for (const name of below) {
    const found = search(join(directory, name), id, depth - 1);
    if (found !== undefined) return found;
  }
  return undefined;
}

/**
 * The directory where `path`, the cgroup of the container `id`, shows under `mount`; undefined when it lies
 * outside what is mounted. An agent in a cgroup namespace of its own sees others' paths relative to its own
 * root: how many levels up, but not where that is. The container's cgroup bears its id all the same.
 */
function under(mount: CgroupMount, path: string, id: string): string | undefined {
  if (isOutside(path) || isOutside(mount.root)) return search(mount.point, id, SEARCH_DEPTH);
  if (mount.root === '/') return join(mount.point, path);
  if (path === mount.root) return mount.point;
  if (path.startsWith(`${mount.root}/`)) return join(mount.point, path.slice(mount.root.length));
  return undefined;
}

/**
 * Directories of the container for each wanted controller; a controller that the host does not have is
 * absent.
 * @throws when the process has vanished or /proc cannot be read
 */
export function locateCgroups(
  procfs: string,
  hierarchies: Hierarchies,
  pid: number,
  id: string,
  controllers: Iterable<string>,
): Map<string, CgroupDirectory> {
  const membership = parseMembership(readFileSync(join(procfs, String(pid), 'cgroup'), 'utf8'));
  const directories = new Map<string, CgroupDirectory>();
  for (const controller of controllers) {
    const legacy = hierarchies.v1.get(controller);
    const version = legacy === undefined ? 2 : 1;
    const mount = legacy ?? hierarchies.v2;
    const hierarchy = version === 1 ? controller : '';
    const path = membership.get(hierarchy);
    if (mount === undefined || path === undefined) continue;
    const own = containerCgroup(path, id) ?? (isOwnRoot(hierarchy, path) ? path : undefined);
    if (own === undefined) continue;
    const directory = under(mount, own, id);
    if (directory !== undefined && existsSync(directory))
      directories.set(controller, { version, path: directory, cgroup: own });
  }
  return directories;
}
