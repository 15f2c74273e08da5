/**
 * Finds a container's cgroup directories. The kernel has both parts: the mounts of the hierarchies in
 * /proc/self/mountinfo, and the cgroup of a process in /proc/<pid>/cgroup. No path is guessed.
 * Sources: cgroups(7), proc_pid_mountinfo(5).
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { readParentPid } from './kernel-file.ts';
import { ownContainerId } from './own-container.ts';

/** A mounted cgroup hierarchy. */
export interface CgroupMount {
  /** The cgroup at the mount point. */
  readonly root: string;
  readonly point: string;
}

export interface Hierarchies {
  /** cgroup v1 hierarchies by controller. */
  readonly v1: ReadonlyMap<string, CgroupMount>;
  readonly v2: CgroupMount | undefined;
}

/** A container's cgroup directory for one controller. */
export interface CgroupDirectory {
  readonly version: 1 | 2;
  readonly path: string;
  /** The cgroup's path within its hierarchy. */
  readonly cgroup: string;
}

/** mountinfo has octal escapes for space, tab, newline and backslash. */
const unescapePath = (path: string): string =>
  path.replace(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)));

/**
 * How far up in its hierarchy a mount begins. Above the root of the agent's cgroup namespace, mountinfo has
 * only `..` for each level.
 */
function heightOf(root: string): number {
  const parts = root.split('/').filter((part) => part !== '');
  const above = parts.filter((part) => part === '..').length;
  return above > 0 ? above : -parts.length;
}

/**
 * The cgroup mounts in the text of a mountinfo file; of several mounts of one hierarchy, the one that shows
 * most of it.
 */
export function parseMountinfo(text: string): Hierarchies {
  const v1 = new Map<string, CgroupMount>();
  let v2: CgroupMount | undefined;
  const wider = (mount: CgroupMount, known: CgroupMount | undefined): CgroupMount =>
    known !== undefined && heightOf(known.root) >= heightOf(mount.root) ? known : mount;
  for (const line of text.split('\n')) {
    const [before, after] = line.split(' - ');
    if (after === undefined) continue;
    const [type, , options = ''] = after.split(' ');
    const [, , , root = '', point = ''] = before!.split(' ');
    const mount = { root: unescapePath(root), point: unescapePath(point) };
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

/** Whether a path leads above the root of the agent's cgroup namespace, where cgroups have no names. */
const isOutside = (path: string): boolean => path === '/..' || path.startsWith('/../');

const OWN_ID = ownContainerId();

/**
 * The container's cgroup on the path of its process's cgroup. The process can be deeper: an init such as
 * systemd creates sub-cgroups, and Podman adds one. The whole subtree counts. Undefined when no part of the
 * path has the container's id: then the process is not the container's.
 * @param ownId of the container that the agent runs in: in a cgroup namespace of its own, its cgroup is the
 *   root, without the id
 */
export function containerCgroup(path: string, id: string, ownId = OWN_ID): string | undefined {
  const parts = path.split('/');
  const own = parts.findIndex((part) => part.includes(id));
  if (own === -1) return id === ownId && !isOutside(path) ? '/' : undefined;
  return parts.slice(0, own + 1).join('/');
}

/** Whether the parent is a shim or conmon of the container: its command line has the container's id. */
function isChildOfShim(procfs: string, pid: number, id: string): boolean {
  try {
    return readFileSync(join(procfs, String(readParentPid(procfs, pid)), 'cmdline'), 'utf8').includes(id);
  } catch {
    return false;
  }
}

/**
 * The agent's own cgroup by hierarchy, if it runs in a container. In a cgroup namespace of its own, that is /
 * for all processes of the container, without its id.
 */
let ownMembership: Map<string, string> | undefined;

function isOwnRoot(controller: string, path: string): boolean {
  ownMembership ??=
    OWN_ID === undefined ? new Map() : parseMembership(readFileSync('/proc/self/cgroup', 'utf8'));
  return path === '/' && ownMembership.get(controller) === '/';
}

/** Whether a process runs in any container. @param text of its /proc/<pid>/cgroup */
export const isInAnyContainer = (text: string): boolean =>
  /[0-9a-f]{64}/.test(text) ||
  [...parseMembership(text)].some(([controller, path]) => isOwnRoot(controller, path));

/**
 * Checks that a process is the container's. With a remote daemon, another /proc or a reused pid it is not.
 * The cgroup of the process decides. A rootless daemon may be unable to create a cgroup: then its parent
 * process decides.
 * @throws with the code ESRCH when the process is not the container's or has vanished, or when /proc cannot
 *   be read
 */
export function assertContainerProcess(procfs: string, pid: number, id: string): void {
  const membership = parseMembership(readFileSync(join(procfs, String(pid), 'cgroup'), 'utf8'));
  const isOwn = [...membership].some(
    ([controller, path]) => containerCgroup(path, id) !== undefined || isOwnRoot(controller, path),
  );
  if (isOwn || isChildOfShim(procfs, pid, id)) return;
  throw Object.assign(new Error(`process ${pid} does not belong to the container`), { code: 'ESRCH' });
}

/** As `assertContainerProcess`, as a boolean. */
export function isContainerProcess(procfs: string, pid: number, id: string): boolean {
  try {
    assertContainerProcess(procfs, pid, id);
    return true;
  } catch {
    return false;
  }
}

/**
 * Levels below a mount that are searched for a container's cgroup; those of Kubernetes are the deepest, at
 * four.
 */
const SEARCH_DEPTH = 6;

/** The directory with the id in its name, at most `depth` levels below `directory`. */
function searchById(directory: string, id: string, depth: number): string | undefined {
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
    const found = searchById(join(directory, name), id, depth - 1);
    if (found !== undefined) return found;
  }
  return undefined;
}

/**
 * The directory of the cgroup `path` under `mount`; undefined when the mount does not show it. In a cgroup
 * namespace of its own, the agent sees other paths relative to its own root: how many levels up, but not
 * their names. There the directory is found by the container's id.
 */
function directoryUnder(mount: CgroupMount, path: string, id: string): string | undefined {
  if (isOutside(path) || isOutside(mount.root)) return searchById(mount.point, id, SEARCH_DEPTH);
  if (mount.root === '/') return join(mount.point, path);
  if (path === mount.root) return mount.point;
  if (path.startsWith(`${mount.root}/`)) return join(mount.point, path.slice(mount.root.length));
  return undefined;
}

/**
 * The container's directory for each of the controllers. A controller that the host does not have is absent.
 * @throws when the process has vanished, or /proc cannot be read
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
    const directory = directoryUnder(mount, own, id);
    if (directory !== undefined && existsSync(directory))
      directories.set(controller, { version, path: directory, cgroup: own });
  }
  return directories;
}
